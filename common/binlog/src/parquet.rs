//! The Parquet in a file.
//!
//! Its reader takes some things for granted and panics where a spoilt file lacks them (parquet 60: the place of a column, the table of
//! a column's repeated values, the length of a run); and it makes room for what a file announces. So the footer and the heads of all pages
//! are looked at before, and a panic of its in what is left counts as an error.

use crate::room::Room;
use crate::{BinlogError, footer, pages};
use ::parquet::basic::Type;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use bytes::Bytes;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};

/// Reads Parquet of so many columns, each a plain one.
pub(crate) fn read<T>(
    payload: Bytes,
    columns: usize,
    data_type: i32,
    room: &mut Room,
    read: impl FnOnce(&SerializedFileReader<Bytes>, &mut Room) -> Result<T, BinlogError>,
) -> Result<T, BinlogError> {
    contain(|| read(&open(payload, columns, data_type, room)?, room))
}

/// Does what may have the Parquet reader panic, which counts as an error. What was half read is to be dropped with the error.
pub(crate) fn contain<T>(read: impl FnOnce() -> Result<T, BinlogError>) -> Result<T, BinlogError> {
    let contained = panic::catch_unwind(AssertUnwindSafe(read));
    contained.unwrap_or_else(|_| Err(malformed("its reader fell over it")))
}

pub(crate) fn malformed(what: &str) -> BinlogError {
    BinlogError::Parquet { what: what.into() }
}

fn open(
    payload: Bytes,
    columns: usize,
    data_type: i32,
    room: &mut Room,
) -> Result<SerializedFileReader<Bytes>, BinlogError> {
    footer::look(&payload, &footer::OF_A_FIELD)?;
    let parquet = SerializedFileReader::new(payload.clone())?;
    let schema = parquet.metadata().file_metadata().schema_descr();
    let found = schema.columns();
    if found.len() != columns || !found.iter().all(|column| is_plain(column)) {
        let found = format!("{} columns, or nested or empty ones", found.len());
        return Err(BinlogError::UnknownValues { data_type, found });
    }
    for group in parquet.metadata().row_groups() {
        let rows = usize::try_from(group.num_rows());
        let rows = rows.map_err(|_| malformed("a group has less than no rows"))?;
        for column in group.columns() {
            let range = bytes_of(column, payload.len() as u64)?;
            let chunk = &payload[range.start as usize..range.end as usize];
            pages::look(chunk, column, rows, room)?;
        }
    }
    Ok(parquet)
}

pub(crate) fn is_plain(column: &ColumnDescriptor) -> bool {
    let has_width = match column.physical_type() {
        Type::FIXED_LEN_BYTE_ARRAY => column.type_length() > 0,
        _ => true,
    };
    column.max_rep_level() == 0 && column.max_def_level() <= 1 && has_width
}

/// Where a column's bytes are in a file of this length. Its reader takes it for granted that they are there.
///
/// # Errors
/// [`BinlogError::Parquet`] when they are not.
pub(crate) fn bytes_of(
    chunk: &ColumnChunkMetaData,
    file_bytes: u64,
) -> Result<Range<u64>, BinlogError> {
    let begin = chunk
        .dictionary_page_offset()
        .unwrap_or(chunk.data_page_offset());
    let range = u64::try_from(begin)
        .ok()
        .zip(u64::try_from(chunk.compressed_size()).ok());
    let range = range.and_then(|(begin, length)| Some(begin..begin.checked_add(length)?));
    let within = range.filter(|range| range.end <= file_bytes);
    within.ok_or_else(|| malformed("a column lies beyond the end"))
}
