//! Copying rows from the files of segments. The files are listed once, and the journal holds them: a batch means the same rows after a
//! restart. Rows that are not there any more are left out as they are met.

use super::{CollectionRun, Read, StepError, missing};
use crate::copying::Copying;
use crate::reader::rows::malformed;
use crate::reader::segments::{Alive, Borders, LogFiles, Proof, Segments};
use crate::records::{
    COLLECTIONS, SEGMENT_UNITS, SegmentUnit, Shipment, Taken, UNITS, collection_key, unit_key,
};
use futures::{FutureExt, TryStreamExt};
use model::job::{AutoId, Verify};
use model::{Batch, CollectionIndex, Fault, JobName, Unit, UnitId};
use protocol::call::Durable;
use runtime::journal::Writes;
use runtime::telemetry::metric_names::{READER_BYTES, READER_PAGE, READER_ROWS};
use std::time::Instant;

/// The most rows of a batch: more would be many for a server that makes a request of it.
const MOST_BATCH_ROWS: u64 = 16_384;

/// What the units of a collection are copied by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) segments: &'a Segments<'a>,
    pub(super) alive: &'a Alive,
    pub(super) durable: &'a Durable,
    pub(super) copying: &'a Copying,
}

/// Units that are found, each with the next number.
#[derive(Debug)]
pub(super) struct NewUnits<'a> {
    pub(super) job: &'a JobName,
    pub(super) collection: CollectionIndex,
    pub(super) writes: Writes,
    number: u32,
}

impl NewUnits<'_> {
    /// The name of the next unit.
    pub(super) fn next(&mut self) -> UnitId {
        self.number += 1;
        UnitId {
            collection: self.collection,
            number: self.number - 1,
        }
    }

    /// A unit of rows.
    pub(super) fn rows(
        &mut self,
        partition: Option<String>,
        files: &LogFiles,
        taken: Taken,
        batch_rows: u64,
    ) {
        let unit = SegmentUnit {
            id: self.next(),
            partition,
            files: files.clone(),
            taken,
            batch_rows,
        };
        let key = unit_key(self.job, unit.id);
        self.writes.put(SEGMENT_UNITS, &key, &unit);
    }
}

