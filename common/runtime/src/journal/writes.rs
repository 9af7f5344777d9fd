//! The writes of one step.

use super::{JournalError, RecordKey, Span, Table, envelope};
use serde::Serialize;

/// One write.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Put {
        table: &'static str,
        key: Vec<u8>,
        sealed: Vec<u8>,
    },
    Delete {
        table: &'static str,
        key: Vec<u8>,
    },
    DeleteSpan {
        table: &'static str,
        span: Span,
    },
}

/// The writes of one step, applied in their order: all become durable or none.
#[derive(Debug, Default)]
#[must_use = "writes do nothing until they are committed"]
pub struct Writes {
    writes: Vec<Write>,
    bytes: usize,
    refused: Option<JournalError>,
}

impl Writes {
    /// No writes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a record; one that stands under the key already is replaced.
    ///
    /// A record that can't be written as JSON makes the commit fail.
    pub fn put<T: Serialize>(&mut self, table: Table<T>, key: &RecordKey, record: &T) -> &mut Self {
        let (table, key) = (table.name(), key.as_bytes().to_vec());
        match envelope::seal(table, &key, record) {
            Ok(sealed) => {
                self.bytes += key.len() + sealed.len();
                self.writes.push(Write::Put { table, key, sealed });
            }
            Err(cause) => {
                self.refused = Some(JournalError::Encode {
                    table,
                    cause: cause.to_string(),
                })
            }
        }
        self
    }

    /// Deletes a record; it need not be there.
    pub fn delete<T>(&mut self, table: Table<T>, key: &RecordKey) -> &mut Self {
        self.writes.push(Write::Delete {
            table: table.name(),
            key: key.as_bytes().to_vec(),
        });
        self
    }

    /// Deletes a run of records.
    pub fn delete_span<T>(&mut self, table: Table<T>, span: Span) -> &mut Self {
        self.writes.push(Write::DeleteSpan {
            table: table.name(),
            span,
        });
        self
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.refused.is_none()
    }

    /// The size of what is put.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The writes, if every record could be written.
    pub(super) fn into_writes(self) -> Result<Vec<Write>, JournalError> {
        match self.refused {
            None => Ok(self.writes),
            Some(error) => Err(error),
        }
    }
}
