//! What the source's journal holds: what was asked for, how far each collection is, and the borders of its units.

use crate::reader::segments::{LogFiles, ShippedRows};
use model::report::CollectionReport;
use model::{
    BatchIndex, CollectionIndex, CollectionPhase, Epoch, Fault, Finding, JobName, JobSpec, Phase,
    Position, Unit, UnitId,
};
use protocol::call::CollectionPlan;
use runtime::journal::{RecordKey, Table};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The jobs, by name.
pub(crate) const JOBS: Table<JobRecord> = Table::new("jobs");
/// The collections of the jobs.
pub(crate) const COLLECTIONS: Table<CollectionRecord> = Table::new("collections");
/// The units of the collections, in the order in which they were found.
pub(crate) const UNITS: Table<Unit> = Table::new("units");
/// The units of the collections that are copied from files, which take no part in comparing.
pub(crate) const SEGMENT_UNITS: Table<SegmentUnit> = Table::new("segment_units");

/// The segments of the collections whose files are shipped as they are.
pub(crate) const SHIPMENTS: Table<Shipment> = Table::new("shipments");
/// What of each of them the target gets by its import.
pub(crate) const SHIPPED_ROWS: Table<ShippedRows> = Table::new("shipped_rows");
/// The orders to import them.
pub(crate) const CARGOES: Table<CargoRecord> = Table::new("cargoes");

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    /// What was asked for.
    pub(crate) spec: JobSpec,
    /// The last claim; the next one is higher.
    pub(crate) epoch: Epoch,
    /// The phase.
    pub(crate) phase: Phase,
    /// Why it failed or was cancelled.
    pub(crate) cause: Option<Fault>,
    /// Unix time of creation, in milliseconds.
    pub(crate) created_ms: u64,
    /// Unix time of the end, in milliseconds.
    pub(crate) ended_ms: Option<u64>,
    /// What preflight found.
    pub(crate) findings: Vec<Finding>,
    /// The databases to which the source is to deny writes for a cutover that is not made yet.
    pub(crate) fenced: Vec<String>,
    /// Whether it rests, as an operator asked.
    pub(crate) paused: bool,
    /// Whether the collections of a job that has ended are being compared again.
    pub(crate) verifying_again: bool,
    /// How often they were to be compared again.
    pub(crate) round: u32,
}

/// A collection of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CollectionRecord {
    /// What it is, and what it is to be called.
    pub(crate) plan: CollectionPlan,
    /// How far it is.
    pub(crate) phase: CollectionPhase,
    /// Where its log was before its first row was read, channel by channel; empty in a job that follows none, and until then.
    pub(crate) start: Vec<Position>,
    /// How often following began at a `start`: again when the log had lost changes behind the former one.
    pub(crate) beginning: u32,
    /// Whether its rows are copied from the files of its segments, and not asked for.
    pub(crate) from_segments: bool,
    /// Whether those files are shipped as they are.
    pub(crate) is_shipped: bool,
    /// Whether those are, too, that hold several fields each.
    #[serde(default)]
    pub(crate) ships_grouped: bool,
    /// Whether all of its units are in the journal.
    pub(crate) is_divided: bool,
    /// Whether all units of its segments are.
    pub(crate) is_listed: bool,
    /// The numbers that the next unit and the next cargo of its segments get: none is given twice, though some are not copied any more.
    pub(crate) next_listed: (u32, u32),
    /// Rows, counted when the job was prepared; `None` where the server can't count.
    pub(crate) rows_total: Option<u64>,
    /// Rows and bytes durable on the target when this was written.
    pub(crate) copied: (u64, u64),
    /// Whether the agent loaded it for the job, and so releases it.
    pub(crate) loaded_for_job: bool,
    /// Whether it is known to hold no row, and is not loaded, so that there is nothing to read.
    pub(crate) is_empty: bool,
    /// What the last comparison found.
    pub(crate) report: Option<CollectionReport>,
}

