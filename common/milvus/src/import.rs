//! Having a server import files of segments from its own storage.
//!
//! Two ways, by the server's version: the calls that 2.2 and 2.3 have (`by_calls`), and the jobs of the REST API, from 2.4.2 on (`by_jobs`).
//! Either way a server imports the same files as often as it is told to, and forgets an import some time after its end.

mod by_calls;
mod by_jobs;

use crate::{Client, MilvusError};
use std::time::Duration;

/// The option by which files are those of segments. Option names are Milvus's (`internal/util/importutil/options.go` in 2.3,
/// `internal/util/importutilv2/option.go` later).
const OF_SEGMENTS: &str = "backup";

/// The option that says which form those files have: a number, and without it that of a file for each field. And the number of the form
/// that has several fields in a file.
const STORAGE_VERSION: &str = "storage_version";
const GROUPED: &str = "2";

/// How a server is told to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImportWay {
    /// By the calls of 2.2 and 2.3. Rows get the time of their import.
    Calls,
    /// By jobs of the REST API. Rows keep their times.
    Jobs,
}

/// What is to be imported, and where to.
#[derive(Debug, Clone, Copy)]
pub struct ImportOrder<'a> {
    /// The collection: its fields have the ids and types of those in the files.
    pub collection: &'a str,
    /// The partition; of a collection with a partition key, too: it is not looked for in the rows.
    pub partition: Option<&'a str>,
    /// The folder of segments below `insert_log`, with a slash at its end: an absolute path of the server's disk, or a key with the
    /// root path.
    pub rows: &'a str,
    /// The folder of the same segments' deletes below `delta_log`, likewise.
    pub deletes: Option<&'a str>,
    /// Whether the files of rows hold several fields each. All of them do or none: the server takes them for what the order says.
    pub is_grouped: bool,
}

/// An import that was ordered, by the server's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportId(i64);

impl ImportId {
    /// A number that a server gave.
    #[must_use]
    pub fn new(number: i64) -> Self {
        Self(number)
    }
}

/// An import that the server knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Which.
    pub id: ImportId,
    /// How far it is.
    pub state: ImportState,
    /// The rows that were imported so far.
    pub rows: u64,
    /// The files that were ordered, in a text of the server's that holds their paths; `None` where the server does not tell them yet.
    pub files: Option<String>,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportState {
    /// It waits for its turn.
    Pending,
    /// It is under way.
    Started,
    /// Its rows are in files of the server's, and are not to be seen yet: they wait for their indexes.
    Persisted,
    /// Its rows are there.
    Completed,
    /// It has failed, and nothing of it is there.
    Failed {
        /// Why, in the server's words.
        reason: String,
    },
}

impl ImportWay {
    /// How long a server remembers an import after its end, by default: `rootCoord.importTaskRetention` (a day), then
    /// `dataCoord.import.taskRetention` (three hours).
    #[must_use]
    pub fn remembered(self) -> Duration {
        match self {
            Self::Calls => Duration::from_hours(24),
            Self::Jobs => Duration::from_hours(3),
        }
    }
}

impl Client {
    /// Makes sure that imports can be ordered here, as far as asking tells.
    ///
    /// # Errors
    /// [`MilvusError`]: one of [`crate::Kind::Unimplemented`] where this server has no way to import files of segments.
    pub async fn prove_import(&self) -> Result<(), MilvusError> {
        match self.import_way()? {
            ImportWay::Calls => Ok(()),
            ImportWay::Jobs => self.prove_jobs().await,
        }
    }

    /// Orders an import. One whose outcome is unknown may have been taken: look for its files among [`Client::imports`] before it is
    /// ordered again, for the server imports the same files as often as it is told to.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn import(&self, order: &ImportOrder<'_>) -> Result<Option<ImportId>, MilvusError> {
        match self.import_way()? {
            _ if order.is_grouped && !self.capabilities().import_grouped => {
                Err(by_calls::unknown(self.version()))
            }
            ImportWay::Calls => self.import_by_call(order).await,
            ImportWay::Jobs => self.import_by_job(order).await.map(Some),
        }
    }

    /// How far an import is. Servers remember one for as long as [`ImportWay::remembered`] says.
    ///
    /// # Errors
    /// [`MilvusError`] when the server does not know it or can't be asked.
    pub async fn import_state(&self, id: ImportId) -> Result<Import, MilvusError> {
        match self.import_way()? {
            ImportWay::Calls => self.state_by_call(id).await,
            ImportWay::Jobs => self.state_by_job(id).await,
        }
    }

    /// The imports into a collection that the server remembers.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn imports(&self, collection: &str) -> Result<Vec<Import>, MilvusError> {
        match self.import_way()? {
            ImportWay::Calls => self.list_by_call(collection).await,
            ImportWay::Jobs => self.list_by_jobs(collection).await,
        }
    }

    fn import_way(&self) -> Result<ImportWay, MilvusError> {
        let no_way = || by_calls::unknown(self.version());
        self.capabilities().import.ok_or_else(no_way)
    }
}
