//! How far a job is, and how far each of its collections.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The phase of a job that copies a database which is not written to.
///
/// ```text
/// Pending ─► Preparing ─► Copying ─► Finishing ─► Verifying ─► Completed
///    │           │           │           │            │
///    └───────────┴───────────┴───────────┴────────────┴──► Failed, Cancelled
/// ```
/// A job that waits for something (a peer, a Milvus, room on a disk) stays in its phase; what it waits for stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Accepted, not begun.
    Pending,
    /// Preflight, and creation of the target's collections.
    Preparing,
    /// Rows are on their way.
    Copying,
    /// Flush, indexes, load.
    Finishing,
    /// Every row is compared; then the aliases are set.
    Verifying,
    /// Done.
    Completed,
    /// Ended without being done.
    Failed,
    /// Ended by an operator.
    Cancelled,
}

impl Phase {
    /// Whether the job has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether a job may go from this phase to that one.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        let follows = matches!(
            (self, next),
            (Self::Pending, Self::Preparing)
                | (Self::Preparing, Self::Copying | Self::Completed)
                | (Self::Copying, Self::Finishing)
                | (Self::Finishing, Self::Verifying | Self::Completed)
                | (Self::Verifying, Self::Completed)
        );
        follows || (!self.is_terminal() && matches!(next, Self::Failed | Self::Cancelled))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Preparing => "preparing",
            Self::Copying => "copying",
            Self::Finishing => "finishing",
            Self::Verifying => "verifying",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// The phase of one collection: `Waiting ─► Copying ─► Finishing ─► Verifying ─► Done`, or `Skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectionPhase {
    /// Not begun.
    Waiting,
    /// Rows are on their way.
    Copying,
    /// Flush, indexes, load.
    Finishing,
    /// Rows are compared.
    Verifying,
    /// Done.
    Done,
    /// Left out, as `on_conflict: skip` asks.
    Skipped,
}

impl fmt::Display for CollectionPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Copying => "copying",
            Self::Finishing => "finishing",
            Self::Verifying => "verifying",
            Self::Done => "done",
            Self::Skipped => "skipped",
        })
    }
}

/// What is known about the target being equal to the source. An axis of its own beside the phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Verification {
    /// Nobody looked.
    NotRun,
    /// Under way.
    Running,
    /// No difference.
    Clean,
    /// Differences.
    Mismatched {
        /// How many.
        differences: u64,
    },
    /// It can't be known.
    Blocked {
        /// Why not.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_has_ended_goes_nowhere() {
        for ended in [Phase::Completed, Phase::Failed, Phase::Cancelled] {
            for next in [
                Phase::Pending,
                Phase::Copying,
                Phase::Failed,
                Phase::Cancelled,
            ] {
                assert!(!ended.may_become(next), "{ended} -> {next}");
            }
        }
    }

    #[test]
    fn rows_are_not_copied_before_preflight() {
        assert!(!Phase::Pending.may_become(Phase::Copying));
        assert!(Phase::Preparing.may_become(Phase::Copying));
    }
}
