//! The jobs of the fake: what is asked for, as Milvus 2.4 to 2.6 check it (`internal/distributed/proxy/httpserver/handler_v2.go`,
//! `internal/proxy/task_import.go`, `internal/datacoord/import_util.go`, `internal/util/importutilv2/binlog/util.go`).

use super::files::{segments_of, ungrouped};
use proto::milvus::common::{KeyValuePair, Status};
use proto::milvus::service as wire;
use proto::milvus::service::milvus_service_client::MilvusServiceClient;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tonic::transport::Channel;

/// Codes of Milvus's (`merr`).
const PARAMETER_INVALID: i32 = 1100;
const PARAMETER_MISSING: i32 = 1101;
const NEED_AUTHENTICATE: i32 = 1800;
const INCORRECT_FORMAT: i32 = 1801;
const MISSING_REQUIRED: i32 = 1802;
pub(super) const IMPORT_FAILED: i32 = 2100;

/// The most files of a request.
const MOST_FILES: usize = 1024;

/// The option that says which form the files have, and the number of that with several fields in each.
const STORAGE_VERSION: &str = "storage_version";
const GROUPED: &str = "2";

/// The state of an import that is carried out, by 2.3's numbers.
const PENDING: i32 = 0;
const FAILED: i32 = 1;
const PERSISTED: i32 = 5;
const COMPLETED: i32 = 6;
const FAILED_AND_CLEANED: i32 = 7;

/// Why a request has no answer of success.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A status of HTTP, a code of Milvus's, and a text.
    Told(u16, i32, String),
    /// The answer breaks off.
    BreakOff,
}

/// The jobs that were created, and the server that carries them out.
#[derive(Debug)]
pub(super) struct Jobs {
    server: MilvusServiceClient<Channel>,
    token: String,
    /// Where the real server is, if files of several fields are taken.
    grouping: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    jobs: Vec<Job>,
    grouped: usize,
    fails_next: Option<String>,
    loses_next: bool,
    clock: Option<u64>,
}

#[derive(Debug, Clone)]
struct Job {
    id: String,
    database: String,
    collection: String,
    /// What is told of each segment: its folders.
    segments: Vec<String>,
    /// The real server's numbers of what carries it out.
    tasks: Vec<i64>,
    failure: Option<String>,
}

