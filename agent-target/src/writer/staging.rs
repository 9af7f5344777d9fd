//! Where shipped files lie in the target's own storage until Milvus has imported them.
//!
//! ```text
//! passage/<job>/<token>/<cargo>/insert_log/<segment>/<field>/<log>  or the group's number, where files hold several fields
//! passage/<job>/<token>/<cargo>/delta_log/<segment>/<log>
//! passage/<job>/<token>/<cargo>/ordered                             when its import was ordered, or seen to have failed, last
//! passage/<job>/<token>/coming/…                                    what is not whole yet
//! ```
//! The token is a collection's own, made with its record: Milvus remembers imports by their files, and no other collection, of whatever
//! job, may ever find its own files among them. For the rest a path is made of numbers and of the job's name: nothing that a peer says
//! can lead out of the folder.

use crate::records::CollectionRecord;
use binlog::{BinlogError, GroupedFile};
use model::{Class, Fault, JobName, Tick, codes};
use protocol::SegmentFile;
use std::time::{Duration, SystemTime};
use storage::{Storage, StorageError, StorageKind, StoredFile, Upload};

/// The folder of all jobs below Milvus's root path, which Milvus itself leaves alone.
const FOLDER: &str = "passage";

/// The folders of rows and of deletes, as Milvus names them.
const ROWS: &str = "insert_log";
const DELETES: &str = "delta_log";

/// The file that says when an import was ordered: as seconds since 1970.
const ORDERED: &str = "ordered";

/// The most bytes of it.
const ORDERED_BYTES: u64 = 64;

/// The field that holds the times of rows, by Milvus's number; and the group that has it, where files hold several fields.
const TIMES: i64 = 1;
const TIMES_GROUP: i64 = 0;

/// How much of a file is read for what it says of itself: where that stands at its end, at first.
const BEGINNING_BYTES: u64 = 4 << 10;
const END_BYTES: u64 = 64 << 10;

/// What a file says of the time of its youngest row.
type Read = Result<Tick, BinlogError>;

/// The files of one collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staging<'a> {
    storage: &'a Storage,
    record: &'a CollectionRecord,
}

/// What of a cargo is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Staged {
    /// How many files.
    pub(crate) files: u64,
    /// How many bytes they have.
    pub(crate) bytes: u64,
    /// Whether deletes are among them.
    pub(crate) has_deletes: bool,
}

impl<'a> Staging<'a> {
    /// The place of a collection's files.
    pub(crate) fn new(storage: &'a Storage, record: &'a CollectionRecord) -> Self {
        Self { storage, record }
    }

    /// Begins a file.
    pub(crate) async fn upload(
        &self,
        cargo: u32,
        file: SegmentFile,
    ) -> Result<Upload, StorageError> {
        let SegmentFile { segment, log, .. } = file;
        let path = match file.field {
            Some(field) => format!("{}/{segment}/{field}/{log}", self.rows(cargo)),
            None => format!("{}/{segment}/{log}", self.deletes(cargo)),
        };
        let beside = format!("{}/coming", self.folder());
        self.storage.upload(&path, &beside).await
    }

    /// What of a cargo is there.
    pub(crate) async fn look(&self, cargo: u32) -> Result<Staged, StorageError> {
        let rows = self.storage.files(&self.rows(cargo)).await?;
        let deletes = self.storage.files(&self.deletes(cargo)).await?;
        let has_deletes = !deletes.is_empty();
        let all = rows.iter().chain(&deletes);
        let add = |staged: Staged, bytes| Staged {
            files: staged.files + 1,
            bytes: staged.bytes + bytes,
            has_deletes,
        };
        Ok(all.map(|file| file.bytes).fold(Staged::default(), add))
    }

    /// What the path of every file of a cargo's rows holds, and that of no other file: plain letters, whoever tells the path.
    pub(crate) fn mark(&self, cargo: u32) -> String {
        format!("/{}/{cargo}/{ROWS}/", self.record.token)
    }

    /// Notes that the import of a cargo is about to be ordered, or has failed.
    pub(crate) async fn note_order(&self, cargo: u32, at: SystemTime) -> Result<(), StorageError> {
        let since = at.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs().to_string();
        self.storage.put(&self.ordered(cargo), seconds.into()).await
    }

    /// When that was noted last; `None` if it never was.
    pub(crate) async fn ordered_at(&self, cargo: u32) -> Result<Option<SystemTime>, StorageError> {
        let read = self.storage.read(&self.ordered(cargo), ORDERED_BYTES).await;
        match read {
            Err(error) if error.kind() == StorageKind::Missing => Ok(None),
            Err(error) => Err(error),
            Ok(bytes) => {
                // Whatever else it says, there was an order, and long ago.
                let text = String::from_utf8_lossy(&bytes);
                let seconds = Duration::from_secs(text.trim().parse().unwrap_or(0));
                Ok(SystemTime::UNIX_EPOCH.checked_add(seconds))
            }
        }
    }

