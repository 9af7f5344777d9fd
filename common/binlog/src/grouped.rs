//! Files of several fields: what Milvus writes since 2.6 in place of a file for each field (its storage version 2).
//!
//! ```text
//! insert_log/<collection>/<partition>/<segment>/<group>/<log>     some fields of some rows, bare Parquet
//! ```
//! Known from sources alone: Milvus's branch 2.6 (June 2026) and that of its library milvus-storage, in C++. No file of a server was read.
//! - Which fields lie together is decided for each segment: the row's number and time with the keys, each vector by itself, the others
//!   together (`internal/storagecommon/split_policy.go`, settings `common.storage.stv2.*`). A group of one wide field is called by that
//!   field's id, others are numbered from 0. So the file says what is in it, not its folder: a column's `field_id` in Parquet's schema is
//!   the field's (`internal/storage/schema.go`, `PARQUET:field_id`), its name may be the field's or its id.
//! - Within a segment every group has as many files, and the i-th ones hold the same rows (`internal/flushcommon/syncmgr/pack_writer_v2.go`).
//!   Each file is cut into groups of rows of its own, whenever 1 MiB of values in memory is full (`cpp/src/format/parquet/parquet_writer.cpp`,
//!   `common/config.h`): they are not aligned.
//! - A flush writes a file for each group, and compaction one for a whole segment (`internal/storage/binlog_record_writer.go`): of a
//!   gigabyte where segments are as large as Milvus makes them. So a file is never read whole, but its footer, and the groups of rows that
//!   hold what is wanted.
//! - Arrow's C++ library writes it (17.0) with what it does by itself: a dictionary first and plain values once that has 1 MiB, pages of
//!   the first kind; and with zstd (`internal/core/src/segcore/packed_writer_c.cpp`). Statistics are left out for runs of bytes.
//! - Types are those of files of one field (`internal/storage/serde.go`): dense vectors have a fixed width, but those that may be null a
//!   width of their own each; JSON, arrays and sparse vectors are runs of bytes. Arrays of vectors are lists, which are not read here.
//! - A field that was added to a collection later is in no file of segments that were written before.
//! - With encryption on, Parquet's own is used, and the file ends in `PARE`.
//! - Deletes are written as before (`internal/storage/rw.go`, `NewDeltalogWriter`).
//! - Notes in the footer (`row_group_metadata`, `group_field_id_list`, `storage_version`) repeat what Parquet says itself.

mod window;

use crate::parquet::{bytes_of, contain, is_plain, malformed};
use crate::room::{MOST_VALUE_BYTES, Room};
use crate::values::Read;
use crate::{BinlogError, FieldValues, footer, pages};
use ::parquet::basic::Type as Physical;
use ::parquet::column::reader::get_column_reader;
use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use ::parquet::file::serialized_reader::SerializedPageReader;
use ::parquet::file::statistics::Statistics;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use window::Window;

/// How a file begins and ends, and how one ends that is encrypted.
const MAGIC: [u8; 4] = *b"PAR1";
const ENCRYPTED: [u8; 4] = *b"PARE";

/// What stands behind the footer: its length, and how a file ends.
const ENDING_BYTES: usize = 8;

/// The values at which Milvus ends a group of rows.
const GROUP_BYTES: u64 = 1 << 20;

/// What a file of several fields says of itself at its end.
#[derive(Debug, Clone)]
pub struct GroupedFile {
    metadata: Arc<ParquetMetaData>,
    /// The column of each field that can be read; `None` for a list.
    columns: BTreeMap<i64, Option<usize>>,
    /// The first row of each group of rows, and their number at the end.
    firsts: Vec<u64>,
}

