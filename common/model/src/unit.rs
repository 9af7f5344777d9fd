//! Units: the pieces in which rows are copied and verified.
//!
//! Invariants:
//! - the units of one partition, in the order of their numbers, tile its key space: the first begins before every key, each
//!   begins where the one before it ended, the last has no upper bound. So no row can fall between two of them, whatever
//!   order the server answered in when the borders were found;
//! - a unit is split further into batches, by borders that never change once they are journaled: a batch index means the same
//!   rows after a restart;
//! - a unit has at most [`Unit::MAX_BATCHES`] batches, so that its progress is one word.

use crate::{CollectionIndex, Key, KeyRange};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a unit: the collection's place in the job, and the unit's number inside the collection, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnitId {
    /// The collection.
    pub collection: CollectionIndex,
    /// The number of the unit in its collection.
    pub number: u32,
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.number)
    }
}

/// The place of a batch in its unit, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BatchIndex(u8);

impl BatchIndex {
    /// The batch at this place.
    ///
    /// # Errors
    /// When the place is not below [`Unit::MAX_BATCHES`].
    pub fn new(place: u32) -> Result<Self, TooManyBatches> {
        u8::try_from(place)
            .ok()
            .filter(|place| usize::from(*place) < Unit::MAX_BATCHES)
            .map(Self)
            .ok_or(TooManyBatches(place))
    }

    /// The place as a number.
    #[must_use]
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }
}

/// A batch index beyond what a unit can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("batch index {0} is beyond the {max} batches that a unit holds", max = Unit::MAX_BATCHES)]
pub struct TooManyBatches(u32);

/// A range of primary keys of one partition, split into batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The unit's name.
    pub id: UnitId,
    /// The partition; `None` where rows are placed by a partition key, and partitions can't be addressed.
    pub partition: Option<String>,
    /// The greatest key below the unit; `None` for the first of its partition.
    pub after: Option<Key>,
    /// The greatest key of each batch, rising; the last batch of an open unit has none.
    pub borders: Vec<Key>,
    /// Whether a last batch without upper bound follows the borders: so it is in the last unit of a partition.
    pub open: bool,
}

impl Unit {
    /// The most batches that a unit may have.
    pub const MAX_BATCHES: usize = 64;

    /// The number of batches in this unit.
    #[must_use]
    pub fn batches(&self) -> u32 {
        u32::try_from(self.borders.len() + usize::from(self.open)).unwrap_or(u32::MAX)
    }

    /// The batch indexes of this unit, in order.
    pub fn indexes(&self) -> impl Iterator<Item = BatchIndex> + use<> {
        (0..self.batches()).filter_map(|place| BatchIndex::new(place).ok())
    }

    /// The keys of one batch; `None` when the unit has no such batch.
    #[must_use]
    pub fn range_of(&self, batch: BatchIndex) -> Option<KeyRange> {
        let place = usize::from(batch.0);
        let after = if place == 0 {
            self.after.clone()
        } else {
            Some(self.borders.get(place - 1)?.clone())
        };
        match self.borders.get(place) {
            Some(upto) => Some(KeyRange {
                after,
                upto: Some(upto.clone()),
            }),
            None if self.open && place == self.borders.len() => {
                Some(KeyRange { after, upto: None })
            }
            None => None,
        }
    }

    /// The keys of the whole unit.
    #[must_use]
    pub fn range(&self) -> KeyRange {
        let upto = if self.open {
            None
        } else {
            self.borders.last().cloned()
        };
        KeyRange {
            after: self.after.clone(),
            upto,
        }
    }
}

/// Which batches of a unit are durable on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitProgress {
    /// How many batches the unit has.
    batches: u8,
    /// One bit for each batch, the lowest for batch 0: set when the batch is durable.
    durable: u64,
}

impl UnitProgress {
    /// A unit of which nothing is durable yet.
    ///
    /// # Errors
    /// When the unit would have more batches than a unit may.
    pub fn new(batches: u32) -> Result<Self, TooManyBatches> {
        if batches as usize > Unit::MAX_BATCHES {
            return Err(TooManyBatches(batches));
        }
        Ok(Self {
            batches: u8::try_from(batches).map_err(|_| TooManyBatches(batches))?,
            durable: 0,
        })
    }

    /// Takes progress apart for the wire: how many batches, and a bit for each durable one.
    #[must_use]
    pub fn to_bits(self) -> (u32, u64) {
        (u32::from(self.batches), self.durable)
    }

    /// Puts progress together from the wire.
    ///
    /// # Errors
    /// When the unit would have more batches than a unit may.
    pub fn from_bits(batches: u32, durable: u64) -> Result<Self, TooManyBatches> {
        Ok(Self {
            durable,
            ..Self::new(batches)?
        })
    }

    /// Notes that a batch is durable. Noting it twice is the same as once.
    pub fn mark(&mut self, batch: BatchIndex) {
        self.durable |= 1 << batch.0;
    }

    /// Whether this batch is durable.
    #[must_use]
    pub fn has(self, batch: BatchIndex) -> bool {
        self.durable & (1 << batch.0) != 0
    }

    /// Whether every batch is durable.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.durable.count_ones() == u32::from(self.batches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(open: bool) -> Unit {
        let id = UnitId {
            collection: CollectionIndex::new(0),
            number: 0,
        };
        Unit {
            id,
            partition: None,
            after: Some(Key::Int64(0)),
            borders: vec![Key::Int64(10), Key::Int64(20)],
            open,
        }
    }

    #[test]
    fn batches_tile_the_unit() {
        let ranges: Vec<_> = unit(true)
            .indexes()
            .filter_map(|i| unit(true).range_of(i))
            .collect();
        assert_eq!(ranges.len(), 3);
        for pair in ranges.windows(2) {
            assert_eq!(pair[0].upto, pair[1].after);
        }
        assert_eq!(ranges[0].after, Some(Key::Int64(0)));
        assert_eq!(ranges[2].upto, None);
    }

    #[test]
    fn a_closed_unit_has_no_batch_behind_its_last_border() {
        let beyond = BatchIndex::new(2).unwrap();
        assert_eq!(unit(false).range_of(beyond), None);
    }

    #[test]
    fn a_unit_of_64_batches_completes_only_with_the_last() {
        let mut progress = UnitProgress::new(64).unwrap();
        for place in 0..63 {
            progress.mark(BatchIndex::new(place).unwrap());
        }
        assert!(!progress.is_complete());
        progress.mark(BatchIndex::new(63).unwrap());
        assert!(progress.is_complete());
        assert!(UnitProgress::new(65).is_err());
    }
}
