//! Questions between agents, and their answers.
//!
//! Calls are rare: a few for each collection, one for each range that is compared. Their bodies are the JSON form of the model's
//! types, which is also the form in which the journals hold them.
//!
//! Every call may be made again after a lost reply: its second execution finds the first one's work and gives the same answer.

use model::job::CutoverOptions;
use model::report::CollectionReport;
use model::{
    BatchIndex, CollectionIndex, CollectionName, CollectionSpec, DatabaseSpec, Difference, Digest,
    Epoch, Finding, Incarnation, JobName, JobSpec, JobStatus, Key, Phase, Position, RowHash, Unit,
    UnitId, UnitProgress,
};
use serde::{Deserialize, Serialize};

/// The hash of each field of a row, by name.
pub type FieldHashes = Vec<(String, RowHash)>;

/// Names a call among those that its sender made in this session.
pub type CallId = u64;

/// A question from one agent to the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Source to target: I carry out this job, under this epoch.
    OpenJob {
        /// The job.
        spec: JobSpec,
        /// The source's claim.
        epoch: Epoch,
        /// The source's process.
        incarnation: Incarnation,
    },
    /// Source to target: what would become of this collection? Changes nothing.
    CheckCollection(CollectionPlan),
    /// Source to target: create this collection with its partitions, or find what an earlier call created.
    CreateCollection(CollectionPlan),
    /// Source to target: all rows are durable; flush, build the indexes, load.
    FinishCollection {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
    },
    /// Source to target: compare this collection with the source, row by row.
    VerifyCollection {
        /// The collection as the source has it now.
        plan: CollectionPlan,
        /// How many units there are to compare.
        units: u32,
        /// Which verification of the job this is: what an earlier one found of a unit does not count.
        round: u32,
        /// Whether changes are applied meanwhile: rows that differ are given back to the source, which looks at them again.
        is_followed: bool,
    },
    /// Source to target: all rows are copied; from now on steps of changes will come. Ends every earlier run.
    FollowCollection {
        /// The collection as the source had it when it was at `start`.
        plan: CollectionPlan,
        /// Where the log is to be read from if no change was ever applied since this beginning.
        start: Vec<Position>,
        /// How often following began at a start. A later beginning than the target knows means that changes before it are lost.
        beginning: u32,
    },
    /// Source to target: which of these rows are not the same there?
    CompareKeys {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
        /// The partition that they are looked for in; `None` for all of them.
        partition: Option<String>,
        /// The keys, each with the hash of the source's row; `None` where the source has none.
        rows: Vec<(Key, Option<RowHash>)>,
    },
    /// Source to target: how do these rows differ?
    ExplainKeys {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
        /// As in [`Call::CompareKeys`].
        partition: Option<String>,
        /// The keys, each with the hashes of the source's fields; `None` where the source has no such row.
        rows: Vec<(Key, Option<FieldHashes>)>,
    },
    /// Source to target: indexes or properties have changed; take them over.
    DefineCollection(CollectionPlan),
    /// Source to target: it was dropped on the source; drop it.
    DropCollection {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
    },
    /// Source to target: set the aliases, then compare the definitions.
    SealCollection(CollectionPlan),
    /// Source to target: the job has ended in this phase.
    CloseJob {
        /// The job.
        job: JobName,
        /// How it ended.
        phase: Phase,
    },
    /// Target to source: an operator asked the target's agent for this job.
    RequestJob(JobSpec),
    /// Target to source: an operator cancelled the job there.
    RequestCancel(JobName),
    /// Target to source: an operator asked there that the job rest, or go on.
    RequestPause {
        /// The job.
        job: JobName,
        /// Whether it is to rest.
        paused: bool,
    },
    /// Target to source: an operator asked there that this job's collections be compared again.
    RequestVerify(JobName),
    /// Target to source: an operator asked there that the job cut over.
    RequestCutover {
        /// The job.
        job: JobName,
        /// How.
        options: CutoverOptions,
    },
    /// Target to source: these rows differ for now; look at them again when the changes have passed them.
    RecheckKeys {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
        /// The partition that they were looked for in; `None` for all of them.
        partition: Option<String>,
        /// Their keys.
        keys: Vec<Key>,
    },
    /// Either way: how many rows does a collection have there?
    CountRows {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
    },
    /// Target to source: the digests of a unit's batches.
    DigestUnit {
        /// The job.
        job: JobName,
        /// The unit.
        unit: UnitId,
    },
    /// Target to source: the hash of each row of a batch, as many as one answer holds.
    HashRows {
        /// The job.
        job: JobName,
        /// The unit.
        unit: UnitId,
        /// The batch.
        batch: BatchIndex,
        /// The last key of the answer before; `None` for the first.
        after: Option<Key>,
    },
    /// Target to source: the hash of each field of some rows of a batch.
    HashFields {
        /// The job.
        job: JobName,
        /// The unit.
        unit: UnitId,
        /// The batch.
        batch: BatchIndex,
        /// The rows' keys.
        keys: Vec<Key>,
    },
}

