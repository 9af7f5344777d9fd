//! A part of a file, for a reader that asks for bytes by their place in the whole.

use crate::BinlogError;
use crate::parquet::malformed;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use std::ops::Range;

/// Some bytes of a file, and where they begin.
#[derive(Debug)]
pub(super) struct Window {
    begin: u64,
    bytes: Bytes,
}

impl Window {
    pub(super) fn new(begin: u64, bytes: Bytes) -> Self {
        Self { begin, bytes }
    }

    /// These bytes of the file.
    ///
    /// # Errors
    /// [`BinlogError`] when they do not lie in this part.
    pub(super) fn slice(&self, range: Range<u64>) -> std::result::Result<Bytes, BinlogError> {
        let bounds = range
            .start
            .checked_sub(self.begin)
            .zip(range.end.checked_sub(self.begin));
        let bounds = bounds.filter(|(begin, end)| begin <= end && *end <= self.bytes.len() as u64);
        let (begin, end) = bounds.ok_or_else(|| malformed("its groups of rows are cut short"))?;
        Ok(self.bytes.slice(begin as usize..end as usize))
    }

    fn from(&self, start: u64) -> Result<Bytes> {
        let end = self.begin + self.bytes.len() as u64;
        self.slice(start..end.max(start)).map_err(beyond)
    }
}

fn beyond(error: BinlogError) -> ParquetError {
    ParquetError::EOF(error.to_string())
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.saturating_add(length as u64);
        self.slice(start..end).map_err(beyond)
    }
}
