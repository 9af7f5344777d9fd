//! What the target knows of a unit, and what follows for the next batch of it.
//!
//! ```text
//!            first batch arrives                      every batch durable
//! (unknown) ─────────────────────► Begun(clean) ─────────────────────────► Complete
//!                                     │  outcome unknown, or the process that began it is gone
//!                                     ▼
//!                                  Begun(in doubt) ──────────────────────► Complete
//! ```
//! Milvus does not refuse a key that is there already, and a call without an answer may have been carried out. So a batch is
//! inserted only if it certainly was never sent to Milvus before; otherwise it is upserted, which has the same effect however often
//! it is done. What makes "certainly never" true is the order: the journal says that a unit is begun before its first batch is sent.

use model::{BatchIndex, UnitProgress, unit::TooManyBatches};
use serde::{Deserialize, Serialize};

/// How a batch is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It was never sent before: insert it.
    Insert,
    /// It may be there already, whole or in part: write it so that once and twice are the same.
    Upsert,
    /// It is durable: drop it, and confirm it again.
    Known,
}

/// A unit as the target's journal holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitRecord {
    /// Which batches are durable.
    pub progress: UnitProgress,
    /// Rows durable.
    pub rows: u64,
    /// Bytes of values durable.
    pub bytes: u64,
}

/// A unit in memory: its record, and what only this process knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitLedger {
    record: UnitRecord,
    in_doubt: bool,
    /// One bit for each batch that this process has sent to Milvus.
    sent: u64,
}

impl UnitLedger {
    /// A unit that no process has begun before this one.
    ///
    /// # Errors
    /// When the unit would have more batches than a unit may.
    pub fn begin(batches: u32) -> Result<Self, TooManyBatches> {
        let record = UnitRecord {
            progress: UnitProgress::new(batches)?,
            rows: 0,
            bytes: 0,
        };
        Ok(Self {
            record,
            in_doubt: false,
            sent: 0,
        })
    }

    /// A unit that an earlier process has begun: of a batch that is not durable nobody knows whether it was sent.
    #[must_use]
    pub fn recover(record: UnitRecord) -> Self {
        Self {
            record,
            in_doubt: true,
            sent: 0,
        }
    }

    /// What the journal is to hold.
    #[must_use]
    pub fn record(&self) -> UnitRecord {
        self.record
    }

    /// A batch is about to be sent to Milvus: how?
    pub fn handle_batch(&mut self, batch: BatchIndex) -> Write {
        if self.record.progress.has(batch) {
            return Write::Known;
        }
        let bit = 1u64 << batch.number();
        let again = self.sent & bit != 0;
        self.sent |= bit;
        if self.in_doubt || again {
            Write::Upsert
        } else {
            Write::Insert
        }
    }

    /// Milvus has acknowledged a batch of so many rows and bytes. Gives the record to journal; `None` when it was known already.
    pub fn handle_acknowledged(
        &mut self,
        batch: BatchIndex,
        rows: u64,
        bytes: u64,
    ) -> Option<UnitRecord> {
        if self.record.progress.has(batch) {
            return None;
        }
        self.record.progress.mark(batch);
        self.record.rows += rows;
        self.record.bytes += bytes;
        Some(self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: u32) -> BatchIndex {
        BatchIndex::new(place).unwrap()
    }

    #[test]
    fn a_batch_is_inserted_once_and_only_upserted_again() {
        let mut unit = UnitLedger::begin(2).unwrap();
        assert_eq!(unit.handle_batch(at(0)), Write::Insert);
        assert_eq!(
            unit.handle_batch(at(0)),
            Write::Upsert,
            "the first outcome is not known"
        );
        assert_eq!(
            unit.handle_batch(at(1)),
            Write::Insert,
            "its neighbour was never sent"
        );
    }

    #[test]
    fn after_a_restart_nothing_is_inserted_into_a_unit_that_was_begun() {
        let mut before = UnitLedger::begin(3).unwrap();
        before.handle_batch(at(0));
        let journaled = before.handle_acknowledged(at(0), 10, 100).unwrap();
        let mut after = UnitLedger::recover(journaled);
        assert_eq!(after.handle_batch(at(0)), Write::Known);
        assert_eq!(after.handle_batch(at(1)), Write::Upsert);
        assert_eq!(after.handle_batch(at(2)), Write::Upsert);
    }

    #[test]
    fn an_acknowledgement_counts_once() {
        let mut unit = UnitLedger::begin(1).unwrap();
        assert!(
            unit.handle_acknowledged(at(0), 10, 100)
                .unwrap()
                .progress
                .is_complete()
        );
        assert_eq!(unit.handle_acknowledged(at(0), 10, 100), None);
        assert_eq!(unit.record().rows, 10);
    }
}
