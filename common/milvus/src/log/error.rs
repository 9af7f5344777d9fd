//! Why a message of the log is not understood.

use crate::ColumnError;

/// How many of a message's bytes are shown. They hold its base and the beginning of its names, and no row.
const SHOWN_BYTES: usize = 32;

/// A message of the log that is not understood. Whose fault that is can't be told: a newer Milvus writes messages that this build
/// does not know, and a damaged message queue gives any bytes. Trying again does not help; passing the message over would lose rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause} (message of type {message_type}, {bytes} bytes, beginning with {head})")]
pub struct LogError {
    cause: Cause,
    message_type: i32,
    bytes: usize,
    head: String,
}

/// What is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The bytes are no message of the log.
    #[error("the message is malformed")]
    Malformed,
    /// A type that this build does not know.
    #[error("the message is of an unknown type")]
    UnknownType,
    /// Rows came by a bulk import: the log does not hold them.
    #[error("rows were imported, and the log does not hold them")]
    Imported,
    /// Rows that are not written by column, as older Milvus wrote them.
    #[error("the rows are not written by column but in form {version}")]
    RowBased {
        /// The number of the form.
        version: i32,
    },
    /// No row, or numbers of rows that do not agree.
    #[error("the message has {rows} rows, {times} times and {values} keys or columns")]
    Rows {
        /// The rows, as the message counts them.
        rows: u64,
        /// The times of rows.
        times: usize,
        /// The keys of a delete, the columns of an insert.
        values: usize,
    },
    /// A row or the message has no time.
    #[error("the message lacks the time of a change")]
    NoTime,
    /// A column or partition has no name.
    #[error("the message lacks the name of a column or partition")]
    NoName,
    /// A column is malformed.
    #[error("column {name:?}: {error}")]
    Column {
        /// The column's name.
        name: String,
        /// What is wrong.
        error: ColumnError,
    },
}

impl LogError {
    pub(super) fn new(cause: Cause, message_type: i32, payload: &[u8]) -> Self {
        let head = payload.iter().take(SHOWN_BYTES);
        Self {
            cause,
            message_type,
            bytes: payload.len(),
            head: head.map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// What is not understood.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl From<prost::DecodeError> for Cause {
    fn from(_: prost::DecodeError) -> Self {
        Self::Malformed
    }
}
