//! The records at one moment.

use super::{JournalError, RecordKey, Span, Table, envelope};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

pub(super) type RawRecord = (Vec<u8>, Vec<u8>);
pub(super) type RawScan =
    Box<dyn DoubleEndedIterator<Item = Result<RawRecord, JournalError>> + Send>;

/// Sealed records at one moment.
pub(super) trait Snapshot: Send {
    fn find(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError>;
    fn scan(&self, table: &'static str, span: &Span) -> Result<RawScan, JournalError>;
}

/// The records as they were when the view was taken.
///
/// A view keeps what it shows from being overwritten: let go of it soon, and don't hold it across an await.
pub struct View {
    snapshot: Box<dyn Snapshot>,
    file: PathBuf,
}

impl View {
    pub(super) fn new(snapshot: impl Snapshot + 'static, file: &Path) -> Self {
        Self {
            snapshot: Box::new(snapshot),
            file: file.to_owned(),
        }
    }

    /// The record under this key.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] when the record is damaged or of another type; [`JournalError::Reopened`] when the view ended; [`JournalError::Io`].
    pub fn find<T: DeserializeOwned>(
        &self,
        table: Table<T>,
        key: &RecordKey,
    ) -> Result<Option<T>, JournalError> {
        let Some(sealed) = self.snapshot.find(table.name(), key.as_bytes())? else {
            return Ok(None);
        };
        unseal(&self.file, table, key.as_bytes(), &sealed).map(Some)
    }

    /// The records of this span in the order of their keys; from the back with `rev`.
    ///
    /// # Errors
    /// As [`View::find`], also for each record.
    pub fn scan<T: DeserializeOwned>(
        &self,
        table: Table<T>,
        span: &Span,
    ) -> Result<Scan<T>, JournalError> {
        Ok(Scan {
            raw: self.snapshot.scan(table.name(), span)?,
            table,
            file: self.file.clone(),
        })
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// The records of a span. Made by [`View::scan`].
pub struct Scan<T> {
    raw: RawScan,
    table: Table<T>,
    file: PathBuf,
}

impl<T: DeserializeOwned> Scan<T> {
    fn opened(&self, raw: Result<RawRecord, JournalError>) -> Result<(RecordKey, T), JournalError> {
        let (key, sealed) = raw?;
        let record = unseal(&self.file, self.table, &key, &sealed)?;
        Ok((RecordKey::from_bytes(key), record))
    }
}

impl<T: DeserializeOwned> Iterator for Scan<T> {
    type Item = Result<(RecordKey, T), JournalError>;
    fn next(&mut self) -> Option<Self::Item> {
        let raw = self.raw.next()?;
        Some(self.opened(raw))
    }
}

impl<T: DeserializeOwned> DoubleEndedIterator for Scan<T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let raw = self.raw.next_back()?;
        Some(self.opened(raw))
    }
}

impl<T> std::fmt::Debug for Scan<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

fn unseal<T: DeserializeOwned>(
    file: &Path,
    table: Table<T>,
    key: &[u8],
    sealed: &[u8],
) -> Result<T, JournalError> {
    envelope::open(table.name(), key, sealed)
        .map_err(|damage| JournalError::record(file, table.name(), key, &damage))
}
