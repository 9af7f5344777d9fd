//! Differences as they are found: the first ones named, all of them counted.

use model::report::CollectionReport;
use model::{Difference, DifferenceKind, Key};

/// What was found so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    named: Vec<Difference>,
    total: u64,
}

impl Found {
    /// Takes a difference.
    pub(crate) fn add(&mut self, difference: Difference) {
        self.total += 1;
        if !self.is_full() {
            self.named.push(difference);
        }
    }

    /// Takes so many differences of rows that can't be named.
    pub(crate) fn add_uncounted(&mut self, rows: u64, partition: &Option<String>, detail: &str) {
        let kind = DifferenceKind::Count;
        self.add(Difference {
            kind,
            partition: partition.clone(),
            key: None,
            field: None,
            detail: format!("{rows} {detail}"),
        });
    }

    /// Takes what another comparison found.
    pub(crate) fn merge(&mut self, named: Vec<Difference>, total: u64) {
        self.total += total;
        let room = CollectionReport::MAX_NAMED.saturating_sub(self.named.len());
        self.named.extend(named.into_iter().take(room));
    }

    /// Whether no more are named.
    pub(crate) fn is_full(&self) -> bool {
        self.named.len() >= CollectionReport::MAX_NAMED
    }

    /// The named ones and the total. A row in a wrong partition was found from both partitions, and is told once.
    pub(crate) fn into_parts(mut self) -> (Vec<Difference>, u64) {
        let moved: Vec<Key> = self
            .named
            .iter()
            .filter(|found| found.kind == DifferenceKind::WrongPartition)
            .filter_map(|found| found.key.clone())
            .collect();
        let before = self.named.len();
        self.named.retain(|found| {
            found.kind != DifferenceKind::ExtraRow
                || !found.key.as_ref().is_some_and(|key| moved.contains(key))
        });
        self.total -= (before - self.named.len()) as u64;
        (self.named, self.total)
    }
}
