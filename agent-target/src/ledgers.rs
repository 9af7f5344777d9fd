//! The units that are being written, each under the rules of [`protocol::ledger`], with its place in the journal.
//!
//! Invariants:
//! - before the first batch of a unit is given out to be written, the journal says that the unit is begun;
//! - a batch is durable, and so confirmed, only after the journal says so;
//! - of two attempts at one batch the second waits for the first to end.

use crate::records::{UNITS, collection_key, unit_key};
use model::{BatchIndex, Class, CollectionIndex, Fault, JobName, UnitId, codes};
use protocol::BatchName;
use protocol::call::Durable;
use protocol::ledger::{UnitLedger, Write};
use runtime::journal::{Journal, JournalError, Span, Writes};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The units of all jobs that have batches on their way.
#[derive(Debug)]
pub(crate) struct Ledgers {
    journal: Arc<dyn Journal>,
    open: Mutex<HashMap<(JobName, UnitId), Arc<OpenUnit>>>,
}

/// A unit that is being written.
#[derive(Debug)]
pub(crate) struct OpenUnit {
    ledger: tokio::sync::OnceCell<Mutex<UnitLedger>>,
    /// Held from the choice of a record until it is in the journal, so that no older record follows a newer one.
    journaling: tokio::sync::Mutex<()>,
    /// One for each batch, held while it is written.
    busy: Vec<Arc<tokio::sync::Mutex<()>>>,
}

/// Leave to write a batch, held until its outcome is known.
#[derive(Debug)]
pub(crate) struct Turn {
    /// How it is to be written.
    pub(crate) write: Write,
    _busy: tokio::sync::OwnedMutexGuard<()>,
}

impl OpenUnit {
    fn new(batches: u32) -> Self {
        let busy = (0..batches).map(|_| Arc::default()).collect();
        Self {
            ledger: tokio::sync::OnceCell::new(),
            journaling: tokio::sync::Mutex::new(()),
            busy,
        }
    }

    /// Waits for an earlier attempt at this batch to end, and says how it is to be written now; `None` when the unit has no such batch.
    ///
    /// # Cancel safety
    /// A turn that was given and dropped counts as an attempt of unknown outcome.
    pub(crate) async fn turn(&self, batch: BatchIndex) -> Option<Turn> {
        let busy = self.busy.get(batch.number() as usize)?.clone();
        let busy = busy.lock_owned().await;
        let write = self
            .ledger
            .get()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle_batch(batch);
        Some(Turn { write, _busy: busy })
    }

    fn ledger(&self) -> Option<std::sync::MutexGuard<'_, UnitLedger>> {
        Some(
            self.ledger
                .get()?
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Ledgers {
    /// No unit is open.
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            open: Mutex::default(),
        }
    }

