//! By the calls that 2.2 and 2.3 have.

use super::{Import, ImportId, ImportOrder, ImportState, OF_SEGMENTS};
use crate::call::{Call, Kind as CallKind};
use crate::create::to_pairs;
use crate::error::Kind;
use crate::{Client, MilvusError, ServerVersion};
use proto::milvus::service as wire;
use std::collections::BTreeMap;

/// What the server tells of an import beside its state, by Milvus's names.
const REASON: &str = "failed_reason";
const FILES: &str = "files";

/// How many imports are listed at most: of those that a server remembers, the latest.
const LISTED: i64 = 10_000;

/// What is said of a server that is not known to import files of segments.
pub(super) fn unknown(version: &ServerVersion) -> MilvusError {
    let call = Call::new("Import", "", CallKind::Write);
    let text = format!("{version} is not known to import files of segments");
    MilvusError::new(call, Kind::Unimplemented, text)
}

impl Client {
    pub(super) async fn import_by_call(
        &self,
        order: &ImportOrder<'_>,
    ) -> Result<Option<ImportId>, MilvusError> {
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
        Ok(answer.await?.tasks.into_iter().map(ImportId).next())
    }

    pub(super) async fn state_by_call(&self, id: ImportId) -> Result<Import, MilvusError> {
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

    pub(super) async fn list_by_call(&self, collection: &str) -> Result<Vec<Import>, MilvusError> {
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
        files: Some(take(FILES)),
    }
}
