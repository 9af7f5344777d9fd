//! The Parquet in a file.
//!
//! Its reader takes some things for granted and panics where a spoilt file lacks them (parquet 60: the place of a column, the table of
//! a column's repeated values, the length of a run). So what can be looked at before is, and a panic of its counts as an error.

use crate::BinlogError;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use bytes::Bytes;
use std::panic::{self, AssertUnwindSafe};

/// Reads Parquet of so many columns, each a plain one.
pub(crate) fn read<T>(
    payload: Bytes,
    columns: usize,
    data_type: i32,
    read: impl FnOnce(&SerializedFileReader<Bytes>) -> Result<T, BinlogError>,
) -> Result<T, BinlogError> {
    // What was half read is dropped with the error.
    let contained = panic::catch_unwind(AssertUnwindSafe(|| {
        read(&open(payload, columns, data_type)?)
    }));
    contained.unwrap_or_else(|_| Err(malformed("its reader fell over it")))
}

fn malformed(what: &str) -> BinlogError {
    BinlogError::Parquet { what: what.into() }
}

fn open(
    payload: Bytes,
    columns: usize,
    data_type: i32,
) -> Result<SerializedFileReader<Bytes>, BinlogError> {
    let length = payload.len();
    let parquet = SerializedFileReader::new(payload)?;
    let schema = parquet.metadata().file_metadata().schema_descr();
    let found = schema.columns();
    if found.len() != columns || !found.iter().all(|column| is_plain(column)) {
        let found = format!("{} columns, or nested ones", found.len());
        return Err(BinlogError::UnknownValues { data_type, found });
    }
    let groups = parquet.metadata().row_groups();
    let chunks = groups.iter().flat_map(|group| group.columns());
    match chunks.into_iter().find(|chunk| !lies_within(chunk, length)) {
        None => Ok(parquet),
        Some(_) => Err(malformed("a column lies beyond the end")),
    }
}

fn is_plain(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() == 0 && column.max_def_level() <= 1
}

/// Whether a column's bytes are there. Its reader takes that for granted.
fn lies_within(chunk: &ColumnChunkMetaData, length: usize) -> bool {
    let begin = chunk
        .dictionary_page_offset()
        .unwrap_or(chunk.data_page_offset());
    let range = usize::try_from(begin)
        .ok()
        .zip(usize::try_from(chunk.compressed_size()).ok());
    let end = range.and_then(|(begin, length)| begin.checked_add(length));
    end.is_some_and(|end| end <= length)
}
