//! What the target's journal holds. It is the truth about what is durable.

use model::report::CollectionReport;
use model::{CollectionIndex, CollectionSpec, JobName, JobSpec, JobStatus, Key, Position, UnitId};
use protocol::call::CollectionPlan;
use protocol::claim::Claim;
use protocol::ledger::UnitRecord;
use runtime::journal::{RecordKey, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The jobs, by name.
pub(crate) const JOBS: Table<JobRecord> = Table::new("jobs");
/// The collections of the jobs.
pub(crate) const COLLECTIONS: Table<CollectionRecord> = Table::new("collections");
/// The units that were begun.
pub(crate) const UNITS: Table<UnitRecord> = Table::new("units");
/// The units that were compared since the last verification began.
pub(crate) const VERDICTS: Table<Verdict> = Table::new("verdicts");
/// How far the logs of the collections are applied.
pub(crate) const FOLLOWED: Table<Followed> = Table::new("followed");

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    /// What was asked for.
    pub(crate) spec: JobSpec,
    /// Who carries it out.
    pub(crate) claim: Claim,
    /// What the source last told of it.
    pub(crate) status: Option<JobStatus>,
}

/// A collection of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CollectionRecord {
    /// What the source has.
    pub(crate) plan: CollectionPlan,
    /// What the target is to have.
    pub(crate) expected: CollectionSpec,
    /// Names the folder of its own in which files wait to be imported.
    pub(crate) token: Uuid,
    /// How far it is.
    pub(crate) step: Step,
    /// Whether it was there before the job, and rows are added to it.
    pub(crate) appended: bool,
    /// Whether it is loaded only to be compared, and released afterwards.
    pub(crate) loaded_to_verify: bool,
    /// What the last comparison found.
    pub(crate) report: Option<CollectionReport>,
}

/// The steps of a collection on the target, each journaled when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Step {
    /// It is going to be created; whatever is there under its name from now on is ours.
    Begun,
    /// It and its partitions are there.
    Created,
    /// All rows are there, flushed, indexed, loaded.
    Finished,
    /// The aliases are set.
    Sealed,
    /// It was dropped, as on the source.
    Dropped,
}

/// A collection whose changes are applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Followed {
    /// How far, channel by channel.
    pub(crate) applied: Vec<Position>,
    /// The beginning since when.
    pub(crate) beginning: u32,
    /// The partitions that the log as far as this says are gone, and that may still be there.
    #[serde(default)]
    pub(crate) dropping: BTreeSet<String>,
}

/// What came out of comparing a unit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Which verification of the job compared them.
    pub(crate) round: u32,
    /// Rows compared.
    pub(crate) rows: u64,
    /// Rows on the source that share their key with another.
    pub(crate) source_duplicates: u64,
    /// The first such keys.
    pub(crate) source_duplicate_keys: Vec<Key>,
    /// Differences, at most as many as a report names.
    pub(crate) differences: Vec<model::Difference>,
    /// How many there are.
    pub(crate) differences_total: u64,
}

/// The key of a job.
pub(crate) fn job_key(job: &JobName) -> RecordKey {
    RecordKey::new().text(job.as_str())
}

/// The key of a collection; the prefix of its units.
pub(crate) fn collection_key(job: &JobName, index: CollectionIndex) -> RecordKey {
    job_key(job).number(u64::from(index.number()))
}

/// The key of a unit.
pub(crate) fn unit_key(job: &JobName, unit: UnitId) -> RecordKey {
    collection_key(job, unit.collection).number(u64::from(unit.number))
}
