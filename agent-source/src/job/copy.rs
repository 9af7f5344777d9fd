//! Copying a collection's rows: units are found, read, packed and sent, each stage a few ahead of the next.
//!
//! This is where the reader and the outbox meet; neither knows the other.

mod listing;
mod segments;
mod shipping;

use super::StepError;
use super::collection::CollectionRun;
use crate::copying::Copying;
use crate::outbox::{Parcel, Portion, Portions};
use crate::reader::RowReader;
use crate::reader::divide::{Divider, UnitSink};
use crate::reader::rows::MilvusRows;
use crate::reader::segments::keep_files;
use crate::records::{UNITS, unit_key};
use futures::{FutureExt, StreamExt, TryStreamExt};
use model::{Batch, BatchIndex, Fault, Unit, UnitId, UnitProgress};
use protocol::call::Durable;
use protocol::{BatchName, Whole};
use runtime::budget::Permit;
use runtime::journal::Writes;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;

/// How many units may be known before they are read.
const UNITS_AHEAD: usize = 16;

impl CollectionRun<'_> {
    /// Copies every row that is not durable yet; all are when this returns.
    #[tracing::instrument(name = "copy", skip_all)]
    pub(super) async fn copy(&mut self, durable: Durable) -> Result<(), StepError> {
        let (plan, agent) = (self.record.plan.clone(), self.agent);
        let copying = Arc::new(Copying::new(durable.rows, durable.bytes));
        self.agent
            .confirmations
            .begin(&plan.job, plan.index, copying.clone());
        let outcome = tokio::select! {
            outcome = self.copy_units(&durable, &copying) => outcome,
            () = agent.show_arrivals(&plan, copying.watch()) => Ok(()),
        };
        if outcome.is_err() && (self.is_live() || self.record.from_segments) {
            // What is on its way arrives before the target may be told to drop the collection, and before its rows are sent in other
            // batches, of other segments.
            copying.wait_all_arrived().await;
        }
        self.agent.confirmations.end(&plan.job, plan.index);
        outcome?;
        let arrived = *copying.watch().borrow();
        self.record.copied = (arrived.rows, arrived.bytes);
        // In the journal with the next phase: until then, dividing finds at most its own last unit again.
        self.record.is_divided = !self.record.from_segments;
        Ok(())
    }

    async fn copy_units(&mut self, durable: &Durable, copying: &Copying) -> Result<(), StepError> {
        if self.record.from_segments {
            let (agent, source) = (self.agent, self.record.plan.source.clone());
            let copied = self.copy_segments(durable, copying).boxed();
            return keep_files(agent, &source, copied).await;
        }
        let plan = &self.record.plan;
        let rows = MilvusRows::new(self.agent, &plan.source, self.record.is_empty)
            .await?
            .live(self.is_live());
        let (found, units) = mpsc::channel(UNITS_AHEAD);
        let finding = self.find_units(&rows, found).boxed();
        let sending = tokio_stream::wrappers::ReceiverStream::new(units)
            .map(Ok)
            .try_for_each_concurrent(self.agent.limits.readers, |unit| {
                self.send_unit(&rows, unit, durable, copying).boxed()
            })
            .boxed();
        let ((), ()) = futures::try_join!(finding, sending)?;
        copying.wait_all_arrived().await;
        Ok(())
    }

    /// Gives the units that the journal knows, then finds the others.
    async fn find_units(
        &self,
        rows: &MilvusRows<'_>,
        found: mpsc::Sender<Unit>,
    ) -> Result<(), StepError> {
        let plan = &self.record.plan;
        let mut last = None;
        for number in 0.. {
            let Some(unit) = self.agent.unit(
                &plan.job,
                UnitId {
                    collection: plan.index,
                    number,
                },
            )?
            else {
                break;
            };
            last = Some(unit.clone());
            // Nobody takes units any more only when sending has failed; its error is the one to tell.
            let _ = found.send(unit).await;
        }
        if self.record.is_divided {
            return Ok(());
        }
        let partitions = if plan.source.schema.has_partition_key() {
            vec![None]
        } else {
            plan.source.partitions.iter().cloned().map(Some).collect()
        };
        let found = Some(found);
        let units = JournaledUnits { run: self, found };
        self.divide(rows, partitions, last.as_ref(), units).await
    }

    async fn divide(
        &self,
        rows: &MilvusRows<'_>,
        partitions: Vec<Option<String>>,
        last: Option<&Unit>,
        mut units: JournaledUnits<'_, '_>,
    ) -> Result<(), StepError> {
        let divider = Divider {
            reader: rows,
            collection: self.record.plan.index,
            partitions,
            batch_bytes: self.agent.limits.batch_bytes,
        };
        Ok(divider.divide(last, &mut units).await?)
    }

    /// Finds units in the partitions that were made since the copy, so that their rows are compared with all others.
    pub(super) async fn divide_new_partitions(&self) -> Result<(), StepError> {
        let plan = &self.record.plan;
        let source = &plan.source;
        if source.schema.has_partition_key() {
            return Ok(());
        }
        let (mut divided, mut last) = (BTreeSet::new(), None);
        for number in 0..self.agent.units_of(&plan.job, plan.index)? {
            let collection = plan.index;
            last = self.agent.unit(&plan.job, UnitId { collection, number })?;
            // The last unit of a partition is the one without an end.
            divided.extend(
                last.iter()
                    .filter(|unit| unit.open)
                    .map(|unit| unit.partition.clone()),
            );
        }
        let milvus = self.agent.milvus.in_database(&source.name.database);
        let partitions = milvus.list_partitions(&source.name.collection).await;
        let mut partitions: Vec<_> = partitions
            .map_err(Fault::from)?
            .into_iter()
            .map(Some)
            .collect();
        partitions.retain(|partition| !divided.contains(partition));
        partitions.sort_by_key(|partition| {
            last.as_ref()
                .is_none_or(|last| last.partition != *partition)
        });
        let rows = MilvusRows::new(self.agent, source, self.record.is_empty)
            .await?
            .live(true);
        let units = JournaledUnits {
            run: self,
            found: None,
        };
        self.divide(&rows, partitions, last.as_ref(), units).await
    }

    async fn send_unit(
        &self,
        rows: &MilvusRows<'_>,
        unit: Unit,
        durable: &Durable,
        copying: &Copying,
    ) -> Result<(), StepError> {
        for index in missing(durable, unit.id, unit.indexes()) {
            let Some(range) = unit.range_of(index) else {
                continue;
            };
            let permit = self.agent.hold_batch().await;
            let read = Read {
                unit: unit.id,
                batches: unit.batches(),
                is_again: false,
                index,
                partition: unit.partition.clone(),
                parts: rows.read(unit.partition.as_deref(), &range).await?,
            };
            self.send_batch(read, permit, copying).await?;
        }
        Ok(())
    }

    /// Sends a batch that was read.
    async fn send_batch(
        &self,
        read: Read,
        permit: Permit,
        copying: &Copying,
    ) -> Result<(), StepError> {
        let name = BatchName {
            job: self.record.plan.job.clone(),
            unit: read.unit,
            index: read.index,
        };
        let mut leaving = copying.begin(name.clone());
        let whole = Whole::Batch {
            name,
            unit_batches: read.batches,
            is_again: read.is_again,
        };
        let portion = |rows| Portion {
            whole: whole.clone(),
            partition: read.partition.clone(),
            rows,
        };
        let parcel = Parcel {
            portions: Portions::Ready(read.parts.into_iter().map(portion).collect()),
            permit: Some(permit),
        };
        self.session.outbox.send(parcel).await?;
        leaving.handle_sent();
        Ok(())
    }
}