    /// The unit, begun: in the journal before this returns.
    ///
    /// # Cancel safety
    /// Another caller goes on where this one stopped.
    pub(crate) async fn unit(
        &self,
        name: &BatchName,
        batches: u32,
    ) -> Result<Arc<OpenUnit>, Fault> {
        let entry = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.entry((name.job.clone(), name.unit))
                .or_insert_with(|| Arc::new(OpenUnit::new(batches)))
                .clone()
        };
        entry
            .ledger
            .get_or_try_init(|| self.begin(name, batches))
            .await?;
        Ok(entry)
    }

    async fn begin(&self, name: &BatchName, batches: u32) -> Result<Mutex<UnitLedger>, Fault> {
        let key = unit_key(&name.job, name.unit);
        let known = self
            .journal
            .view()
            .and_then(|view| view.find(UNITS, &key))
            .map_err(Fault::from)?;
        if let Some(record) = known {
            return Ok(Mutex::new(UnitLedger::recover(record)));
        }
        let ledger = UnitLedger::begin(batches).map_err(|error| {
            Fault::new(
                codes::PROTOCOL_VIOLATION,
                Class::Bug,
                format!("unit {}: {error}", name.unit),
                "report this as a defect of Passage",
            )
        })?;
        self.journal.points().pass("target.unit.begin.before");
        let mut writes = Writes::new();
        writes.put(UNITS, &key, &ledger.record());
        let _ = self.journal.commit(writes).await?;
        self.journal.points().pass("target.unit.begin.after");
        Ok(Mutex::new(ledger))
    }

    /// Notes that Milvus has acknowledged a batch: durable when this returns.
    ///
    /// # Cancel safety
    /// When dropped, the batch may or may not be noted; noting it again does no harm.
    pub(crate) async fn acknowledge(
        &self,
        name: &BatchName,
        unit: &OpenUnit,
        rows: u64,
        bytes: u64,
    ) -> Result<(), JournalError> {
        let _journaling = unit.journaling.lock().await;
        let Some(mut next) = unit.ledger().map(|ledger| *ledger) else {
            return Ok(());
        };
        let Some(record) = next.handle_acknowledged(name.index, rows, bytes) else {
            return Ok(());
        };
        self.journal.points().pass("target.batch.durable.before");
        let mut writes = Writes::new();
        writes.put(UNITS, &unit_key(&name.job, name.unit), &record);
        let _ = self.journal.commit(writes).await?;
        self.journal.points().pass("target.batch.durable.after");
        if let Some(mut ledger) = unit.ledger() {
            ledger.handle_acknowledged(name.index, rows, bytes);
        }
        if record.progress.is_complete() {
            self.open
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&(name.job.clone(), name.unit));
        }
        Ok(())
    }

    /// What is durable of a collection.
    pub(crate) fn durable(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<Durable, JournalError> {
        let mut durable = Durable::default();
        for entry in self
            .journal
            .view()?
            .scan(UNITS, &Span::under(&collection_key(job, index)))?
        {
            let (key, record) = entry?;
            let number =
                u32::try_from(key.number_before_end(0).unwrap_or_default()).unwrap_or(u32::MAX);
            durable.rows += record.rows;
            durable.bytes += record.bytes;
            match (record.progress.is_complete(), durable.complete.last_mut()) {
                (false, _) => durable.partial.push((number, record.progress)),
                (true, Some((_, last))) if *last + 1 == number => *last = number,
                (true, _) => durable.complete.push((number, number)),
            }
        }
        Ok(durable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::journal::MemoryJournal;

    fn name(unit: u32, batch: u32) -> BatchName {
        let unit = UnitId {
            collection: CollectionIndex::new(0),
            number: unit,
        };
        BatchName {
            job: "j".parse().unwrap(),
            unit,
            index: BatchIndex::new(batch).unwrap(),
        }
    }

    async fn write(ledgers: &Ledgers, name: &BatchName, batches: u32) -> Write {
        let unit = ledgers.unit(name, batches).await.unwrap();
        let turn = unit.turn(name.index).await.unwrap();
        ledgers.acknowledge(name, &unit, 10, 100).await.unwrap();
        turn.write
    }

    #[tokio::test]
    async fn a_restart_between_sending_and_noting_leads_to_an_upsert() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let before = Ledgers::new(journal.clone());
        assert_eq!(write(&before, &name(0, 0), 2).await, Write::Insert);
        let sent_and_lost = before.unit(&name(0, 1), 2).await.unwrap();
        assert_eq!(
            sent_and_lost.turn(name(0, 1).index).await.unwrap().write,
            Write::Insert
        );

        let after = Ledgers::new(journal);
        assert_eq!(write(&after, &name(0, 0), 2).await, Write::Known);
        assert_eq!(write(&after, &name(0, 1), 2).await, Write::Upsert);
        assert_eq!(
            write(&after, &name(1, 0), 1).await,
            Write::Insert,
            "its neighbour was never begun"
        );
    }

    #[tokio::test]
    async fn what_is_durable_is_told_in_ranges() {
        let ledgers = Ledgers::new(Arc::new(MemoryJournal::new()));
        for unit in [0, 1, 2, 5] {
            write(&ledgers, &name(unit, 0), 1).await;
        }
        write(&ledgers, &name(6, 1), 2).await;
        let durable = ledgers
            .durable(&"j".parse().unwrap(), CollectionIndex::new(0))
            .unwrap();
        assert_eq!(durable.complete, vec![(0, 2), (5, 5)]);
        assert_eq!(durable.partial.len(), 1);
        assert_eq!(durable.rows, 50);
        assert_eq!(durable.missing_of(1), None);
        assert_eq!(durable.missing_of(3), Some(None));
    }
}
