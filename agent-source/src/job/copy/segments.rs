//! Copying rows from the files of segments. The files are listed once, and the journal holds them: a batch means the same rows after a
//! restart. Rows that are not there any more are left out as they are met.

use super::{CollectionRun, Read, StepError, missing};
use crate::copying::Copying;
use crate::reader::rows::malformed;
use crate::reader::segments::{Alive, Borders, LogFiles, Proof, Segments};
use crate::records::{COLLECTIONS, SEGMENT_UNITS, SegmentUnit, UNITS, collection_key, unit_key};
use futures::{FutureExt, TryStreamExt};
use model::job::{AutoId, Verify};
use model::{Batch, Fault, Unit, UnitId};
use protocol::call::Durable;
use runtime::journal::Writes;
use runtime::telemetry::metric_names::{READER_BYTES, READER_PAGE, READER_ROWS};
use std::time::Instant;

/// The most rows of a batch: more would be many for a server that makes a request of it.
const MOST_BATCH_ROWS: u64 = 16_384;

impl CollectionRun<'_> {
    /// Copies every row that is not durable yet.
    pub(super) async fn copy_segments(
        &mut self,
        durable: &Durable,
        copying: &Copying,
    ) -> Result<(), StepError> {
        if !self.record.is_listed {
            self.list_segments().await?;
        }
        let plan = &self.record.plan;
        let segments = Segments::open(self.agent, &plan.source).await?;
        let units = self.agent.segment_units(&plan.job, plan.index)?;
        let files: Vec<LogFiles> = units
            .iter()
            .filter(|unit| unit.first == 0)
            .map(|unit| unit.files.clone())
            .collect();
        let alive = segments
            .alive(&files, self.agent.limits.segment_bytes)
            .await?;
        self.record.rows_total = Some(alive.rows());
        self.agent.put_collection(&self.record).await?;
        let (run, segments, alive) = (&*self, &segments, &alive);
        futures::stream::iter(units.into_iter().map(Ok))
            .try_for_each_concurrent(self.agent.limits.readers, |unit| {
                async move {
                    run.send_segment_unit(segments, alive, &unit, durable, copying)
                        .await
                }
                .boxed()
            })
            .await?;
        copying.wait_all_arrived().await;
        Ok(())
    }

    /// Lists the segments' files, and puts their units into the journal.
    async fn list_segments(&mut self) -> Result<(), StepError> {
        let plan = &self.record.plan;
        let segments = Segments::open(self.agent, &plan.source).await?;
        let list = segments.list().await?;
        let batch_rows = self.batch_rows(&segments, &list).await?;
        let mut writes = Writes::new();
        let mut number = 0;
        for files in list {
            let Some(partition) = segments.partition(files.partition) else {
                continue;
            };
            let most = batch_rows * Unit::MAX_BATCHES as u64;
            for first in (0..files.rows).step_by(usize::try_from(most).unwrap_or(usize::MAX)) {
                let unit = SegmentUnit {
                    id: UnitId {
                        collection: plan.index,
                        number,
                    },
                    partition: partition.clone(),
                    files: files.clone(),
                    first,
                    rows: most.min(files.rows - first),
                    batch_rows,
                };
                writes.put(SEGMENT_UNITS, &unit_key(&plan.job, unit.id), &unit);
                number += 1;
            }
        }
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
        Ok(())
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

    async fn send_segment_unit(
        &self,
        segments: &Segments<'_>,
        alive: &Alive,
        unit: &SegmentUnit,
        durable: &Durable,
        copying: &Copying,
    ) -> Result<(), StepError> {
        let missing = missing(durable, unit.id, unit.indexes());
        if missing.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let rows = segments.rows(&unit.files).await?;
        let there = segments.there(&unit.files, rows.keys(), alive)?;
        metrics::histogram!(READER_PAGE).record(begun.elapsed());
        for index in missing {
            let permit = self.agent.hold_batch().await;
            let meant = unit.rows_of(index);
            let from = there.partition_point(|row| (*row as u64) < meant.start);
            let upto = there.partition_point(|row| (*row as u64) < meant.end);
            // A batch without a row is one nevertheless: somebody waits for it.
            let batch = match &there[from..upto] {
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
            self.send_batch(read, permit, copying).await?;
        }
        Ok(())
    }
}