/// How far a job is.
#[derive(Debug)]
struct Progress {
    state: &'static str,
    percent: u32,
    rows: i64,
    reason: String,
    /// Whether it has looked at its files.
    is_looked_at: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Create {
    pub(super) db_name: String,
    #[serde(default)]
    pub(super) collection_name: String,
    #[serde(default)]
    partition_name: String,
    #[serde(default)]
    files: Vec<Vec<String>>,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    db_name: String,
    #[serde(default)]
    collection_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Of {
    // It is not looked at, and allowed.
    #[serde(rename = "dbName")]
    _db_name: String,
    #[serde(default)]
    job_id: String,
}

impl Jobs {
    pub(super) fn new(server: Channel, token: &str, grouping: Option<String>) -> Self {
        Self {
            server: MilvusServiceClient::new(server),
            token: token.to_owned(),
            grouping,
            state: Mutex::default(),
        }
    }

    pub(super) fn fail_next(&self, reason: &str) {
        self.state().fails_next = Some(reason.to_owned());
    }

    pub(super) fn lose_next_answer(&self) {
        self.state().loses_next = true;
    }

    pub(super) fn hold_clock(&self, at: Option<u64>) {
        self.state().clock = at;
    }

    /// Where the clock stands, if it does.
    pub(super) fn clock(&self) -> Option<u64> {
        self.state().clock
    }

    pub(super) fn created(&self) -> usize {
        self.state().jobs.len()
    }

    pub(super) fn grouped(&self) -> usize {
        self.state().grouped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request.
    pub(super) async fn handle(
        &self,
        action: &str,
        token: Option<&str>,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        if token != Some(format!("Bearer {}", self.token).as_str()) {
            let message = "user hasn't authenticated".to_owned();
            return Err(Refusal::Told(401, NEED_AUTHENTICATE, message));
        }
        match action {
            "create" => self.create(read(body)?).await,
            "list" => self.list(&read(body)?).await,
            // `describe` is not in the first releases of 2.4.
            "get_progress" => self.progress(&read(body)?).await,
            _ => Err(Refusal::Told(404, 0, "404 page not found".to_owned())),
        }
    }

    async fn create(&self, asked: Create) -> Result<Value, Refusal> {
        if asked.collection_name.is_empty() || asked.files.is_empty() {
            return told(MISSING_REQUIRED, "missing required parameters");
        }
        if asked.options.get("backup").map(String::as_str) != Some("true") {
            return told(
                PARAMETER_INVALID,
                "this fake imports files of segments only",
            );
        }
        if asked.partition_name.is_empty() {
            return told(PARAMETER_MISSING, "partition not specified");
        }
        // A server that does not know the option takes the files for those of one field.
        let is_asked = asked.options.get(STORAGE_VERSION).map(String::as_str) == Some(GROUPED);
        let is_grouped = is_asked && self.grouping.is_some();
        let mut segments = Vec::new();
        for paths in &asked.files {
            segments.extend(segments_of(paths, is_grouped)?);
        }
        if segments.is_empty() {
            return told(IMPORT_FAILED, "no binlog to import");
        }
        if segments.len() > MOST_FILES {
            return told(
                IMPORT_FAILED,
                "The max number of import files should not exceed 1024",
            );
        }
        let failure = self.state().fails_next.take();
        let mut tasks = Vec::new();
        if failure.is_none() {
            for paths in &asked.files {
                let paths = match (is_grouped, &self.grouping) {
                    (true, Some(server)) => ungrouped(server, &asked, paths).await?,
                    _ => paths.clone(),
                };
                tasks.extend(self.carry_out(&asked, &paths).await?);
            }
            self.state().grouped += usize::from(is_grouped);
        }
        let (id, is_lost) = {
            let mut state = self.state();
            let id = format!("{}", 449_000_000_000_000_000_u64 + state.jobs.len() as u64);
            state.jobs.push(Job {
                id: id.clone(),
                database: asked.db_name,
                collection: asked.collection_name,
                segments,
                tasks,
                failure,
            });
            let is_carried_out = state.jobs.last().is_some_and(|job| job.failure.is_none());
            let is_lost = is_carried_out && std::mem::take(&mut state.loses_next);
            (id, is_lost)
        };
        if is_lost {
            return Err(Refusal::BreakOff);
        }
        Ok(json!({ "jobId": id }))
    }

    async fn carry_out(&self, asked: &Create, paths: &[String]) -> Result<Vec<i64>, Refusal> {
        let [rows, deletes] = [0, 1].map(|place| paths.get(place).cloned().unwrap_or_default());
        let backup = KeyValuePair {
            key: "backup".to_owned(),
            value: "true".to_owned(),
        };
        let request = wire::ImportRequest {
            collection_name: asked.collection_name.clone(),
            partition_name: asked.partition_name.clone(),
            files: vec![rows, deletes],
            options: vec![backup],
            db_name: in_requests(&asked.db_name),
        };
        let answer = self.server.clone().import(request).await;
        let answer = answer.map_err(|status| internal(&status))?.into_inner();
        succeeded(answer.status)?;
        Ok(answer.tasks)
    }

    async fn list(&self, asked: &List) -> Result<Value, Refusal> {
        let jobs = self.state().jobs.clone();
        let is_asked = |job: &&Job| {
            let is_any = asked.collection_name.is_empty();
            is_any || (&job.collection, &job.database) == (&asked.collection_name, &asked.db_name)
        };
        let mut records = Vec::new();
        for job in jobs.iter().filter(is_asked) {
            let Progress {
                state,
                percent,
                reason,
                ..
            } = self.progress_of(job).await?;
            let mut record = json!({
                "jobId": job.id, "collectionName": job.collection, "state": state, "progress": percent,
            });
            if !reason.is_empty() {
                record["reason"] = reason.into();
            }
            records.push(record);
        }
        Ok(json!({ "records": records }))
    }

    async fn progress(&self, asked: &Of) -> Result<Value, Refusal> {
        if asked.job_id.is_empty() {
            return told(MISSING_REQUIRED, "missing required parameters");
        }
        let jobs = self.state().jobs.clone();
        let Some(job) = jobs.iter().find(|job| job.id == asked.job_id) else {
            let text = format!(
                "importing data failed: import job does not exist, jobID={}",
                asked.job_id
            );
            return told(IMPORT_FAILED, &text);
        };
        let progress = self.progress_of(job).await?;
        let detail = |segment: &String| {
            json!({
                "fileName": segment, "fileSize": 0, "progress": progress.percent, "completeTime": "", "state": "InProgress",
                "importedRows": 0, "totalRows": 0,
            })
        };
        let segments = job.segments.iter().filter(|_| progress.is_looked_at);
        let details: Vec<Value> = segments.map(detail).collect();
        let mut answer = json!({
            "jobId": job.id, "collectionName": job.collection, "createTime": "", "completeTime": "", "state": progress.state,
            "progress": progress.percent, "importedRows": progress.rows, "totalRows": progress.rows, "fileSize": 0, "details": details,
        });
        if !progress.reason.is_empty() {
            answer["reason"] = progress.reason.into();
        }
        Ok(answer)
    }

    /// What the real server says of what carries a job out.
    async fn progress_of(&self, job: &Job) -> Result<Progress, Refusal> {
        let failed = |reason: String| Progress {
            state: "Failed",
            percent: 0,
            rows: 0,
            reason,
            is_looked_at: false,
        };
        if let Some(reason) = &job.failure {
            return Ok(failed(reason.clone()));
        }
        let (mut states, mut rows) = (Vec::new(), 0);
        for task in &job.tasks {
            let request = wire::GetImportStateRequest { task: *task };
            let answer = self.server.clone().get_import_state(request).await;
            let answer = answer.map_err(|status| internal(&status))?.into_inner();
            succeeded(answer.status)?;
            if matches!(answer.state, FAILED | FAILED_AND_CLEANED) {
                let reason = answer.infos.into_iter();
                let reason = reason.filter(|info| info.key == "failed_reason");
                return Ok(failed(reason.map(|info| info.value).collect()));
            }
            states.push(answer.state);
            rows += answer.row_count;
        }
        let all = |wanted: i32| states.iter().all(|state| *state == wanted);
        let (state, percent) = match () {
            () if all(PENDING) => ("Pending", 0),
            () if all(COMPLETED) => ("Completed", 100),
            () => ("Importing", 40),
        };
        Ok(Progress {
            state,
            percent,
            // Told once they are all in segments.
            rows: if state == "Completed" { rows } else { 0 },
            reason: String::new(),
            is_looked_at: states.iter().all(|state| *state >= PERSISTED),
        })
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let text = format!("can only accept json format request, error: {error}");
        Refusal::Told(200, INCORRECT_FORMAT, text)
    })
}

pub(super) fn told<T>(code: i32, text: &str) -> Result<T, Refusal> {
    Err(Refusal::Told(200, code, text.to_owned()))
}

fn succeeded(status: Option<Status>) -> Result<(), Refusal> {
    let status = status.unwrap_or_default();
    if (status.code, status.error_code) == (0, 0) {
        return Ok(());
    }
    Err(Refusal::Told(200, status.code.max(1), status.reason))
}

fn internal(status: &tonic::Status) -> Refusal {
    Refusal::Told(200, 65535, status.message().to_owned())
}

/// The default database has no name in requests.
fn in_requests(database: &str) -> String {
    if database == "default" {
        String::new()
    } else {
        database.to_owned()
    }
}
