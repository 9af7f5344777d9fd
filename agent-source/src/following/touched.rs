//! Rows that changed, or differed, since they were last compared: remembered by key, the one that waits longest first.

use model::Key;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// How many rows are remembered, and how many bytes their keys may have. Beyond, comparing every row again is less work.
const MOST_ROWS: usize = 200_000;
const MOST_BYTES: usize = 16 << 20;

/// A row that changes, and the partition that it is in afterwards; `None` where it is in none, or partitions are not addressed.
pub(crate) type ChangedRow = (Key, Option<String>);

/// The rows of one collection.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    marks: HashMap<Key, Mark>,
    order: BTreeMap<u64, Key>,
    next: u64,
    bytes: usize,
}

/// When a row was last touched, and the partition that it is in since; `None` where it is in none, or partitions are not addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    number: u64,
    at: Instant,
    pub(crate) partition: Option<String>,
}

impl Touched {
    /// Remembers these rows; `false` when they are too many.
    pub(crate) fn mark(&mut self, rows: Vec<ChangedRow>) -> bool {
        let at = Instant::now();
        for (key, partition) in rows {
            self.forget(&key);
            let number = self.next;
            self.next += 1;
            self.bytes += key.size_bytes();
            self.order.insert(number, key.clone());
            let mark = Mark {
                number,
                at,
                partition,
            };
            self.marks.insert(key, mark);
        }
        self.marks.len() <= MOST_ROWS && self.bytes <= MOST_BYTES
    }

    fn forget(&mut self, key: &Key) {
        if let Some(mark) = self.marks.remove(key) {
            self.order.remove(&mark.number);
            self.bytes -= key.size_bytes();
        }
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    /// The rows that wait longest.
    pub(crate) fn oldest(&self, most: usize) -> Vec<(Key, Mark)> {
        let keys = self.order.values().take(most);
        keys.filter_map(|key| Some((key.clone(), self.marks.get(key)?.clone())))
            .collect()
    }

    /// Forgets a row, unless it was touched again since it was marked so; tells which.
    pub(crate) fn settle(&mut self, key: &Key, mark: &Mark) -> bool {
        let is_same = self
            .marks
            .get(key)
            .is_some_and(|now| now.number == mark.number);
        if is_same {
            self.forget(key);
        }
        is_same
    }

    /// For how long the oldest one has waited.
    pub(crate) fn oldest_age(&self, now: Instant) -> Option<Duration> {
        let key = self.order.values().next()?;
        Some(now.saturating_duration_since(self.marks.get(key)?.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(keys: &[i64]) -> Vec<ChangedRow> {
        keys.iter().map(|key| (Key::Int64(*key), None)).collect()
    }

    #[test]
    fn a_row_that_is_touched_again_meanwhile_is_not_settled() {
        let mut touched = Touched::default();
        assert!(touched.mark(rows(&[1, 2, 3])));
        let seen = touched.oldest(2);
        assert!(touched.mark(rows(&[2])));
        let settled: Vec<bool> = seen
            .iter()
            .map(|(key, mark)| touched.settle(key, mark))
            .collect();
        assert_eq!(settled, [true, false]);
        let left: Vec<Key> = touched.oldest(9).into_iter().map(|(key, _)| key).collect();
        assert_eq!(left, [Key::Int64(3), Key::Int64(2)], "the oldest first");
    }

    #[test]
    fn more_rows_than_are_remembered_are_told() {
        let mut touched = Touched::default();
        let keys: Vec<i64> = (0..MOST_ROWS as i64).collect();
        assert!(touched.mark(rows(&keys)));
        assert!(touched.mark(rows(&[0])), "the same one again");
        assert!(!touched.mark(rows(&[-1])));
    }
}