impl GroupedFile {
    /// How many bytes at the end of a file tell what [`GroupedFile::read`] wants, by its last 8 or more.
    ///
    /// # Errors
    /// [`BinlogError`] when a file does not end so, is encrypted, or has a larger footer than any of Milvus's.
    pub fn footer_bytes(end: &[u8]) -> Result<usize, BinlogError> {
        let Some((_, [a, b, c, d, magic @ ..])) = end.split_last_chunk::<ENDING_BYTES>() else {
            return Err(malformed("it has no end"));
        };
        match *magic {
            MAGIC => {
                let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
                footer::OF_A_GROUP.ensure(length)?;
                Ok(length + ENDING_BYTES)
            }
            ENCRYPTED => Err(BinlogError::Encrypted),
            _ => Err(malformed("it does not end as Parquet does")),
        }
    }

    /// Reads the end of a file that has so many bytes.
    ///
    /// # Errors
    /// [`BinlogError`] when less is given than [`GroupedFile::footer_bytes`] says, and when it is malformed, encrypted, larger than any of
    /// Milvus's or does not say which fields it has.
    pub fn read(end: &Bytes, file_bytes: u64) -> Result<Self, BinlogError> {
        let length = Self::footer_bytes(end)?;
        let begin = end.len().checked_sub(length);
        let at = file_bytes.checked_sub(length as u64);
        let (begin, at) = begin
            .zip(at)
            .ok_or_else(|| malformed("its footer is not all there"))?;
        let footer = end.slice(begin..);
        footer::look(&footer, &footer::OF_A_GROUP)?;
        let footer = &footer[..footer.len() - ENDING_BYTES];
        contain(|| {
            let metadata = ParquetMetaDataReader::decode_metadata(footer)?;
            Self::of(metadata, at)
        })
    }

    /// What a footer that stands there says.
    fn of(metadata: ParquetMetaData, at: u64) -> Result<Self, BinlogError> {
        let mut firsts = vec![0];
        let mut rows = 0;
        for group in metadata.row_groups() {
            let more = u64::try_from(group.num_rows()).ok();
            let sum = more.and_then(|more| u64::checked_add(rows, more));
            rows = sum.ok_or_else(|| malformed("a group has less than no rows"))?;
            firsts.push(rows);
            for column in group.columns() {
                bytes_of(column, at)?;
            }
        }
        if u64::try_from(metadata.file_metadata().num_rows()) != Ok(rows) {
            return Err(malformed("its groups have another number of rows"));
        }
        let columns = columns(&metadata)?;
        Ok(Self {
            metadata: Arc::new(metadata),
            columns,
            firsts,
        })
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.firsts.last().copied().unwrap_or_default()
    }

    /// The ids of its fields, lists too.
    pub fn fields(&self) -> impl Iterator<Item = i64> {
        self.columns.keys().copied()
    }

    /// About the bytes that all of its values take in memory. What they take in the file says little: a dictionary has a value once.
    #[must_use]
    pub fn value_bytes(&self) -> u64 {
        let groups = self.metadata.row_groups();
        let sizes = groups.iter().map(|group| {
            let told = u64::try_from(group.total_byte_size()).unwrap_or_default();
            told.max(GROUP_BYTES)
        });
        sizes.fold(0, u64::saturating_add)
    }