impl CollectionRun<'_> {
    /// Copies every row that is not durable yet.
    pub(super) async fn copy_segments(
        &mut self,
        durable: &Durable,
        copying: &Copying,
    ) -> Result<(), StepError> {
        let listed = match self.record.is_listed {
            false => self.list_segments().await?,
            true => None,
        };
        let plan = &self.record.plan;
        let segments = Segments::open(self.agent, &plan.source).await?;
        let units = self.agent.segment_units(&plan.job, plan.index)?;
        let shipments = self.agent.shipments(&plan.job, plan.index)?;
        let alive = match listed {
            Some(alive) => alive,
            None => {
                let files = self.files_of(&units, &shipments);
                let most_bytes = self.agent.limits.segment_bytes;
                segments.alive(&files, most_bytes).await?
            }
        };
        self.record.rows_total = Some(alive.rows());
        self.agent.put_collection(&self.record).await?;
        let (run, segments, alive) = (&*self, &segments, &alive);
        let way = Way {
            segments,
            alive,
            durable,
            copying,
        };
        run.ship(&way, shipments).boxed().await?;
        futures::stream::iter(units.into_iter().map(Ok))
            .try_for_each_concurrent(self.agent.limits.readers, |unit| {
                let way = &way;
                async move { run.send_segment_unit(way, &unit).await }.boxed()
            })
            .await?;
        copying.wait_all_arrived().await;
        Ok(())
    }

    /// Lists the segments' files, and puts their units into the journal. Gives which rows are there, if that had to be known.
    async fn list_segments(&mut self) -> Result<Option<Alive>, StepError> {
        let plan = &self.record.plan;
        let segments = Segments::open(self.agent, &plan.source).await?;
        let list = segments.list().await?;
        let batch_rows = self.batch_rows(&segments, &list).await?;
        let mut units = NewUnits {
            job: &plan.job,
            collection: plan.index,
            writes: Writes::new(),
            number: 0,
        };
        let mut alive = None;
        if self.record.is_shipped {
            let shipped = self.list_shipped(&segments, list, batch_rows, &mut units);
            alive = Some(shipped.await?);
        } else {
            for files in list {
                let Some(partition) = segments.partition(files.partition) else {
                    continue;
                };
                let most = batch_rows * Unit::MAX_BATCHES as u64;
                for first in (0..files.rows).step_by(usize::try_from(most).unwrap_or(usize::MAX)) {
                    let taken = Taken::Run(first..(first + most).min(files.rows));
                    units.rows(partition.clone(), &files, taken, batch_rows);
                }
            }
        }
        let NewUnits {
            mut writes, number, ..
        } = units;
        self.record.is_listed = true;
        let key = collection_key(&self.record.plan.job, self.record.plan.index);
        writes.put(COLLECTIONS, &key, &self.record);
        let points = self.agent.journal.points();
        points.pass("source.segments.listed.before");
        let _ = self
            .agent
            .journal
            .commit(writes)
            .await
            .map_err(Fault::from)?;
        points.pass("source.segments.listed.after");
        tracing::info!(units = number, "segments are listed");
        Ok(alive)
    }

    /// Reads what the segments say of all rows, for the target to be held against; and finds the ranges of keys by which that is done.
    pub(in crate::job) async fn read_proof(&mut self) -> Result<(), StepError> {
        let plan = self.record.plan.clone();
        let segments = Segments::open(self.agent, &plan.source).await?;
        let list = segments.list().await?;
        let alive = segments
            .alive(&list, self.agent.limits.segment_bytes)
            .await?;
        let units = match self.job.spec.verify {
            Verify::Content => self.proof_units(&segments, &list, &alive).await?,
            Verify::Counts | Verify::None => Vec::new(),
        };
        let is_key_hashed =
            !(self.job.spec.auto_id == AutoId::Regenerate && plan.source.schema.has_auto_id());
        let proof = Proof::take(&segments, list, alive, units, is_key_hashed).await?;
        self.agent.proofs.keep(&plan.job, plan.index, proof);
        Ok(())
    }

    async fn proof_units(
        &self,
        segments: &Segments<'_>,
        list: &[LogFiles],
        alive: &Alive,
    ) -> Result<Vec<Unit>, Fault> {
        let plan = &self.record.plan;
        let mut known = Vec::new();
        for number in 0..self.agent.units_of(&plan.job, plan.index)? {
            let collection = plan.index;
            known.extend(self.agent.unit(&plan.job, UnitId { collection, number })?);
        }
        let number = known.len();
        let borders = Borders {
            collection: plan.index,
            // Ranges between borders by chance are of unlike size: few are three times as large.
            rows: (self.batch_rows(segments, list).await? / 2).max(1),
        };
        let units = borders.find(segments, list, alive, known).await?;
        let mut writes = Writes::new();
        for unit in &units[number..] {
            writes.put(UNITS, &unit_key(&plan.job, unit.id), unit);
        }
        let _ = self.agent.journal.commit(writes).await?;
        Ok(units)
    }

    /// How many rows make a batch of the wanted size, by the size of some.
    async fn batch_rows(&self, segments: &Segments<'_>, list: &[LogFiles]) -> Result<u64, Fault> {
        let Some(some) = list.iter().find(|files| files.rows > 0) else {
            return Ok(MOST_BATCH_ROWS);
        };
        let rows = segments.rows(some).await?;
        let rows = (self.agent.limits.batch_bytes / rows.row_bytes()) as u64;
        Ok(rows.clamp(1, MOST_BATCH_ROWS))
    }

    /// The files of all rows that are copied.
    fn files_of(&self, units: &[SegmentUnit], shipments: &[Shipment]) -> Vec<LogFiles> {
        if self.record.is_shipped {
            let logs = shipments.iter().flat_map(|shipment| &shipment.logs);
            return logs.cloned().collect();
        }
        let is_first =
            |unit: &&SegmentUnit| matches!(&unit.taken, Taken::Run(run) if run.start == 0);
        let first = units.iter().filter(is_first);
        first.map(|unit| unit.files.clone()).collect()
    }

    async fn send_segment_unit(&self, way: &Way<'_>, unit: &SegmentUnit) -> Result<(), StepError> {
        let Way {
            segments, alive, ..
        } = way;
        let missing = missing(way.durable, unit.id, unit.indexes());
        if missing.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let rows = segments.rows(&unit.files).await?;
        let there = segments.there(&unit.files, rows.keys(), alive)?;
        metrics::histogram!(READER_PAGE).record(begun.elapsed());
        for index in missing {
            let permit = self.agent.hold_batch().await;
            // A batch without a row is one nevertheless: somebody waits for it.
            let batch = match &unit.rows_of(index, &there)[..] {
                [] => Batch::default(),
                some => rows.batch(some).map_err(|error| malformed(&error))?,
            };
            let (rows, bytes) = (u64::from(batch.rows), batch.size_bytes() as u64);
            metrics::counter!(READER_ROWS).increment(rows);
            metrics::counter!(READER_BYTES).increment(bytes);
            self.agent.throttle(rows, bytes).await;
            let read = Read {
                unit: unit.id,
                batches: unit.batches(),
                index,
                partition: unit.partition.clone(),
                parts: vec![batch],
            };
            self.send_batch(read, permit, way.copying).await?;
        }
        Ok(())
    }
}
