//! Filling the files of one topic from the log.

use super::files::Files;
use super::{Inner, Shelf, blocking};
use crate::reader::changes::{ChangeSource, Message};
use model::{Offset, codes};
use runtime::backoff::Backoff;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedMutexGuard, watch};

/// About how many bytes are taken from the log at once.
const TAKE_BYTES: usize = 1 << 20;

/// How often the disk is made to hold what was taken. What is lost with a machine is taken from the log again.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether there is room again: room comes from other topics, too.
const LOOK_FOR_ROOM_EVERY: Duration = Duration::from_secs(1);

/// How long it is waited after the log or the disk has failed: at first, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Fills one topic.
pub(super) struct Filling<S> {
    pub(super) inner: Arc<Inner<S>>,
    pub(super) topic: String,
    pub(super) shelf: Shelf,
    /// The place behind which somebody wants messages.
    pub(super) least: watch::Receiver<Offset>,
}

impl<S: ChangeSource + 'static> Filling<S> {
    /// Takes messages for as long as the log has those that follow: the place where it has no longer.
    pub(super) async fn run(&self, files: OwnedMutexGuard<Option<Files>>) -> Offset {
        let mut backoff = Backoff::new(PATIENCE.0, PATIENCE.1);
        let mut end = self.open(files, &mut backoff).await;
        let mut synced = Instant::now();
        loop {
            self.wait_room().await;
            let messages = match self.inner.log.read(&self.topic, end, TAKE_BYTES).await {
                Ok(messages) => messages,
                Err(fault) if fault.code == codes::LOG_TRUNCATED => {
                    tracing::warn!(topic = self.topic, code = fault.code, error = %fault, "the spool ends here for now");
                    return end;
                }
                Err(fault) => {
                    tracing::warn!(topic = self.topic, code = fault.code, error = %fault, "the spool is not filled");
                    backoff.wait().await;
                    continue;
                }
            };
            let is_sync_due = synced.elapsed() >= SYNC_EVERY;
            match self.put(messages, is_sync_due).await {
                Ok(now) => {
                    end = now;
                    backoff.reset();
                    if is_sync_due {
                        synced = Instant::now();
                    }
                }
                Err(error) => {
                    self.note_failure(&error);
                    backoff.wait().await;
                }
            }
        }
    }

    /// Opens the files, and tells where they end.
    async fn open(
        &self,
        mut files: OwnedMutexGuard<Option<Files>>,
        backoff: &mut Backoff,
    ) -> Offset {
        loop {
            let folder = Files::folder_of(&self.inner.folder, &self.topic);
            let (inner, place) = (self.inner.clone(), *self.least.borrow());
            let opening = blocking(move || {
                let before = files.as_ref().map_or(0, Files::bytes);
                let opened = Files::open(folder, place);
                let now = opened.as_ref().map_or(0, Files::bytes);
                inner.count(before, now);
                let outcome = opened.map(|opened| files.insert(opened).end());
                Ok((outcome, files))
            });
            match opening.await {
                Ok((Ok(end), _)) => return end,
                Ok((Err(error), locked)) => {
                    self.note_failure(&error);
                    files = locked;
                }
                Err(error) => {
                    self.note_failure(&error);
                    files = self.shelf.clone().lock_owned().await;
                }
            }
            backoff.wait().await;
        }
    }

    /// Adds messages, and lets go of those that nobody wants any more: where the files end then.
    async fn put(&self, messages: Vec<Message>, sync: bool) -> io::Result<Offset> {
        let mut files = self.shelf.clone().lock_owned().await;
        let (inner, least) = (self.inner.clone(), *self.least.borrow());
        blocking(move || {
            let files = files.as_mut().ok_or(io::ErrorKind::NotFound)?;
            let before = files.bytes();
            let put = files
                .append(&messages)
                .and_then(|()| files.trim(least))
                .and_then(|()| if sync { files.sync() } else { Ok(()) });
            inner.count(before, files.bytes());
            put.map(|()| files.end())
        })
        .await
    }

    /// Waits until the quota has room.
    async fn wait_room(&self) {
        let mut is_told = false;
        while self.inner.bytes.load(Ordering::Relaxed) >= self.inner.quota_bytes {
            if !is_told {
                let (folder, topic) = (self.inner.folder.display(), &self.topic);
                tracing::warn!(code = codes::SPOOL_FULL, %folder, topic, "the spool has used up its quota, and takes no more for now");
                is_told = true;
            }
            if let Err(error) = self.put(Vec::new(), false).await {
                self.note_failure(&error);
            }
            tokio::time::sleep(LOOK_FOR_ROOM_EVERY).await;
        }
    }

    fn note_failure(&self, error: &io::Error) {
        let folder = self.inner.folder.display();
        tracing::warn!(code = codes::SPOOL_UNUSABLE, %folder, topic = self.topic, %error, "the spool is not filled");
    }
}