/// A collection as it is to be on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionPlan {
    /// The job.
    pub job: JobName,
    /// The collection's place in the job.
    pub index: CollectionIndex,
    /// The source's database.
    pub database: DatabaseSpec,
    /// The source's collection.
    pub source: CollectionSpec,
    /// The name that it gets on the target.
    pub target: CollectionName,
}

/// Which files of segments a server imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imports {
    /// Those of servers up to this version, by its first two numbers.
    pub up_to: (u32, u32),
    /// Those that hold several fields each, too.
    pub grouped: bool,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// What an operator asked for is done or begun, and the job is now as this says; without its report, which may be long.
    Job(Box<JobStatus>),
    /// What a collection's check found.
    Checked {
        /// What the operator should know.
        findings: Vec<Finding>,
        /// Whether the job leaves this collection out.
        skip: bool,
        /// Why files of its segments can't be imported there; `None` where they can, or rows are to be asked for.
        no_import: Option<String>,
        /// Which files of segments are imported there; nothing where it is not told.
        #[serde(default)]
        imports: Option<Imports>,
    },
    /// The collection is there, and this much of it is durable.
    Created(Durable),
    /// Steps may come.
    Following {
        /// The number of this run.
        run: u64,
        /// How far the log is applied.
        applied: Vec<Position>,
    },
    /// These rows differ.
    Differing(Vec<Key>),
    /// How rows differ.
    Differences(Vec<Difference>),
    /// What the comparison found.
    Report(CollectionReport),
    /// So many rows; `None` where the server can't count.
    Count(Option<u64>),
    /// A unit, and the digest of each of its batches.
    Digests(UnitDigests),
    /// The hash of each row, in the order of the keys.
    RowHashes {
        /// The rows.
        rows: Vec<(Key, RowHash)>,
        /// Whether there are more behind them.
        more: bool,
    },
    /// For each row that is there, the hash of each field, by name.
    FieldHashes(Vec<(Key, FieldHashes)>),
}

/// What the source has in a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitDigests {
    /// The unit, with its borders.
    pub unit: Unit,
    /// One digest for each batch, in order.
    pub batches: Vec<Digest>,
    /// Rows that share their key with another, so that no query answers them; 0 where the server can't count.
    pub duplicates: u64,
    /// The first keys that several rows have.
    pub duplicate_keys: Vec<Key>,
    /// Rows that `count(*)` sees and no query answers, for another cause: they can't be copied.
    pub unreadable: u64,
}

/// What is durable of a collection's rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Durable {
    /// Units of which every batch is durable, as ranges of unit numbers: first and last.
    pub complete: Vec<(u32, u32)>,
    /// Units that were begun.
    pub partial: Vec<(u32, UnitProgress)>,
    /// Rows durable in all.
    pub rows: u64,
    /// Bytes of values durable in all.
    pub bytes: u64,
}

impl Durable {
    /// How much of a unit is durable: `None` when every batch is.
    #[must_use]
    pub fn missing_of(&self, unit: u32) -> Option<Option<UnitProgress>> {
        if self
            .complete
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&unit))
        {
            return None;
        }
        Some(
            self.partial
                .iter()
                .find(|(number, _)| *number == unit)
                .map(|(_, progress)| *progress),
        )
    }
}

/// News that need no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Source to target: how the job is doing, for the target's operators.
    Status(Box<JobStatus>),
    /// Target to source: how far a comparison is.
    Verified {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
        /// Rows compared so far.
        rows: u64,
    },
    /// Target to source: how many partitions of a collection that is followed are gone from the source, and still to be dropped here.
    Dropping {
        /// The job.
        job: JobName,
        /// The collection.
        index: CollectionIndex,
        /// How many.
        partitions: u64,
    },
    /// Target to source: the job can't go on, for a cause that does not pass.
    Failed {
        /// The job.
        job: JobName,
        /// The cause.
        cause: model::Fault,
    },
    /// Target to source: what the target waits for while it carries out the job.
    Waiting {
        /// The job.
        job: JobName,
        /// The cause; `None` when it goes on.
        cause: Option<model::Fault>,
    },
}
