//! How much may be made of one file. A few hundred bytes can announce gigabytes: a page may unpack to a thousand times its length, and a
//! run of one value repeated costs eight bytes whatever its length.

use crate::BinlogError;

/// The most bytes that what is read of a file takes. Milvus cuts its files at 16 MiB of values, and at 64 MiB when it compacts.
pub(crate) const MOST_VALUE_BYTES: usize = 256 << 20;

/// The most bytes that the pages of a file unpack to, one after the other.
pub(crate) const MOST_UNPACKED_BYTES: usize = 2 * MOST_VALUE_BYTES;

/// What reading one file may still take.
#[derive(Debug)]
pub(crate) struct Room {
    value_bytes: usize,
    unpacked_bytes: usize,
}

impl Room {
    /// For a whole file.
    pub(crate) fn new() -> Self {
        Self {
            value_bytes: MOST_VALUE_BYTES,
            unpacked_bytes: MOST_UNPACKED_BYTES,
        }
    }

    /// For so many values more, each of so many bytes.
    ///
    /// # Errors
    /// [`BinlogError::Beyond`] when that is too much.
    pub(crate) fn keep(&mut self, values: usize, bytes_each: usize) -> Result<(), BinlogError> {
        let bytes = values.saturating_mul(bytes_each);
        take(&mut self.value_bytes, bytes, "the values", MOST_VALUE_BYTES)
    }

    /// For a page more, which unpacks to so many bytes.
    ///
    /// # Errors
    /// [`BinlogError::Beyond`] when that is too much.
    pub(crate) fn unpack(&mut self, bytes: usize) -> Result<(), BinlogError> {
        take(
            &mut self.unpacked_bytes,
            bytes,
            "the unpacked pages",
            MOST_UNPACKED_BYTES,
        )
    }
}

fn take(
    left: &mut usize,
    bytes: usize,
    what: &'static str,
    most: usize,
) -> Result<(), BinlogError> {
    *left = left
        .checked_sub(bytes)
        .ok_or(BinlogError::Beyond { what, most })?;
    Ok(())
}
