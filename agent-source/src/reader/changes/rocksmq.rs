//! The log of a standalone Milvus that keeps it itself, in RocksDB (its `rocksmq`), read beside it from the same disk.
//!
//! One view of the folder serves every topic. It is brought up to date only while someone waits for a message, and then for all who
//! wait at once.
//!
//! A read goes wrong rather than leave something out: Milvus deletes a topic's messages from the oldest on, so while one message at
//! or before the wanted place is there, all behind it are. Where none is, `log_truncated` is said. It is said for nothing if all was
//! deleted up to exactly the wanted place; and it is not said if the folder's content was replaced by an older copy of itself, with
//! other messages behind the place than those that were there.
//!
//! ```text
//! RocksMq  waits, and decides when to look          (async)
//!   Log    keeps the view open, and asks it         (blocking)
//!   keys   what the keys and values mean            (pure)
//! ```

mod faults;
mod keys;
mod log;

use super::{ChangeSource, Message};
use log::Log;
use model::{Class, Fault, Offset, codes};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinError;
use tokio::time::Instant;

/// How long a view that showed nothing new is left as it is. Bringing it up to date takes a millisecond or two.
const PAUSE: Duration = Duration::from_millis(50);

/// The log of a standalone Milvus.
#[derive(Debug)]
pub(crate) struct RocksMq(Arc<Shared>);

/// What those who wait share.
#[derive(Debug)]
struct Shared {
    log: Arc<Log>,
    /// How often the view was brought up to date.
    views: AtomicU64,
    /// When it was last. Held by the one who does it for all who wait.
    turn: Mutex<Instant>,
}

impl RocksMq {
    /// Opens the folder that Milvus calls `rocksmq.path`, with the RocksDB library at `library` or, without one, the system's. Notes of
    /// RocksDB's own go to `scratch`, which no other process may use.
    ///
    /// # Errors
    /// `log_unreachable`: the library or the folder can't be had, or the folder is not a rocksmq's. A folder without any message passes.
    pub(crate) async fn open(
        folder: &Path,
        library: Option<&Path>,
        scratch: &Path,
    ) -> Result<Self, Fault> {
        let [folder, scratch] = [folder, scratch].map(Path::to_owned);
        let library = library.map(Path::to_owned);
        let log = blocking(move || Log::open(folder, library.as_deref(), scratch)).await?;
        Ok(Self(Arc::new(Shared {
            log: Arc::new(log),
            views: AtomicU64::new(0),
            turn: Mutex::new(Instant::now()),
        })))
    }

    /// The topic's oldest message.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    pub(crate) async fn oldest(&self, topic: &str) -> Result<Message, Fault> {
        let topic = topic.to_owned();
        self.0
            .ask(move |log| {
                log.catch_up()?;
                log.oldest(&topic)
            })
            .await
    }

    /// Waits for a view that is newer than the one of this number. It is taken in a task of its own: a caller that rests in the middle
    /// would keep all others waiting.
    async fn newer_view(&self, seen: u64) -> Result<(), Fault> {
        let shared = Arc::clone(&self.0);
        let looking = tokio::spawn(async move { shared.look(seen).await });
        looking
            .await
            .unwrap_or_else(|error| Err(ended_early(&error)))
    }
}

impl Shared {
    async fn look(&self, seen: u64) -> Result<(), Fault> {
        let mut last = self.turn.lock().await;
        if self.views.load(Ordering::Acquire) != seen {
            return Ok(());
        }
        tokio::time::sleep_until(*last + PAUSE).await;
        self.ask(Log::catch_up).await?;
        self.views.fetch_add(1, Ordering::Release);
        *last = Instant::now();
        Ok(())
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Log) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let log = Arc::clone(&self.log);
        blocking(move || question(&log)).await
    }
}

impl ChangeSource for RocksMq {
    async fn end(&self, topic: &str) -> Result<Offset, Fault> {
        let topic = topic.to_owned();
        self.0
            .ask(move |log| {
                log.catch_up()?;
                log.newest(&topic)
            })
            .await
    }

    async fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        loop {
            let seen = self.0.views.load(Ordering::Acquire);
            let topic = topic.to_owned();
            let question = move |log: &Log| log.messages(&topic, behind, most_bytes);
            let messages = self.0.ask(question).await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
            self.newer_view(seen).await?;
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.unwrap_or_else(|error| Err(ended_early(&error)))
}

fn ended_early(error: &JoinError) -> Fault {
    let message = format!("a read of the log ended early: {error}");
    let hint = "restart the agent and report this";
    Fault::new(codes::BUG, Class::Bug, message, hint)
}
