//! A job as an operator sees it.

use crate::{
    CollectionName, CollectionPhase, Fault, Finding, JobSpec, Phase, Verification, VerifyReport,
};
use serde::{Deserialize, Serialize};

/// How far one collection is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionStatus {
    /// The source's name.
    pub source: CollectionName,
    /// The target's name.
    pub target: CollectionName,
    /// The phase.
    pub phase: CollectionPhase,
    /// Rows durable on the target.
    pub rows_copied: u64,
    /// Rows to copy, counted on the source; `None` until they are.
    pub rows_total: Option<u64>,
    /// Bytes of values durable on the target.
    pub bytes_copied: u64,
    /// Rows compared.
    pub rows_verified: u64,
    /// What is known about its being equal.
    pub verification: Verification,
    /// How its changes are followed, once they are.
    pub changes: Option<ChangesStatus>,
}

/// How the changes of a collection are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangesStatus {
    /// How far the target is behind, in milliseconds of the source's clock: the time since every change was applied. `None` until it
    /// is measured.
    pub lag_ms: Option<u64>,
    /// Rows upserted since this agent follows the log.
    pub upserts: u64,
    /// Keys deleted.
    pub deletes: u64,
    /// Rows that were changed or differed, and are to be compared again.
    pub unproven: u64,
    /// Rows that differed though every change was applied, and were given to the target anew.
    pub repaired: u64,
    /// How often the log had lost changes before they were read, so that every row was compared again.
    pub gaps: u32,
    /// How much further back than what is applied the log goes, in milliseconds: for so long at least a job that stands still loses
    /// nothing. `None` until it is known, and where messages are kept on the agent's machine.
    pub headroom_ms: Option<u64>,
}

/// A job, its phase and its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// What was asked for.
    pub spec: JobSpec,
    /// The phase.
    pub phase: Phase,
    /// What the job waits for, when it does not move; or why it failed.
    pub cause: Option<Fault>,
    /// Unix time of creation, in milliseconds.
    pub created_ms: u64,
    /// Unix time of the end, in milliseconds.
    pub ended_ms: Option<u64>,
    /// What preflight found.
    pub findings: Vec<Finding>,
    /// The collections, in the job's order.
    pub collections: Vec<CollectionStatus>,
    /// What the last verification found.
    pub report: Option<VerifyReport>,
}
