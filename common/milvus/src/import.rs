//! Having a server import files of segments from its own storage: by the calls that 2.2 and 2.3 have, and later ones keep.

use crate::call::{Call, Kind as CallKind};
use crate::create::to_pairs;
use crate::{Client, MilvusError};
use proto::milvus::service as wire;
use std::collections::BTreeMap;

/// The option by which files are those of segments. Option names are Milvus's (`internal/util/importutil/options.go` in 2.3).
const OF_SEGMENTS: &str = "backup";

/// What the server tells of an import beside its state, by Milvus's names.
const REASON: &str = "failed_reason";
const FILES: &str = "files";

/// How many imports are listed at most: of those that a server remembers, the latest.
const LISTED: i64 = 10_000;

/// What is to be imported, and where to.
#[derive(Debug, Clone, Copy)]
pub struct ImportOrder<'a> {
    /// The collection: its fields have the ids and types of those in the files.
    pub collection: &'a str,
    /// The partition; `None` where a partition key places the rows.
    pub partition: Option<&'a str>,
    /// The folder of segments below `insert_log`, with a slash at its end: an absolute path of the server's disk, or a key with the
    /// root path.
    pub rows: &'a str,
    /// The folder of the same segments' deletes below `delta_log`, likewise.
    pub deletes: Option<&'a str>,
}

/// An import that was ordered, by the server's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportId(i64);

/// An import that the server knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Which.
    pub id: ImportId,
    /// How far it is.
    pub state: ImportState,
    /// The rows that were imported so far.
    pub rows: u64,
    /// The files that were ordered, as the server tells them: with commas between them.
    pub files: String,
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

impl Client {
    /// Orders an import. One whose outcome is unknown may have been taken: look for its files among [`Client::imports`] before it is
    /// ordered again, for the server imports the same files as often as it is told to.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn import(&self, order: &ImportOrder<'_>) -> Result<Vec<ImportId>, MilvusError> {
        let options = BTreeMap::from([(OF_SEGMENTS.to_owned(), true.to_string())]);
        // A single folder is taken for a file of rows, which it is not.
        let files = [order.rows, order.deletes.unwrap_or_default()];
        let message = wire::ImportRequest {
            db_name: self.db_name(),
            collection_name: order.collection.to_owned(),
            partition_name: order.partition.unwrap_or_default().to_owned(),
            files: files.map(str::to_owned).to_vec(),
            options: to_pairs(&options),
        };
        let call = Call::new("Import", order.collection, CallKind::Write);
        let answer = self.call(
            call,
            message,
            |mut stub, q| async move { stub.import(q).await },
        );
        Ok(answer.await?.tasks.into_iter().map(ImportId).collect())
    }

    /// How far an import is. Servers remember one for a day.
    ///
    /// # Errors
    /// [`MilvusError`] when the server does not know it or can't be asked.
    pub async fn import_state(&self, id: ImportId) -> Result<Import, MilvusError> {
        let message = wire::GetImportStateRequest { task: id.0 };
        let call = Call::new("GetImportState", "", CallKind::Describe);
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.get_import_state(q).await
        });
        let answer = answer.await?;
        Ok(Import {
            id,
            ..import(answer)
        })
    }

    /// The imports into a collection that the server remembers.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn imports(&self, collection: &str) -> Result<Vec<Import>, MilvusError> {
        let message = wire::ListImportTasksRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            limit: LISTED,
        };
        let call = Call::new("ListImportTasks", collection, CallKind::Describe);
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.list_import_tasks(q).await
        });
        Ok(answer.await?.tasks.into_iter().map(import).collect())
    }
}

fn import(answer: wire::GetImportStateResponse) -> Import {
    let mut told = BTreeMap::new();
    for pair in answer.infos {
        told.insert(pair.key, pair.value);
    }
    let mut take = |name| told.remove(name).unwrap_or_default();
    // By the numbers of `common.ImportState`. One whose leftovers were cleaned away (7) has failed too, and what a later server calls
    // flushed (8) is not to be seen yet.
    let state = match answer.state {
        0 => ImportState::Pending,
        1 | 7 => ImportState::Failed {
            reason: take(REASON),
        },
        5 | 8 => ImportState::Persisted,
        6 => ImportState::Completed,
        _ => ImportState::Started,
    };
    Import {
        id: ImportId(answer.id),
        state,
        rows: u64::try_from(answer.row_count).unwrap_or(0),
        files: take(FILES),
    }
}