    /// The time of the youngest row of a cargo, by what its files say of themselves.
    pub(crate) async fn youngest(&self, cargo: u32, is_grouped: bool) -> Result<Tick, Fault> {
        let files = self.storage.files(&self.rows(cargo)).await?;
        let mut youngest = Tick::default();
        for file in files.iter().filter(|file| is_of_times(file, is_grouped)) {
            let told = match is_grouped {
                true => self.youngest_of_group(file).await?,
                false => self.youngest_of_field(file).await?,
            };
            let told = told.map_err(|error| {
                let message = format!("{:?}: {error}", file.path);
                let hint = "cancel the job, and create it anew with `copy: rows`";
                Fault::new(codes::SEGMENT_MALFORMED, Class::Permanent, message, hint)
            })?;
            youngest = youngest.max(told);
        }
        Ok(youngest)
    }

    async fn youngest_of_field(&self, file: &StoredFile) -> Result<Read, StorageError> {
        let beginning = 0..file.bytes.min(BEGINNING_BYTES);
        let read = self.storage.read_range(&file.path, beginning).await?;
        Ok(binlog::read_descriptor(&read).map(|told| told.to))
    }

    /// By the statistics in the file: Milvus has them written for numbers.
    async fn youngest_of_group(&self, file: &StoredFile) -> Result<Read, StorageError> {
        let at = file.bytes.saturating_sub(END_BYTES);
        let mut end = self.storage.read_range(&file.path, at..file.bytes).await?;
        let wanted = match GroupedFile::footer_bytes(&end) {
            Ok(wanted) => (wanted as u64).min(file.bytes),
            Err(error) => return Ok(Err(error)),
        };
        if wanted > end.len() as u64 {
            let range = file.bytes - wanted..file.bytes;
            end = self.storage.read_range(&file.path, range).await?;
        }
        let opened = match GroupedFile::read(&end, file.bytes) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let absent = BinlogError::NoField { field: TIMES };
        let most = opened.most(TIMES).ok_or(absent);
        Ok(most.map(|most| Tick::new(most.cast_unsigned())))
    }

    /// What Milvus calls the folder of a cargo's rows.
    pub(crate) fn rows_for_milvus(&self, cargo: u32) -> String {
        self.storage.name_for_milvus(&self.rows(cargo))
    }

    /// What Milvus calls the folder of a cargo's deletes.
    pub(crate) fn deletes_for_milvus(&self, cargo: u32) -> String {
        self.storage.name_for_milvus(&self.deletes(cargo))
    }

    /// Removes whatever is left of the collection's files.
    pub(crate) async fn remove(&self) -> Result<(), StorageError> {
        self.storage.remove(&self.folder()).await
    }

    fn folder(&self) -> String {
        let CollectionRecord { plan, token, .. } = self.record;
        format!("{}/{token}", job_folder(&plan.job))
    }

    fn rows(&self, cargo: u32) -> String {
        format!("{}/{cargo}/{ROWS}", self.folder())
    }

    fn ordered(&self, cargo: u32) -> String {
        format!("{}/{cargo}/{ORDERED}", self.folder())
    }

    fn deletes(&self, cargo: u32) -> String {
        format!("{}/{cargo}/{DELETES}", self.folder())
    }
}

/// Whether a file holds the times of rows: `…/<field or group>/<log>`.
fn is_of_times(file: &StoredFile, is_grouped: bool) -> bool {
    let wanted = if is_grouped { TIMES_GROUP } else { TIMES };
    let folder = file.path.rsplit('/').nth(1);
    folder.and_then(|folder| folder.parse().ok()) == Some(wanted)
}

/// Removes whatever is left of a job's files.
pub(crate) async fn remove_all(storage: &Storage, job: &JobName) -> Result<(), StorageError> {
    storage.remove(&job_folder(job)).await
}

/// Makes sure that files can be written, listed and removed.
pub(crate) async fn prove(storage: &Storage, job: &JobName) -> Result<(), Fault> {
    let folder = format!("{}/proof", job_folder(job));
    storage
        .put(&format!("{folder}/0"), "written".into())
        .await?;
    let found = storage.files(&folder).await?;
    storage.remove(&folder).await?;
    match found.len() {
        1 => Ok(()),
        found => Err(StorageError::broken(storage.name(), &folder, found).into()),
    }
}

fn job_folder(job: &JobName) -> String {
    format!("{FOLDER}/{job}")
}
