//! By jobs of the REST API.
//!
//! Read in Milvus's sources, not seen on a server of its own:
//! - `create` takes a list of files, of which each is one folder or two: that of segments below `insert_log`, and that of their deletes
//!   below `delta_log`, which Milvus takes apart by segment (`internal/datacoord/import_util.go`, `ListBinlogsAndGroupBySegment`). A
//!   partition must be named (`internal/proxy/task_import.go`; in 2.4 `impl.go`, by milvus-io/milvus#32730), also with a partition key;
//! - keys are those of the files, whether or not the collection makes its own (`internal/datanode/importv2`, `UnsetAutoID`), and rows keep
//!   their times; a row is left out if a delete of its key is younger (`internal/util/importutilv2/binlog/filter.go`);
//! - files that hold several fields each need the option `storage_version` (2.6, `internal/util/importutilv2/option.go`). Group 0 must be
//!   among them and each vector in the group of its own id, and every group must have as many files, whose names are put in order as texts
//!   (`internal/util/importutilv2/binlog/util.go`);
//! - a job's states are told as Pending, Importing, Completed and Failed, with its rows once it is done: those without the ones left out;
//! - what a job imports is told in the details of its progress, and not before its files were looked at. Its list does not tell it;
//! - `get_progress` is what every version calls it; `describe` came later (milvus-io/milvus#36753).

use super::{GROUPED, Import, ImportId, ImportOrder, ImportState, OF_SEGMENTS, STORAGE_VERSION};
use crate::call::{Call, Kind as CallKind};
use crate::error::{Kind, classify};
use crate::{Client, MilvusError};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

const CREATE: &str = "/v2/vectordb/jobs/import/create";
const LIST: &str = "/v2/vectordb/jobs/import/list";
const PROGRESS: &str = "/v2/vectordb/jobs/import/get_progress";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    job_id: String,
}

#[derive(Debug, Deserialize)]
struct Listed {
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    job_id: String,
    state: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    state: String,
    #[serde(default)]
    imported_rows: u64,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    file_name: String,
}

impl Client {
    /// The list of imports tells that the API is there and lets us in, whatever it holds.
    pub(super) async fn prove_jobs(&self) -> Result<(), MilvusError> {
        let call = Call::new("ListImports", "", CallKind::Describe);
        self.post::<IgnoredAny>(call, LIST, json!({})).await?;
        Ok(())
    }

    pub(super) async fn import_by_job(
        &self,
        order: &ImportOrder<'_>,
    ) -> Result<ImportId, MilvusError> {
        let files: Vec<&str> = [Some(order.rows), order.deletes]
            .into_iter()
            .flatten()
            .collect();
        let body = json!({
            "collectionName": order.collection,
            "partitionName": order.partition.unwrap_or_default(),
            "files": [files],
            "options": options(order.is_grouped),
        });
        let call = Call::new("CreateImport", order.collection, CallKind::Write);
        let created: Created = self.post(call, CREATE, body).await?;
        number(call, &created.job_id)
    }

    pub(super) async fn state_by_job(&self, id: ImportId) -> Result<Import, MilvusError> {
        let call = Call::new("GetImportProgress", "", CallKind::Describe);
        let body = json!({ "jobId": id.0.to_string() });
        let told: Progress = self.post(call, PROGRESS, body).await?;
        let files: Vec<String> = told
            .details
            .into_iter()
            .map(|file| file.file_name)
            .collect();
        Ok(Import {
            id,
            state: state(&told.state, told.reason),
            rows: told.imported_rows,
            files: (!files.is_empty()).then(|| files.join(" ")),
        })
    }

    pub(super) async fn list_by_jobs(&self, collection: &str) -> Result<Vec<Import>, MilvusError> {
        let call = Call::new("ListImports", collection, CallKind::Describe);
        let body = json!({ "collectionName": collection });
        let listed: Listed = self.post(call, LIST, body).await?;
        let mut imports = Vec::new();
        for record in listed.records {
            let id = number(call, &record.job_id)?;
            // What has failed imports nothing, whatever its files were.
            imports.push(match state(&record.state, String::new()) {
                state @ ImportState::Failed { .. } => Import {
                    id,
                    state,
                    rows: 0,
                    files: None,
                },
                _ => match self.state_by_job(id).await {
                    // It was forgotten since.
                    Err(error) if error.kind() == Kind::ImportNotFound => continue,
                    told => told?,
                },
            });
        }
        Ok(imports)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        path: &str,
        mut body: Value,
    ) -> Result<T, MilvusError> {
        body["dbName"] = json!(self.database());
        self.rest(call, path, &body).await
    }
}

fn options(is_grouped: bool) -> Value {
    match is_grouped {
        true => json!({ OF_SEGMENTS: "true", STORAGE_VERSION: GROUPED }),
        // Releases before 2.6 do not know the other option.
        false => json!({ OF_SEGMENTS: "true" }),
    }
}

fn number(call: Call<'_>, text: &str) -> Result<ImportId, MilvusError> {
    let number = text.parse().map(ImportId);
    number.map_err(|_| classify::answer(call, format!("{text:?} is no number of an import")))
}

/// What later versions call otherwise is under way: rows are sorted, indexes are built.
fn state(name: &str, reason: String) -> ImportState {
    match name {
        "Pending" => ImportState::Pending,
        "Completed" => ImportState::Completed,
        "Failed" => ImportState::Failed { reason },
        _ => ImportState::Started,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_of_a_job_is_read() {
        // Built as `getImportJobProcess` of 2.6 builds it.
        let told = json!({
            "jobId": "448", "collectionName": "docs", "createTime": "", "completeTime": "", "state": "Importing", "progress": 70,
            "importedRows": 12, "totalRows": 30, "fileSize": 9,
            "details": [{ "fileName": "[/data/insert_log/1 /data/delta_log/1]", "fileSize": 9, "progress": 40, "completeTime": "",
                "state": "InProgress", "importedRows": 12, "totalRows": 30 }],
        });
        let told: Progress = serde_json::from_value(told).unwrap();
        assert_eq!(state(&told.state, told.reason), ImportState::Started);
        assert_eq!(told.imported_rows, 12);
        assert!(told.details[0].file_name.contains("/insert_log/1"));
    }

    #[test]
    fn the_form_of_files_is_told_only_where_it_has_to_be() {
        assert_eq!(options(false), json!({ "backup": "true" }));
        let grouped = json!({ "backup": "true", "storage_version": "2" });
        assert_eq!(options(true), grouped);
    }

    #[test]
    fn a_state_of_a_later_version_is_one_under_way() {
        let reason = || "disk".to_owned();
        assert_eq!(state("Pending", reason()), ImportState::Pending);
        assert_eq!(state("Completed", reason()), ImportState::Completed);
        assert_eq!(state("IndexBuilding", reason()), ImportState::Started);
        let failed = ImportState::Failed { reason: reason() };
        assert_eq!(state("Failed", reason()), failed);
    }
}
