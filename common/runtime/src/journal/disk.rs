//! The journal on disk.

use super::directory::StateDirectory;
use super::store::{self, DiskSnapshot};
use super::writer::{Job, Opening, Writer};
use super::{Committed, CrashPoints, Journal, JournalError, View, Writes};
use futures::future::BoxFuture;
use redb::Database;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Steps that wait for the writer; who comes when it is full, waits.
const QUEUE_STEPS: usize = 1024;

/// What the writer and the readers share: the open file, or why it could not be opened again.
pub(super) type Shared = Arc<RwLock<Result<Database, JournalError>>>;

/// A journal in a directory of its own. One thread writes; dropping the journal ends it, after what is queued is written.
#[derive(Debug)]
pub struct DiskJournal {
    file: PathBuf,
    database: Shared,
    points: CrashPoints,
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// After the thread, so that the directory is given up last.
    _directory: Option<StateDirectory>,
}

impl DiskJournal {
    /// Opens the journal of this directory, and checks every record; makes one in a directory that never had one.
    ///
    /// Blocks for as long as it takes to read the file, a few MiB.
    ///
    /// # Errors
    /// [`JournalError::Locked`] by another process, [`JournalError::Corrupt`], [`JournalError::DiskFull`], [`JournalError::Io`].
    pub fn open(state_dir: &Path, points: CrashPoints) -> Result<Self, JournalError> {
        let directory = StateDirectory::claim(state_dir)?;
        directory.ensure_journal()?;
        let file = directory.journal();
        let opening = {
            let file = file.clone();
            Box::new(move || store::builder().open(&file))
        };
        let mut journal = Self::start(file, opening, points)?;
        journal._directory = Some(directory);
        Ok(journal)
    }

    /// Opens by the given way, checks, and starts the writer.
    pub(super) fn start(
        file: PathBuf,
        opening: Opening,
        points: CrashPoints,
    ) -> Result<Self, JournalError> {
        let (opened, opening) = checked(file.clone(), opening)?;
        let database: Shared = Arc::new(RwLock::new(Ok(opened)));
        let (queue, steps) = mpsc::channel(QUEUE_STEPS);
        let writer = Writer::new(
            file.clone(),
            database.clone(),
            opening,
            steps,
            points.clone(),
        );
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| JournalError::io(&file, &error))?;
        Ok(Self {
            file,
            database,
            points,
            queue: Some(queue),
            thread: Some(thread),
            _directory: None,
        })
    }

    async fn submit(&self, writes: Writes) -> Result<Committed, JournalError> {
        let gone = || JournalError::WriterGone {
            file: self.file.clone(),
        };
        let (reply, answer) = oneshot::channel();
        let bytes = writes.bytes();
        let job = Job {
            writes: writes.into_writes()?,
            bytes,
            reply,
        };
        self.queue
            .as_ref()
            .ok_or_else(gone)?
            .send(job)
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Opens and checks on a thread of its own: where a damaged file makes redb panic, that is damage too.
fn checked(file: PathBuf, opening: Opening) -> Result<(Database, Opening), JournalError> {
    let path = file.clone();
    let check = move || {
        let mut database = opening().map_err(|error| JournalError::redb(&path, error))?;
        store::verify(&mut database, &path)?;
        Ok((database, opening))
    };
    std::thread::spawn(check).join().unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(JournalError::Corrupt {
            file,
            place: format!("it can't be walked through: {}", words.unwrap_or_default()),
        })
    })
}

impl Journal for DiskJournal {
    fn commit(&self, writes: Writes) -> BoxFuture<'_, Result<Committed, JournalError>> {
        Box::pin(self.submit(writes))
    }

    fn view(&self) -> Result<View, JournalError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let snapshot = DiskSnapshot::take(database.as_ref().map_err(Clone::clone)?, &self.file)?;
        Ok(View::new(snapshot, &self.file))
    }

    fn points(&self) -> &CrashPoints {
        &self.points
    }
}

impl Drop for DiskJournal {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has answered nobody, and each of them was told so.
            let _ = thread.join();
        }
    }
}
