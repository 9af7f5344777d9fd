//! What the fake says of segments, as Milvus 2.5.8 to 2.6 say it (`getSegmentsInfo` of `internal/distributed/proxy/httpserver/handler_v2.go`,
//! `GetSegmentsInfo` of `internal/proxy/impl.go`).

use proto::milvus::service::{
    GetPersistentSegmentInfoRequest, GetPersistentSegmentInfoResponse, PersistentSegmentInfo,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Codes of Milvus's (`merr`).
const SEGMENT_NOT_FOUND: i32 = 600;
const NEED_AUTHENTICATE: i32 = 1800;
const INCORRECT_FORMAT: i32 = 1801;

/// The form of files that hold several fields each; and how those begin.
const GROUPED: i64 = 2;
const PARQUET: &[u8] = b"PAR1";

/// A status of HTTP, a code of Milvus's, and a text.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) u16, pub(super) i32, pub(super) String);

/// Segments as they were listed last, and the folder of their files.
#[derive(Debug)]
pub(super) struct Described {
    folder: PathBuf,
    token: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listed: BTreeMap<i64, PersistentSegmentInfo>,
    disowned: BTreeSet<PathBuf>,
    asked: usize,
    holds: bool,
    /// The first answer of each database and collection.
    held: BTreeMap<(String, String), GetPersistentSegmentInfoResponse>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    // It is not looked at, and allowed.
    #[serde(rename = "dbName")]
    _db_name: String,
    #[serde(rename = "collectionID")]
    collection: i64,
    #[serde(rename = "segmentIDs")]
    segments: Vec<i64>,
}

impl Described {
    pub(super) fn new(folder: &Path, token: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            token: token.to_owned(),
            state: Mutex::default(),
        }
    }

    pub(super) fn disown(&self, file: &Path) {
        self.state().disowned.insert(file.to_owned());
    }

    pub(super) fn hold(&self) {
        self.state().holds = true;
    }

    /// The segments as they were listed first, if they are held.
    pub(super) fn held(
        &self,
        asked: &GetPersistentSegmentInfoRequest,
    ) -> Option<GetPersistentSegmentInfoResponse> {
        self.state().held.get(&of(asked)).cloned()
    }

    pub(super) fn hold_listed(
        &self,
        asked: &GetPersistentSegmentInfoRequest,
        answer: &GetPersistentSegmentInfoResponse,
    ) {
        let mut state = self.state();
        if state.holds {
            state
                .held
                .entry(of(asked))
                .or_insert_with(|| answer.clone());
        }
    }

    pub(super) fn asked(&self) -> usize {
        self.state().asked
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a segment that is listed, and says which form its files have.
    pub(super) fn meet(&self, info: &mut PersistentSegmentInfo) {
        let folder = self.segment("insert_log", info);
        let files = numbered(&folder.join("0"));
        let first = files.values().next().map(std::fs::read);
        let is_grouped = first.is_some_and(|file| file.is_ok_and(|file| file.starts_with(PARQUET)));
        if is_grouped {
            info.storage_version = GROUPED;
        }
        self.state().listed.insert(info.segment_id, *info);
    }

    /// Answers one request.
    pub(super) fn handle(&self, token: Option<&str>, body: &[u8]) -> Result<Value, Refusal> {
        if token != Some(format!("Bearer {}", self.token).as_str()) {
            let message = "user hasn't authenticated".to_owned();
            return Err(Refusal(401, NEED_AUTHENTICATE, message));
        }
        let asked: Asked = serde_json::from_slice(body).map_err(|error| {
            let text = format!("can only accept json format request, error: {error}");
            Refusal(200, INCORRECT_FORMAT, text)
        })?;
        let mut state = self.state();
        state.asked += asked.segments.len();
        let infos = asked.segments.iter().map(|id| {
            let listed = state.listed.get(id);
            let listed = listed.filter(|info| info.collection_id == asked.collection);
            let info = listed.ok_or_else(|| {
                let text = format!("segment not found[segment={id}]");
                Refusal(200, SEGMENT_NOT_FOUND, text)
            })?;
            Ok(self.describe(info, &state.disowned))
        });
        let infos: Vec<Value> = infos.collect::<Result<_, _>>()?;
        Ok(json!({ "segmentInfos": infos }))
    }

    fn describe(&self, info: &PersistentSegmentInfo, disowned: &BTreeSet<PathBuf>) -> Value {
        let logs = |folder: &Path| -> Vec<i64> {
            let files = numbered(folder).into_iter();
            let own = files.filter(|(_, path)| !disowned.contains(path));
            own.map(|(log, _)| log).collect()
        };
        let fields = numbered(&self.segment("insert_log", info)).into_iter();
        let rows = fields.map(|(field, folder)| (field, logs(&folder)));
        let rows = rows.filter(|(_, logs)| !logs.is_empty());
        let rows = rows.map(|(field, logs)| json!({ "fieldID": field, "logIDs": logs }));
        let deletes = logs(&self.segment("delta_log", info));
        let deletes = match deletes.is_empty() {
            true => json!([]),
            false => json!([{ "fieldID": 0, "logIDs": deletes }]),
        };
        json!({
            "segmentID": info.segment_id, "collectionID": info.collection_id, "partitionID": info.partition_id,
            "vChannel": "", "numRows": info.num_rows, "state": info.state, "level": info.level, "isSorted": false,
            "insertLogs": rows.collect::<Vec<_>>(), "deltaLogs": deletes, "statsLogs": [],
        })
    }

    fn segment(&self, log: &str, info: &PersistentSegmentInfo) -> PathBuf {
        let PersistentSegmentInfo {
            segment_id,
            collection_id,
            partition_id,
            ..
        } = info;
        let below = format!("{log}/{collection_id}/{partition_id}/{segment_id}");
        self.folder.join(below)
    }
}

/// The database and the collection that a request is of.
fn of(asked: &GetPersistentSegmentInfoRequest) -> (String, String) {
    (asked.db_name.clone(), asked.collection_name.clone())
}

/// The entries of a folder that are called by numbers; none where there is no such folder.
fn numbered(folder: &Path) -> BTreeMap<i64, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        Some((number, entry.path()))
    });
    named.collect()
}
