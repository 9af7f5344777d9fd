//! Rows that changed, or differed, since they were last compared: the one that waits longest first.

use model::Key;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// How many rows are remembered, and how many bytes their keys may have. Beyond, comparing every row again is less work.
const MOST_ROWS: usize = 200_000;
const MOST_BYTES: usize = 16 << 20;

/// A key, and the partition in which a row of it may have changed; `None` for all of them, or where partitions are not addressed.
pub(crate) type ChangedRow = (Key, Option<String>);

/// The rows of one collection.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    marks: HashMap<Key, BTreeMap<Option<String>, Mark>>,
    order: BTreeMap<u64, ChangedRow>,
    next: u64,
    bytes: usize,
}

/// When a row was last touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    number: u64,
    at: Instant,
}

impl Touched {
    /// Remembers these rows; `false` when they are too many. A key that is touched in one partition is so in all that are known: it may
    /// have come from there.
    pub(crate) fn mark(&mut self, rows: impl IntoIterator<Item = ChangedRow>) -> bool {
        let at = Instant::now();
        for (key, partition) in rows {
            let mut partitions = self.marks.remove(&key).unwrap_or_default();
            for mark in partitions.values() {
                self.order.remove(&mark.number);
            }
            partitions.entry(partition).or_insert_with(|| {
                self.bytes += key.size_bytes();
                Mark { number: 0, at }
            });
            for (partition, mark) in &mut partitions {
                let number = self.next;
                self.next += 1;
                *mark = Mark { number, at };
                self.order.insert(number, (key.clone(), partition.clone()));
            }
            self.marks.insert(key, partitions);
        }
        self.len() <= MOST_ROWS && self.bytes <= MOST_BYTES
    }

    /// The rows that are known in a partition.
    pub(crate) fn of_partition(&self, partition: &str) -> Vec<ChangedRow> {
        let rows = self.order.values();
        rows.filter(|(_, of)| of.as_deref() == Some(partition))
            .cloned()
            .collect()
    }

    fn mark_of(&self, (key, partition): &ChangedRow) -> Option<Mark> {
        self.marks.get(key)?.get(partition).copied()
    }

    fn forget(&mut self, (key, partition): &ChangedRow) {
        let Some(partitions) = self.marks.get_mut(key) else {
            return;
        };
        if let Some(mark) = partitions.remove(partition) {
            self.order.remove(&mark.number);
            self.bytes -= key.size_bytes();
        }
        if partitions.is_empty() {
            self.marks.remove(key);
        }
    }

    /// Whether the row's key is among them, in whatever partition.
    pub(crate) fn has(&self, row: &ChangedRow) -> bool {
        self.marks.contains_key(&row.0)
    }

    /// Whether half of what is remembered at most is taken.
    pub(crate) fn has_room(&self) -> bool {
        self.len() <= MOST_ROWS / 2 && self.bytes <= MOST_BYTES / 2
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// The rows that wait longest.
    pub(crate) fn oldest(&self, most: usize) -> Vec<(ChangedRow, Mark)> {
        let rows = self.order.values().take(most);
        rows.filter_map(|row| Some((row.clone(), self.mark_of(row)?)))
            .collect()
    }

    /// Forgets a row, unless it was touched again since it was marked so; tells which.
    pub(crate) fn settle(&mut self, row: &ChangedRow, mark: Mark) -> bool {
        let is_same = self.mark_of(row) == Some(mark);
        if is_same {
            self.forget(row);
        }
        is_same
    }

    /// For how long the oldest one has waited.
    pub(crate) fn oldest_age(&self, now: Instant) -> Option<Duration> {
        let row = self.order.values().next()?;
        Some(now.saturating_duration_since(self.mark_of(row)?.at))
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
            .map(|(row, mark)| touched.settle(row, *mark))
            .collect();
        assert_eq!(settled, [true, false]);
        let left: Vec<ChangedRow> = touched.oldest(9).into_iter().map(|(row, _)| row).collect();
        assert_eq!(left, rows(&[3, 2]), "the oldest first");
    }

    #[test]
    fn a_key_that_is_touched_in_another_partition_is_not_settled() {
        let in_partition = |partition: &str| (Key::Int64(1), Some(partition.to_owned()));
        let mut touched = Touched::default();
        assert!(touched.mark([in_partition("p")]));
        let seen = touched.oldest(1);
        assert!(touched.mark([(Key::Int64(1), None)]));
        assert!(!touched.settle(&seen[0].0, seen[0].1));
        let again = touched.oldest(9);
        assert_eq!(again.len(), 2);
        assert!(again.iter().all(|(row, mark)| touched.settle(row, *mark)));
        assert_eq!((touched.len(), touched.bytes), (0, 0));
    }

    #[test]
    fn more_rows_than_are_remembered_are_told() {
        let mut touched = Touched::default();
        let keys: Vec<i64> = (0..MOST_ROWS as i64).collect();
        assert!(touched.has_room());
        assert!(touched.mark(rows(&keys)));
        assert!(!touched.has_room());
        assert!(touched.mark(rows(&[0])), "the same one again");
        assert!(!touched.mark(rows(&[-1])));
    }
}
