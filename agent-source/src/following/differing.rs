//! Rows that were found to differ: how, and how often they were repaired.

use super::touched::ChangedRow;
use model::Difference;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often rows that differ are looked at again.
const DOUBT_EVERY: Duration = Duration::from_secs(2);

/// How often one row is repaired. One that differs still is left as it is: something keeps it from being equal.
const MOST_REPAIRS: u32 = 3;

/// A row that was repaired is looked at once more after this time: a source that has just started may have answered too little.
const REPAIR_DOUBTED_AFTER: Duration = Duration::from_secs(30);

/// How often a row must be found missing on the source before it is deleted on the target.
const LOOKS_BEFORE_DELETE: u32 = 2;

/// The rows of one collection.
#[derive(Debug, Default)]
pub(super) struct Differing {
    rows: BTreeMap<ChangedRow, Found>,
    /// Those that were repaired, and when.
    repaired: BTreeMap<ChangedRow, Instant>,
}

#[derive(Debug)]
struct Found {
    /// When it was last found to differ.
    at: Instant,
    looks: u32,
    repairs: u32,
    can_be_repaired: bool,
    /// Whether another look at it is wanted before it is repaired.
    awaits_look: bool,
    /// How it differs; nothing until that is known.
    named: Vec<Difference>,
}

impl Found {
    fn is_to_be_repaired(&self) -> bool {
        self.can_be_repaired && self.repairs < MOST_REPAIRS
    }
}

impl Differing {
    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row differs.
    pub(super) fn insert(&mut self, row: ChangedRow) {
        let found = self.rows.entry(row).or_insert_with(|| Found {
            at: Instant::now(),
            looks: 0,
            repairs: 0,
            can_be_repaired: true,
            awaits_look: false,
            named: Vec::new(),
        });
        found.at = Instant::now();
        found.looks += 1;
        found.awaits_look = false;
        found.named.clear();
    }

    /// The row is the same on both sides.
    pub(super) fn remove(&mut self, row: &ChangedRow) {
        self.rows.remove(row);
    }

    /// This is how rows differ.
    pub(super) fn name(&mut self, differences: Vec<Difference>) {
        for difference in differences {
            let row = (difference.key.clone(), difference.partition.clone());
            if let (Some(key), partition) = row
                && let Some(found) = self.rows.get_mut(&(key, partition))
            {
                found.named.push(difference);
            }
        }
    }

    /// How rows differ, as far as it is known, in the order of the keys.
    pub(super) fn named(&self) -> Vec<Difference> {
        let named = self.rows.values().flat_map(|found| &found.named);
        named.cloned().collect()
    }

    /// Whether the row is to be repaired.
    pub(super) fn is_to_be_repaired(&self, row: &ChangedRow) -> bool {
        self.rows.get(row).is_some_and(Found::is_to_be_repaired)
    }

    /// How many rows are not.
    pub(super) fn beyond_repair(&self) -> usize {
        let left = self
            .rows
            .values()
            .filter(|found| !found.is_to_be_repaired());
        left.count()
    }

    /// Whether any row is.
    pub(super) fn has_to_be_repaired(&self) -> bool {
        self.rows.values().any(Found::is_to_be_repaired)
    }

    /// The rows that are.
    pub(super) fn to_be_repaired(&self) -> Vec<ChangedRow> {
        let wanted = self
            .rows
            .iter()
            .filter(|(_, found)| found.is_to_be_repaired());
        wanted.map(|(row, _)| row.clone()).collect()
    }

    /// Whether it was looked at the row so often that it may be deleted on the target. If not, it will be looked at again.
    pub(super) fn may_be_deleted(&mut self, row: &ChangedRow) -> bool {
        let Some(found) = self.rows.get_mut(row) else {
            return false;
        };
        found.awaits_look = found.looks < LOOKS_BEFORE_DELETE;
        !found.awaits_look
    }

    /// The row is being repaired.
    pub(super) fn handle_repair(&mut self, row: &ChangedRow) {
        if let Some(found) = self.rows.get_mut(row) {
            found.repairs += 1;
        }
        self.repaired.insert(row.clone(), Instant::now());
    }

    /// The rows that were repaired and not looked at once more since.
    pub(super) fn take_repaired(&mut self) -> Vec<ChangedRow> {
        std::mem::take(&mut self.repaired).into_keys().collect()
    }

    /// The row can't be repaired.
    pub(super) fn give_up(&mut self, row: &ChangedRow) {
        if let Some(found) = self.rows.get_mut(row) {
            found.can_be_repaired = false;
        }
    }

    /// The rows that it is time to look at again: somebody may have mended them, or they were repaired a while ago. Not those that are
    /// being repaired: a look would take the repair for older than it.
    pub(super) fn doubted(&mut self) -> Vec<ChangedRow> {
        let mut doubted = Vec::new();
        for (row, found) in &mut self.rows {
            let is_left = found.awaits_look || !found.is_to_be_repaired();
            if is_left && found.at.elapsed() >= DOUBT_EVERY {
                found.at = Instant::now();
                doubted.push(row.clone());
            }
        }
        self.repaired.retain(|row, at| {
            let is_young = at.elapsed() < REPAIR_DOUBTED_AFTER;
            if !is_young {
                doubted.push(row.clone());
            }
            is_young
        });
        doubted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Key;

    fn row(key: i64) -> ChangedRow {
        (Key::Int64(key), Some("p".to_owned()))
    }

    #[test]
    fn a_row_that_is_being_repaired_is_not_doubted() {
        let mut differing = Differing::default();
        let found_earlier = |differing: &mut Differing| {
            for found in differing.rows.values_mut() {
                found.at -= DOUBT_EVERY;
            }
        };
        differing.insert(row(1));
        differing.insert(row(2));
        differing.insert(row(3));
        assert!(!differing.may_be_deleted(&row(2)));
        differing.give_up(&row(3));
        assert!(differing.doubted().is_empty(), "they were just found");
        found_earlier(&mut differing);
        assert_eq!(differing.doubted(), [row(2), row(3)]);
        differing.insert(row(2));
        assert!(differing.may_be_deleted(&row(2)));
        found_earlier(&mut differing);
        assert_eq!(differing.doubted(), [row(3)]);
        assert_eq!(differing.to_be_repaired(), [row(1), row(2)]);
    }

    #[test]
    fn a_row_is_repaired_so_often_and_then_left() {
        let mut differing = Differing::default();
        for look in 1..=MOST_REPAIRS {
            differing.insert(row(1));
            assert!(differing.is_to_be_repaired(&row(1)));
            let may_be_deleted = differing.may_be_deleted(&row(1));
            assert_eq!(may_be_deleted, look >= LOOKS_BEFORE_DELETE);
            differing.handle_repair(&row(1));
        }
        assert_eq!(differing.take_repaired(), [row(1)]);
        assert!(differing.take_repaired().is_empty());
        differing.insert(row(1));
        assert!(!differing.has_to_be_repaired());
        differing.remove(&row(1));
        differing.insert(row(1));
        assert!(differing.has_to_be_repaired(), "it was equal meanwhile");
        differing.give_up(&row(1));
        assert!(!differing.has_to_be_repaired());
        assert_eq!(differing.len(), 1);
    }
}
