//! Rows that were found to differ: how, and how often they were repaired.

use super::touched::ChangedRow;
use model::Difference;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often rows that differ are looked at again.
const DOUBT_EVERY: Duration = Duration::from_secs(2);

/// How often one row is repaired. One that differs still is left as it is: something keeps it from being equal.
const MOST_REPAIRS: u32 = 3;

/// The rows of one collection.
#[derive(Debug, Default)]
pub(super) struct Differing(BTreeMap<ChangedRow, Found>);

#[derive(Debug)]
struct Found {
    /// When it was last found to differ.
    at: Instant,
    repairs: u32,
    can_be_repaired: bool,
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
        self.0.len()
    }

    /// The row differs.
    pub(super) fn insert(&mut self, row: ChangedRow) {
        let found = self.0.entry(row).or_insert_with(|| Found {
            at: Instant::now(),
            repairs: 0,
            can_be_repaired: true,
            named: Vec::new(),
        });
        found.at = Instant::now();
        found.named.clear();
    }

    /// The row is the same on both sides.
    pub(super) fn remove(&mut self, row: &ChangedRow) {
        self.0.remove(row);
    }

    /// This is how rows differ.
    pub(super) fn name(&mut self, differences: Vec<Difference>) {
        for difference in differences {
            let row = (difference.key.clone(), difference.partition.clone());
            if let (Some(key), partition) = row
                && let Some(found) = self.0.get_mut(&(key, partition))
            {
                found.named.push(difference);
            }
        }
    }

    /// How rows differ, as far as it is known, in the order of the keys.
    pub(super) fn named(&self) -> Vec<Difference> {
        let named = self.0.values().flat_map(|found| &found.named);
        named.cloned().collect()
    }

    /// Whether the row is to be repaired.
    pub(super) fn is_to_be_repaired(&self, row: &ChangedRow) -> bool {
        self.0.get(row).is_some_and(Found::is_to_be_repaired)
    }

    /// How many rows are not.
    pub(super) fn beyond_repair(&self) -> usize {
        let left = self.0.values().filter(|found| !found.is_to_be_repaired());
        left.count()
    }

    /// Whether any row is.
    pub(super) fn has_to_be_repaired(&self) -> bool {
        self.0.values().any(Found::is_to_be_repaired)
    }

    /// The row is being repaired.
    pub(super) fn handle_repair(&mut self, row: &ChangedRow) {
        if let Some(found) = self.0.get_mut(row) {
            found.repairs += 1;
        }
    }

    /// The row can't be repaired.
    pub(super) fn give_up(&mut self, row: &ChangedRow) {
        if let Some(found) = self.0.get_mut(row) {
            found.can_be_repaired = false;
        }
    }

    /// The rows that it is time to look at again: somebody may have mended them.
    pub(super) fn doubted(&mut self) -> Vec<ChangedRow> {
        let due = self
            .0
            .iter_mut()
            .filter(|(_, found)| found.at.elapsed() >= DOUBT_EVERY);
        due.map(|(row, found)| {
            found.at = Instant::now();
            row.clone()
        })
        .collect()
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
    fn a_row_is_repaired_so_often_and_then_left() {
        let mut differing = Differing::default();
        for _ in 0..MOST_REPAIRS {
            differing.insert(row(1));
            assert!(differing.is_to_be_repaired(&row(1)));
            differing.handle_repair(&row(1));
        }
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
