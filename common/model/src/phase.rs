//! How far a job is, and how far each of its collections.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The phase of a job.
///
/// ```text
///                                                   mode: copy
/// Pending ─► Preparing ─► Copying ─► Finishing ─┬──────────────────────────────────────► Verifying ─► Completed
///    │           │           │           │      └─► CatchingUp ◄─► Syncing ─► CuttingOver ─────┘ ▲
///    │           │           │           │     mode: live   ▲                     │              │
///    │           │           │           │                  └── could not finish ─┘              │
///    └───────────┴───────────┴───────────┴──── from every phase ────────────────────────► Failed, Cancelled
/// ```
/// A job that has ended, and whose collections are compared again, is `Verifying` meanwhile.
/// A job that waits for something (a peer, a Milvus, room on a disk) stays in its phase; what it waits for stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Accepted, not begun.
    Pending,
    /// Preflight.
    Preparing,
    /// The target's collections are created, and rows are on their way.
    Copying,
    /// Flush, indexes, load.
    Finishing,
    /// Changes are applied; the target is still far behind.
    CatchingUp,
    /// Changes are applied as they come.
    Syncing,
    /// The source is not written to any more: the last changes are applied, and proven.
    CuttingOver,
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
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Preparing => "preparing",
            Self::Copying => "copying",
            Self::Finishing => "finishing",
            Self::CatchingUp => "catching up",
            Self::Syncing => "syncing",
            Self::CuttingOver => "cutting over",
            Self::Verifying => "verifying",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// The phase of one collection: `Waiting ─► Copying ─► Finishing ─► Verifying ─► Done`, or `Skipped`; in a live job `Following` stands
/// before `Verifying`, and every phase up to that may end with `Dropped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectionPhase {
    /// Not begun, or being created on the target.
    Waiting,
    /// Rows are on their way.
    Copying,
    /// Flush, indexes, load.
    Finishing,
    /// Its changes are applied, and its rows are compared meanwhile.
    Following,
    /// Rows are compared; what follows a log is proven already, and gets its aliases.
    Verifying,
    /// Done.
    Done,
    /// Left out, as `on_conflict: skip` asks.
    Skipped,
    /// Dropped on the source while it was followed, and so on the target.
    Dropped,
}

impl fmt::Display for CollectionPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Copying => "copying",
            Self::Finishing => "finishing",
            Self::Following => "following",
            Self::Verifying => "verifying",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Dropped => "dropped",
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
    /// Every row was compared while changes were applied; those that changed since, or differed then, are looked at again.
    Rechecking {
        /// How many rows.
        rows: u64,
    },
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