/// Those batches of a unit that are not durable yet.
fn missing(
    durable: &Durable,
    unit: UnitId,
    batches: impl Iterator<Item = BatchIndex>,
) -> Vec<BatchIndex> {
    let Some(progress) = durable.missing_of(unit.number) else {
        return Vec::new();
    };
    let is_durable =
        |index: &BatchIndex| progress.is_some_and(|progress: UnitProgress| progress.has(*index));
    batches.filter(|index| !is_durable(index)).collect()
}

/// A batch that was read.
struct Read {
    unit: UnitId,
    /// How many batches its unit has.
    batches: u32,
    /// Whether some of its rows may have been sent already, by other batches.
    is_again: bool,
    index: BatchIndex,
    partition: Option<String>,
    /// Its rows; of a batch without any, one part without rows.
    parts: Vec<Batch>,
}

/// Puts each unit into the journal, then hands it on.
struct JournaledUnits<'a, 'b> {
    run: &'a CollectionRun<'b>,
    /// Who copies them; nobody when their rows are on the target already.
    found: Option<mpsc::Sender<Unit>>,
}

impl UnitSink for JournaledUnits<'_, '_> {
    async fn take(&mut self, unit: Unit) -> Result<(), Fault> {
        let points = self.run.agent.journal.points();
        points.pass("source.unit.found.before");
        let mut writes = Writes::new();
        writes.put(UNITS, &unit_key(&self.run.record.plan.job, unit.id), &unit);
        let _ = self.run.agent.journal.commit(writes).await?;
        points.pass("source.unit.found.after");
        if let Some(found) = &self.found {
            // As above: nobody takes units only after an error of its own.
            let _ = found.send(unit).await;
        }
        Ok(())
    }
}
