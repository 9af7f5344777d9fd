//! Changes: what happened to a collection's rows after they were copied, in the order in which Milvus's log has it.
//!
//! Milvus writes every change of a collection into the log of one of the collection's channels: a topic of its message queue, which
//! several collections may share. Beside the changes the log holds ticks: none that follows a tick is older than it.

use crate::{Batch, Key, Offset};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A time of the source's clock as Milvus writes it: Unix milliseconds in the upper 46 bits, a counter in the lower 18. Never to be
/// compared with the time of another machine.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Tick(u64);

impl Tick {
    /// The tick of this number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The first tick of a millisecond since 1970.
    #[must_use]
    pub fn of_millis(millis: u64) -> Self {
        Self(millis << 18)
    }

    /// As Milvus writes it.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The Unix time in milliseconds.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0 >> 18
    }

    /// How many milliseconds of the same clock lie between an earlier tick and this one; 0 if it is not earlier.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.millis().saturating_sub(earlier.millis())
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a channel of a collection has been read: every change up to `tick` is done, and reading goes on behind `offset`, where
/// the first change that is not done may be met again together with some that are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The virtual channel: `by-dev-rootcoord-dml_3_445829v1` is a collection's share in the topic `by-dev-rootcoord-dml_3`.
    pub channel: String,
    /// Messages up to this one need not be read again.
    pub offset: Offset,
    /// Changes up to this tick are done.
    pub tick: Tick,
}

/// One change of one collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it was made. Changes of one request have the same tick.
    pub tick: Tick,
    /// The message it was read from.
    pub offset: Offset,
    /// What it is.
    pub kind: ChangeKind,
}

/// What a change is.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    /// Rows were inserted. An upsert is a delete and an insert of the same tick; the delete comes first, wherever the log has it.
    Insert {
        /// The partition's name.
        partition: String,
        /// The rows, with every column that the collection stores.
        batch: Batch,
    },
    /// Rows were deleted.
    Delete {
        /// The partition that they were deleted from; `None` for every one.
        partition: Option<String>,
        /// Their keys.
        keys: Vec<Key>,
    },
    /// A partition was created.
    CreatePartition {
        /// Its name.
        partition: String,
    },
    /// A partition was dropped with its rows.
    DropPartition {
        /// Its name.
        partition: String,
    },
    /// The collection was dropped.
    DropCollection,
}

impl ChangeKind {
    /// The bytes that the change takes in memory, nearly.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Insert { batch, .. } => batch.size_bytes(),
            Self::Delete { keys, .. } => keys.iter().map(Key::size_bytes).sum(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_ticks_is_in_milliseconds_of_their_clock() {
        let at = |millis: u64, counter: u64| Tick::new(millis << 18 | counter);
        assert_eq!(
            at(1_700_000_000_500, 3).millis_since(at(1_700_000_000_000, 9)),
            500
        );
        assert_eq!(at(1, 0).millis_since(at(2, 0)), 0);
    }
}
