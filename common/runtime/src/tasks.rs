//! Tasks that somebody waits for.
//!
//! Invariants: no task outlives its group unseen; a task that panics is reported, and the group's owner learns of it; an aborted task is
//! dropped where it waits next.

use futures::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the groups of one agent have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarm {
    /// Drops every task where it waits.
    pub(crate) abort: CancellationToken,
    /// Set when a task panicked.
    pub(crate) panicked: CancellationToken,
    aborted: Arc<AtomicUsize>,
}

impl Alarm {
    /// The tasks that were dropped.
    pub(crate) fn aborted(&self) -> usize {
        self.aborted.load(Ordering::Relaxed)
    }
}

/// A group of tasks that are told to stop together. Clones share it.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    alarm: Alarm,
}

impl Tasks {
    pub(crate) fn new(alarm: Alarm) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            alarm,
        }
    }

    /// Starts a task; `name` is what it is called in logs. It should end soon after [`Tasks::stop_token`] is set.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let alarm = self.alarm.clone();
        self.tracker.spawn(async move {
            let guarded = AssertUnwindSafe(task).catch_unwind();
            let ended = tokio::select! {
                biased;
                () = alarm.abort.cancelled() => {
                    alarm.aborted.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(task = name, "task aborted");
                    Ok(())
                }
                ended = guarded => ended,
            };
            if ended.is_err() {
                // The panic's own words went to standard error.
                tracing::error!(task = name, "task panicked");
                alarm.panicked.cancel();
            }
        });
    }

    /// Set when the tasks of this group are to stop.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Whether the tasks of this group are to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The tasks that have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Tells the tasks to stop, and waits until they have.
    ///
    /// # Cancel safety
    /// Dropping the future ends the wait only; the tasks have been told.
    pub(crate) async fn stopped(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
