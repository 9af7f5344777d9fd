//! By the calls that 2.2 and 2.3 have.
//!
//! The proxy of 2.3.5 reads the answer of its root coordinator even where it got none, and with it the whole server ends
//! (`Proxy.ListImportTasks`, seen when that call was broken off). So no call here is broken off by us: it goes on though nobody waits
//! for its answer any more, and may take as long as a write.

use super::{Import, ImportId, ImportOrder, ImportState, OF_SEGMENTS};
use crate::call::{Call, Kind as CallKind};
use crate::client::Stub;
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
    let text = format!("{version} is not known to import such files of segments");
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
        let (client, collection) = (self.clone(), order.collection.to_owned());
        let answer = to_its_end(async move {
            let call = Call::new("Import", &collection, CallKind::Write);
            let import = |mut stub: Stub, q| async move { stub.import(q).await };
            client.call(call, message, import).await
        });
        Ok(answer.await?.tasks.into_iter().map(ImportId).next())
    }

    pub(super) async fn state_by_call(&self, id: ImportId) -> Result<Import, MilvusError> {
        let message = wire::GetImportStateRequest { task: id.0 };
        let client = self.clone();
        let answer = to_its_end(async move {
            let call = Call::new("GetImportState", "", CallKind::Write);
            let ask = |mut stub: Stub, q| async move { stub.get_import_state(q).await };
            client.call(call, message, ask).await
        });
        Ok(Import {
            id,
            ..import(answer.await?)
        })
    }

    pub(super) async fn list_by_call(&self, collection: &str) -> Result<Vec<Import>, MilvusError> {
        let message = wire::ListImportTasksRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            limit: LISTED,
        };
        let (client, collection) = (self.clone(), collection.to_owned());
        let answer = to_its_end(async move {
            let call = Call::new("ListImportTasks", &collection, CallKind::Write);
            let list = |mut stub: Stub, q| async move { stub.list_import_tasks(q).await };
            client.call(call, message, list).await
        });
        Ok(answer.await?.tasks.into_iter().map(import).collect())
    }
}

/// Carries a call to its end, whether or not somebody waits for it.
async fn to_its_end<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(call).await {
        Ok(answer) => answer,
        // Nobody aborts it.
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
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