/// Rows that lie in the same files, split into batches of as many rows each; or of as many places, of which some have a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentUnit {
    /// The unit's name.
    pub(crate) id: UnitId,
    /// The partition that its rows are written to; `None` where a partition key places them.
    pub(crate) partition: Option<String>,
    /// The files.
    pub(crate) files: LogFiles,
    /// Which of the rows in them.
    pub(crate) taken: Taken,
    /// How many rows a batch has; the last one perhaps fewer.
    pub(crate) batch_rows: u64,
    /// Whether some of its rows may have been sent already, as rows of another segment.
    pub(crate) is_again: bool,
}

/// Which rows a unit has, by their places in its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Taken {
    /// These, all of them.
    Run(Range<u64>),
    /// These, in rising order.
    Places(Vec<u64>),
}

/// A segment whose files are shipped as they are. Its first batch is the deletes with which it is imported, the others are files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shipment {
    /// The unit's name.
    pub(crate) id: UnitId,
    /// The cargo that it belongs to.
    pub(crate) cargo: u32,
    /// Its files, those of the same rows together.
    pub(crate) logs: Vec<LogFiles>,
    /// The files of each batch behind the first; none of a segment of which no row is imported.
    pub(crate) batches: Vec<Vec<ShippedFile>>,
    /// What its first batch is, once that was sent.
    pub(crate) deletes: Option<ShippedDeletes>,
    /// Whether the segment was replaced by others since: its rows are the target's, and in those segments as well.
    pub(crate) is_replaced: bool,
}

/// A file that is shipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShippedFile {
    /// The field.
    pub(crate) field: i64,
    /// Its number among those of the field.
    pub(crate) log: i64,
    /// Where it is on the source.
    pub(crate) path: String,
    /// How long it is.
    pub(crate) bytes: u64,
}

/// The deletes with which a segment is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShippedDeletes {
    /// How many files they are in.
    pub(crate) files: u64,
    /// How many bytes those have.
    pub(crate) bytes: u64,
    /// How many rows of the segment the import leaves out.
    pub(crate) rows: u64,
}

impl Shipment {
    /// The segment's number.
    pub(crate) fn segment(&self) -> i64 {
        self.logs.first().map_or(0, |files| files.segment)
    }

    /// How many batches it has.
    pub(crate) fn batches(&self) -> u32 {
        u32::try_from(self.batches.len() + 1).unwrap_or(u32::MAX)
    }
}

/// Segments that are imported together. Their import is a unit of one batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CargoRecord {
    /// The unit's name.
    pub(crate) id: UnitId,
    /// The cargo's number in the collection.
    pub(crate) number: u32,
    /// The partition that it is imported into: also where a partition key places rows, which lie in those of the same names on both
    /// sides.
    pub(crate) partition: String,
    /// Whether its files hold several fields each: an import takes all of them for what it is told.
    #[serde(default)]
    pub(crate) is_grouped: bool,
}

impl SegmentUnit {
    /// How many batches it has.
    pub(crate) fn batches(&self) -> u32 {
        let rows = match &self.taken {
            Taken::Run(run) => run.end - run.start,
            Taken::Places(places) => places.len() as u64,
        };
        u32::try_from(rows.div_ceil(self.batch_rows.max(1))).unwrap_or(u32::MAX)
    }

    /// The indexes of its batches, in order.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = BatchIndex> + use<> {
        (0..self.batches()).filter_map(|place| BatchIndex::new(place).ok())
    }

    /// Those of a batch's rows that are there: of these places, in rising order.
    pub(crate) fn rows_of(&self, batch: BatchIndex, there: &[usize]) -> Vec<usize> {
        let from = u64::from(batch.number()) * self.batch_rows;
        match &self.taken {
            Taken::Run(run) => {
                let from = (run.start + from).min(run.end);
                let upto = (from + self.batch_rows).min(run.end);
                let before = |place: u64| there.partition_point(|row| (*row as u64) < place);
                there[before(from)..before(upto)].to_vec()
            }
            Taken::Places(places) => {
                let most = usize::try_from(self.batch_rows).unwrap_or(usize::MAX);
                let meant = places
                    .chunks(most.max(1))
                    .nth(batch.number() as usize)
                    .unwrap_or_default();
                let rows = meant
                    .iter()
                    .filter_map(|place| usize::try_from(*place).ok());
                rows.filter(|row| there.binary_search(row).is_ok())
                    .collect()
            }
        }
    }
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
