//! How an agent ends, in a written order.
//!
//! ```text
//! asked to ──► stop taking ──► finish ──► confirm ──► close ──► (abort what is left)
//!              no new work     units      what is     links,
//!                              under way  durable     servers
//! ```
//! Each step tells its own group of tasks to stop and waits for them, for so long and no longer; then the next step comes. What is
//! left in the end is aborted: the journal holds what is durable, so nothing is lost by it. A second request aborts at once.

use crate::tasks::{Alarm, Tasks};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A step of the end, and the group of tasks that stops in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Take no new work: jobs, units, peers.
    StopTaking,
    /// Finish the units under way.
    Finish,
    /// Tell the peer and the journal what is durable.
    Confirm,
    /// Close links and servers.
    Close,
}

impl Step {
    const ORDER: [Self; 4] = [Self::StopTaking, Self::Finish, Self::Confirm, Self::Close];
}

/// How long each step is waited for.
#[derive(Debug, Clone, Copy)]
pub struct StepLimits {
    /// For [`Step::StopTaking`].
    pub stop_taking: Duration,
    /// For [`Step::Finish`].
    pub finish: Duration,
    /// For [`Step::Confirm`].
    pub confirm: Duration,
    /// For [`Step::Close`].
    pub close: Duration,
}

impl Default for StepLimits {
    /// 45 seconds in all: half of the 90 after which systemd kills.
    fn default() -> Self {
        let [short, long] = [5, 30].map(Duration::from_secs);
        Self {
            stop_taking: short,
            finish: long,
            confirm: short,
            close: short,
        }
    }
}

impl StepLimits {
    fn of(&self, step: Step) -> Duration {
        match step {
            Step::StopTaking => self.stop_taking,
            Step::Finish => self.finish,
            Step::Confirm => self.confirm,
            Step::Close => self.close,
        }
    }
}

/// How an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every task stopped by itself.
    Orderly,
    /// So many tasks were aborted.
    Aborted(usize),
    /// A task had panicked; that is why it ended.
    Panicked,
}

/// The end of an agent, to come. Clones share it.
#[derive(Debug, Clone)]
pub struct Shutdown {
    limits: StepLimits,
    groups: [Tasks; 4],
    requested: CancellationToken,
    alarm: Alarm,
}

impl Shutdown {
    /// With these limits.
    #[must_use]
    pub fn new(limits: StepLimits) -> Self {
        let alarm = Alarm::default();
        let groups = Step::ORDER.map(|_| Tasks::new(alarm.clone()));
        Self {
            limits,
            groups,
            requested: CancellationToken::new(),
            alarm,
        }
    }

    /// The group of tasks that stops in this step.
    #[must_use]
    pub fn tasks(&self, step: Step) -> &Tasks {
        &self.groups[step as usize]
    }

    /// Asks for the end.
    pub fn request(&self) {
        self.requested.cancel();
    }

    /// Ends at once: what runs is aborted.
    pub fn abort(&self) {
        self.requested.cancel();
        self.alarm.abort.cancel();
    }

    /// Waits until somebody asks for the end, or a task panics.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn requested(&self) {
        tokio::select! {
            () = self.requested.cancelled() => {}
            () = self.alarm.panicked.cancelled() => {}
        }
    }

    /// Waits for the request, then goes through the steps.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the step where it is; those after it don't come.
    pub async fn run(&self) -> Ending {
        self.requested().await;
        for step in Step::ORDER {
            tracing::info!(?step, running = self.tasks(step).running(), "shutting down");
            if self.pass(step).await.is_err() {
                tracing::warn!(
                    ?step,
                    running = self.tasks(step).running(),
                    "step of the shutdown took too long"
                );
            }
        }
        self.alarm.abort.cancel();
        // Aborted tasks end where they wait next; one that never waits is not waited for.
        let _ = timeout(Duration::from_secs(1), async {
            for group in &self.groups {
                group.stopped().await;
            }
        })
        .await;
        let stuck: usize = self.groups.iter().map(Tasks::running).sum();
        match self.alarm.aborted() + stuck {
            _ if self.alarm.panicked.is_cancelled() => Ending::Panicked,
            0 => Ending::Orderly,
            tasks => Ending::Aborted(tasks),
        }
    }

    async fn pass(&self, step: Step) -> Result<(), tokio::time::error::Elapsed> {
        let stopped = timeout(self.limits.of(step), self.tasks(step).stopped());
        tokio::select! {
            biased;
            stopped = stopped => stopped,
            () = self.alarm.abort.cancelled() => Ok(()),
        }
    }

    /// Asks for the end on SIGTERM or SIGINT, and aborts on the second.
    ///
    /// # Errors
    /// When the system lets no signal be caught.
    ///
    /// # Cancel safety
    /// Dropping the future lets go of the signals; they are not given back to the system's way.
    pub async fn heed_signals(&self) -> std::io::Result<()> {
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        for act in [Self::request, Self::abort] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "asked to end");
            act(self);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
