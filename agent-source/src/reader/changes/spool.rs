//! Messages of the log, kept on the agent's own disk until they are applied: for a log that is kept too briefly for a copy, or for a
//! job that is paused.
//!
//! What a job is going to need is taken from its first position on, as it is written, and let go of as it is applied. Who reads finds
//! the older messages here and the newest ones in the log itself.
//!
//! Invariants:
//! - a topic's messages are kept without a gap from one place to another, so that a reader goes on in the log where they end;
//! - no message is let go of that somebody wants, whatever room that takes. When the quota is full, no more are taken: the log is then
//!   the only one that has them, and says so itself if it has lost them;
//! - a damaged file is worth nothing from there on: a reader is told that messages are lost, as if the log had lost them.
//!
//! ```text
//! Spool      who wants what, and who reads it     (async)
//!   Filling  takes a topic's messages from the log  (async)
//!   Files    those of a topic on the disk          (blocking)
//!     Segment  one file                            (blocking)
//! ```

mod faults;
mod files;
mod filling;
mod segment;
#[cfg(test)]
mod tests;

use super::{ChangeSource, Message, topic_of};
use files::Files;
use filling::Filling;
use model::{CollectionIndex, Fault, JobName, Offset, Position};
use runtime::telemetry::metric_names::LOG_SPOOL;
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Who wants messages.
type Owner = (JobName, CollectionIndex);

/// The files of a topic, locked until they are open.
type Shelf = Arc<tokio::sync::Mutex<Option<Files>>>;

/// Messages of a log on this machine's disk.
#[derive(Debug)]
pub(crate) struct Spool<S>(Arc<Inner<S>>);

#[derive(Debug)]
struct Inner<S> {
    log: Arc<S>,
    folder: PathBuf,
    quota_bytes: u64,
    bytes: AtomicU64,
    topics: Mutex<HashMap<String, Topic>>,
    /// Locked while this process has the folder.
    _lock: File,
}

#[derive(Debug)]
struct Topic {
    shelf: Shelf,
    /// The place behind which each of them goes on.
    wanted: HashMap<Owner, Offset>,
    /// The least of these.
    least: watch::Sender<Offset>,
    /// Where the log went on without us, once it has: whoever fills the shelf has stopped there.
    gap: Arc<OnceLock<Offset>>,
    _filling: AbortOnDropHandle<()>,
}

