//! The place of a message in its topic.
//!
//! Most message queues number the messages of a topic: 64 bits. Pulsar keeps a topic in ledgers, each with entries, and an entry may
//! be a batch of messages: the ledger's number stands in the upper 64 bits, the entry's in the next 40, and the place in the batch in
//! the last 24. Numbers of both kinds rise with the topic; a place of the one kind is none of the other.

use serde::{Deserialize, Serialize};
use std::fmt;

const ENTRY_BITS: u32 = 40;
const INDEX_BITS: u32 = 24;

/// The place of a message in its topic, as the message queue numbers them: rising, not without gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Offset(u128);

impl Offset {
    /// The greatest place in a batch: behind it there is nothing more of the entry.
    pub const LAST_INDEX: u32 = (1 << INDEX_BITS) - 1;

    /// The place of this number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number.into())
    }

    /// The number, where the queue numbers messages; greater than any for a place in a ledger.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::try_from(self.0).unwrap_or(u64::MAX)
    }

    /// The place of a message in an entry of a ledger; `None` where a number is greater than one of a ledger can be: 2^40 entries,
    /// of 2^24 messages.
    #[must_use]
    pub fn in_ledger(ledger: u64, entry: u64, index: u32) -> Option<Self> {
        if entry >> ENTRY_BITS != 0 || index > Self::LAST_INDEX {
            return None;
        }
        let low = entry << INDEX_BITS | u64::from(index);
        Some(Self(u128::from(ledger) << u64::BITS | u128::from(low)))
    }

    /// The ledger, the entry, and the place in it.
    #[must_use]
    pub fn ledger_entry_index(self) -> (u64, u64, u32) {
        let (ledger, low) = ((self.0 >> u64::BITS) as u64, self.0 as u64);
        let index = low as u32 & Self::LAST_INDEX;
        (ledger, low >> INDEX_BITS, index)
    }

    /// All of it in one number, as it is kept.
    #[must_use]
    pub fn bits(self) -> u128 {
        self.0
    }

    /// From the number that is kept.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ledger_entry_index() {
            (0, ..) => self.0.fmt(f),
            (ledger, entry, Self::LAST_INDEX) => write!(f, "{ledger}:{entry}"),
            (ledger, entry, index) => write!(f, "{ledger}:{entry}:{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ledger: u64, entry: u64, index: u32) -> Offset {
        Offset::in_ledger(ledger, entry, index).unwrap()
    }

    #[test]
    fn places_in_ledgers_rise_with_the_ledger_then_the_entry_then_the_batch() {
        let rising = [
            at(7, 0, 0),
            at(7, 0, 1),
            at(7, 0, Offset::LAST_INDEX),
            at(7, 1, 0),
            at(7, (1 << 40) - 1, 3),
            at(8, 0, 0),
            at(u64::MAX, 0, 0),
        ];
        assert!(rising.is_sorted() && rising.windows(2).all(|pair| pair[0] != pair[1]));
        for place in rising {
            let (ledger, entry, index) = place.ledger_entry_index();
            assert_eq!(at(ledger, entry, index), place);
            assert_eq!(Offset::from_bits(place.bits()), place);
        }
        assert_eq!(Offset::in_ledger(7, 1 << 40, 0), None);
        assert_eq!(Offset::in_ledger(7, 0, 1 << 24), None);
    }

    #[test]
    fn a_place_of_one_kind_is_beyond_every_place_of_the_other() {
        assert_eq!(at(7, 3, 0).number(), u64::MAX);
        assert!(Offset::new(u64::MAX) < at(1, 0, 0));
        assert_eq!(Offset::new(u64::MAX).number(), u64::MAX);
    }

    #[test]
    fn places_are_told_in_the_words_of_their_queue() {
        let told = [
            (Offset::new(470_602_949_748_064_257), "470602949748064257"),
            (at(7, 3, 0), "7:3:0"),
            (at(7, 3, Offset::LAST_INDEX), "7:3"),
        ];
        for (place, text) in told {
            assert_eq!(place.to_string(), text);
        }
    }

    #[test]
    fn a_number_is_recorded_as_it_always_was_and_a_greater_one_as_the_number_that_it_is() {
        for (place, text) in [
            (Offset::new(7), "7"),
            (Offset::new(u64::MAX), "18446744073709551615"),
            (at(1, 0, 0), "18446744073709551616"),
            (
                Offset::from_bits(u128::MAX),
                "340282366920938463463374607431768211455",
            ),
        ] {
            assert_eq!(serde_json::to_string(&place).unwrap(), text);
            assert_eq!(serde_json::from_str::<Offset>(text).unwrap(), place);
        }
    }
}
