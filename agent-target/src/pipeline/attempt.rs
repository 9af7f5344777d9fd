//! One attempt at a batch: its parts are written beside each other, and the one that ends last makes the batch durable.

use crate::ledgers::{OpenUnit, Turn};
use protocol::{BatchName, Place};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// A batch of which parts arrive.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The batch.
    pub(super) name: BatchName,
    /// How many batches its unit has.
    pub(super) unit_batches: u32,
    /// Whether some of its rows may be there already, by other batches.
    pub(super) is_again: bool,
    /// Its unit and the leave to write it, once there is one. Given back when the attempt is dropped.
    pub(super) begun: OnceCell<(Arc<OpenUnit>, Turn)>,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    /// How many parts there are, once the last has come.
    parts: Option<u32>,
    written: u32,
    rows: u64,
    bytes: u64,
}

impl Attempt {
    /// No part has come.
    pub(super) fn new(name: BatchName, unit_batches: u32, is_again: bool) -> Self {
        Self {
            name,
            unit_batches,
            is_again,
            begun: OnceCell::new(),
            tally: Mutex::default(),
        }
    }

    /// Notes that Milvus has acknowledged a part. Gives the rows and bytes of the whole batch when it was the last to be written.
    pub(super) fn handle_written(
        &self,
        place: &Place,
        rows: u64,
        bytes: u64,
    ) -> Option<(u64, u64)> {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_last_part {
            tally.parts = Some(place.part + 1);
        }
        tally.written += 1;
        tally.rows += rows;
        tally.bytes += bytes;
        (tally.parts == Some(tally.written)).then_some((tally.rows, tally.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{BatchIndex, CollectionIndex, UnitId};
    use protocol::Whole;

    #[test]
    fn a_batch_is_confirmed_by_the_part_that_is_written_last_whichever_that_is() {
        let unit = UnitId {
            collection: CollectionIndex::new(0),
            number: 0,
        };
        let name = BatchName {
            job: "j".parse().unwrap(),
            unit,
            index: BatchIndex::new(0).unwrap(),
        };
        let place = |part| Place {
            whole: Whole::Batch {
                name: name.clone(),
                unit_batches: 1,
                is_again: false,
            },
            partition: None,
            part,
            is_last_part: part == 2,
        };
        let attempt = Attempt::new(name.clone(), 1, false);
        assert_eq!(attempt.handle_written(&place(2), 5, 50), None);
        assert_eq!(attempt.handle_written(&place(0), 10, 100), None);
        let whole = attempt.handle_written(&place(1), 10, 100);
        assert_eq!(whole, Some((25, 250)));
    }
}