impl<S: ChangeSource + 'static> Spool<S> {
    /// A folder for messages of this log, which may take so much of the disk.
    ///
    /// # Errors
    /// `spool_unusable`: the folder can't be written, or another agent has it.
    pub(crate) fn open(log: Arc<S>, folder: &Path, quota_bytes: u64) -> Result<Self, Fault> {
        let unusable = |error| faults::unusable(folder, &error);
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let lock = File::create(folder.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(faults::taken(folder)),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        Ok(Self(Arc::new(Inner {
            log,
            folder: folder.to_owned(),
            quota_bytes,
            bytes: AtomicU64::new(0),
            topics: Mutex::default(),
            _lock: lock,
        })))
    }

    /// A collection of a job goes on behind these positions: what is behind them is kept, and what is not is no longer.
    pub(crate) fn want(&self, job: &JobName, index: CollectionIndex, positions: &[Position]) {
        let mut topics = self.0.topics();
        for position in positions {
            let (name, place) = (topic_of(&position.channel), position.offset);
            let topic = topics
                .entry(name.to_owned())
                .or_insert_with(|| self.0.topic(name, Shelf::default(), place));
            topic.wanted.insert((job.clone(), index), place);
            let least = topic.wanted.values().min().copied().unwrap_or(place);
            topic.least.send_replace(least);
            if topic.gap.get().is_some_and(|gap| *gap < least) {
                // Nobody needs what is before the gap any more.
                let wanted = std::mem::take(&mut topic.wanted);
                let fresh = self.0.topic(name, topic.shelf.clone(), least);
                *topic = Topic { wanted, ..fresh };
            }
        }
    }

    /// A collection of a job, or all of them, need nothing any more.
    pub(crate) fn forget(&self, job: &JobName, index: Option<CollectionIndex>) {
        let is_it = |of: &Owner| of.0 == *job && index.is_none_or(|index| of.1 == index);
        let mut idle = Vec::new();
        self.0.topics().retain(|_, topic| {
            topic.wanted.retain(|of, _| !is_it(of));
            if topic.wanted.is_empty() {
                idle.push(topic.shelf.clone());
            }
            !topic.wanted.is_empty()
        });
        let spool = Self(self.0.clone());
        tokio::spawn(async move {
            for shelf in idle {
                // Whoever fills it ends first.
                let files = shelf.lock_owned().await.take();
                spool.0.count(files.map_or(0, |files| files.bytes()), 0);
            }
            spool.sweep();
        });
    }

    /// Takes away, in a while, the files of topics that nobody wants.
    pub(crate) fn sweep(&self) {
        let inner = self.0.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = inner.sweep() {
                tracing::warn!(folder = %inner.folder.display(), %error, "the spool can't be cleared");
            }
        });
    }

    /// The messages of a topic behind a place, so many that they have about `most_bytes`; `None` when none is here.
    ///
    /// # Errors
    /// `log_truncated` when those that were here are damaged; `spool_unusable`.
    pub(crate) async fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Option<Vec<Message>>, Fault> {
        let shelf = self.0.topics().get(topic).map(|topic| topic.shelf.clone());
        let Some(shelf) = shelf else {
            return Ok(None);
        };
        let files = shelf.lock_owned().await;
        let has_some = |files: &Files| (files.begin()..files.end()).contains(&behind);
        if !files.as_ref().is_some_and(has_some) {
            return Ok(None);
        }
        let reading = blocking(move || match files.as_ref() {
            Some(files) => files.read(behind, most_bytes).map(Some),
            None => Ok(None),
        });
        match reading.await {
            Ok(Some(None)) => Err(faults::damaged(&self.0.folder, topic, behind)),
            Ok(messages) => Ok(messages.flatten()),
            Err(error) => Err(faults::unusable(&self.0.folder, &error)),
        }
    }
}

impl<S: ChangeSource + 'static> Inner<S> {
    fn topics(&self) -> MutexGuard<'_, HashMap<String, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A topic that nobody wants yet, filled from a place on.
    fn topic(self: &Arc<Self>, name: &str, shelf: Shelf, place: Offset) -> Topic {
        let least = watch::Sender::new(place);
        let gap = Arc::new(OnceLock::new());
        let filling = Filling {
            inner: self.clone(),
            topic: name.to_owned(),
            shelf: shelf.clone(),
            least: least.subscribe(),
        };
        // Nobody looks before the files are open.
        let files = shelf.clone().try_lock_owned().ok();
        let found = gap.clone();
        let filling = tokio::spawn(async move {
            let files = match files {
                Some(files) => files,
                None => filling.shelf.clone().lock_owned().await,
            };
            let end = filling.run(files).await;
            // Nobody else sets it.
            let _ = found.set(end);
        });
        Topic {
            shelf,
            wanted: HashMap::new(),
            least,
            gap,
            _filling: AbortOnDropHandle::new(filling),
        }
    }

    /// Counts what the files of a topic took before, and take now.
    fn count(&self, before: u64, now: u64) {
        let bytes = if now >= before {
            self.bytes.fetch_add(now - before, Ordering::Relaxed) + (now - before)
        } else {
            self.bytes.fetch_sub(before - now, Ordering::Relaxed) - (before - now)
        };
        metrics::gauge!(LOG_SPOOL).set(bytes as f64);
    }

    fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            // Held, so that nobody begins to want one of them meanwhile.
            let topics = self.topics();
            let mut wanted = topics.keys();
            if path.is_dir() && !wanted.any(|topic| Files::folder_of(&self.folder, topic) == path) {
                std::fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.unwrap_or_else(|error| Err(io::Error::other(error)))
}