    /// The largest number of a field, as Parquet's statistics tell it; `None` where a group of rows has none.
    #[must_use]
    pub fn most(&self, field: i64) -> Option<i64> {
        let column = self.columns.get(&field).copied().flatten()?;
        let groups = self.metadata.row_groups().iter();
        let most = groups.map(|group| match group.column(column).statistics() {
            Some(Statistics::Int64(told)) => told.max_opt().copied(),
            _ => None,
        });
        most.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Where the bytes lie that [`GroupedFile::values`] wants for these rows.
    ///
    /// # Errors
    /// [`BinlogError`] when there are no such rows, or when those bytes are more than are read at once.
    pub fn bytes_of(&self, rows: &Range<u64>) -> Result<Range<u64>, BinlogError> {
        let mut all: Option<Range<u64>> = None;
        for (_, group) in self.groups(rows)? {
            for column in group.columns() {
                let range = bytes_of(column, u64::MAX)?;
                all = Some(match all {
                    None => range,
                    Some(all) => all.start.min(range.start)..all.end.max(range.end),
                });
            }
        }
        let all = all.unwrap_or_default();
        if all.end - all.start > MOST_VALUE_BYTES as u64 {
            let (what, most) = ("the groups of rows", MOST_VALUE_BYTES);
            return Err(BinlogError::Beyond { what, most });
        }
        Ok(all)
    }

    /// The values of these rows, of each of these fields: its id, and Milvus's number of its type. What is given begins where
    /// [`GroupedFile::bytes_of`] the same rows does.
    ///
    /// # Errors
    /// [`BinlogError`] when the file lacks a field, is cut short, malformed, or holds what this build does not know or more than any file
    /// of Milvus's.
    pub fn values(
        &self,
        bytes: &Bytes,
        rows: &Range<u64>,
        fields: &[(i64, i32)],
    ) -> Result<Vec<FieldValues>, BinlogError> {
        let window = Arc::new(Window::new(self.bytes_of(rows)?.start, bytes.clone()));
        let mut room = Room::new();
        let values = fields.iter().map(|(field, data_type)| {
            let column = self.columns.get(field).copied().flatten();
            let column = column.ok_or(BinlogError::NoField { field: *field })?;
            contain(|| self.column(&window, rows, column, *data_type, &mut room))
        });
        values.collect()
    }

    fn column(
        &self,
        window: &Arc<Window>,
        rows: &Range<u64>,
        column: usize,
        data_type: i32,
        room: &mut Room,
    ) -> Result<FieldValues, BinlogError> {
        let mut read = Read::default();
        for (first, group) in self.groups(rows)? {
            let chunk = group.column(column);
            let bytes = window.slice(bytes_of(chunk, u64::MAX)?)?;
            let number = usize::try_from(group.num_rows()).unwrap_or_default();
            pages::look(&bytes, chunk, number, room)?;
            let pages = SerializedPageReader::new(window.clone(), chunk, number, None)?;
            let reader = get_column_reader(chunk.column_descr_ptr(), Box::new(pages));
            let begin = rows.start.saturating_sub(first) as usize;
            let end = number.min((rows.end - first) as usize);
            read.chunk(reader, begin..end, data_type, room)?;
        }
        Ok(read.into_values())
    }

    /// The groups of rows that hold some of these, each with its first row.
    fn groups(
        &self,
        rows: &Range<u64>,
    ) -> Result<impl Iterator<Item = (u64, &RowGroupMetaData)>, BinlogError> {
        if rows.start > rows.end || rows.end > self.rows() {
            return Err(malformed("it has less rows than are wanted"));
        }
        let firsts = self.firsts.windows(2);
        let groups = firsts.zip(self.metadata.row_groups());
        let (begin, end) = (rows.start, rows.end);
        Ok(groups.filter_map(move |(bounds, group)| {
            let holds_some = begin < end && bounds[0] < end && bounds[1] > begin;
            holds_some.then_some((bounds[0], group))
        }))
    }
}

/// The column of each field; none for what is no plain one.
fn columns(metadata: &ParquetMetaData) -> Result<BTreeMap<i64, Option<usize>>, BinlogError> {
    let schema = metadata.file_metadata().schema_descr();
    let mut columns = BTreeMap::new();
    for (place, column) in schema.columns().iter().enumerate() {
        let root = schema.get_column_root(place);
        let told = root.get_basic_info();
        if !told.has_id() {
            return Err(malformed("a column does not say whose field it is"));
        }
        let is_single = root.is_primitive() && column.physical_type() != Physical::INT96;
        let is_plain = is_single && is_plain(column);
        let before = columns.insert(i64::from(told.id()), is_plain.then_some(place));
        // A list may have several columns.
        if before.is_some_and(|before| before.is_some() || is_plain) {
            return Err(malformed("two columns are of the same field"));
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests;
