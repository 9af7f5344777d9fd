//! Copying rows from the files of segments. Which those are is in the journal: a batch means the same rows after a restart. Rows that are
//! not there any more are left out as they are met.

use super::listing::Listing;
use super::{CollectionRun, Read, StepError, missing};
use crate::copying::Copying;
use crate::reader::rows::malformed;
use crate::reader::segments::{Alive, Borders, LogFiles, Proof, Replaced, Segments};
use crate::records::{SegmentUnit, UNITS, unit_key};
use futures::{FutureExt, TryStreamExt};
use model::job::{AutoId, Verify};
use model::{Batch, Fault, Unit, UnitId};
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
    pub(super) replaced: &'a Replaced,
    pub(super) durable: &'a Durable,
    pub(super) copying: &'a Copying,
}

impl CollectionRun<'_> {
    /// Copies every row that is not durable yet.
    pub(super) async fn copy_segments(
        &mut self,
        durable: &Durable,
        copying: &Copying,
    ) -> Result<(), StepError> {
        let listed = self.list_segments(durable).await?;
        let plan = &self.record.plan;
        let segments = Segments::open(self.agent, &plan.source).await?;
        let listing = Listing::read(self.agent, plan)?;
        let alive = match listed {
            Some(alive) => alive,
            None => {
                let most_bytes = self.agent.limits.segment_bytes;
                segments.alive(&listing.files(), most_bytes).await?
            }
        };
        let replaced = listing.replaced(&plan.job);
        self.record.rows_total = Some(alive.rows());
        self.agent.put_collection(&self.record).await?;
        let (run, segments, alive) = (&*self, &segments, &alive);
        let way = Way {
            segments,
            alive,
            replaced: &replaced,
            durable,
            copying,
        };
        run.ship(&way, listing.shipments).boxed().await?;
        futures::stream::iter(listing.units.into_iter().map(Ok))
            .try_for_each_concurrent(self.agent.limits.readers, |unit| {
                let way = &way;
                async move { run.send_segment_unit(way, &unit).await }.boxed()
            })
            .await?;
        copying.wait_all_arrived().await;
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
    pub(super) async fn batch_rows(
        &self,
        segments: &Segments<'_>,
        list: &[LogFiles],
    ) -> Result<u64, Fault> {
        let Some(some) = list.iter().find(|files| files.rows > 0) else {
            return Ok(MOST_BATCH_ROWS);
        };
        let rows = segments.rows(some).await?;
        let rows = (self.agent.limits.batch_bytes / rows.row_bytes()) as u64;
        Ok(rows.clamp(1, MOST_BATCH_ROWS))
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
                is_again: unit.is_again,
                index,
                partition: unit.partition.clone(),
                parts: vec![batch],
            };
            self.send_batch(read, permit, way.copying).await?;
        }
        Ok(())
    }
}
