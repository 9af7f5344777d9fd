//! Changes merged by key: of several changes of a row only the last one is sent.
//!
//! ```text
//! insert 1, insert 2, delete 1, insert 2', create partition p, insert 3 into p
//!   ─► delete 1 · upsert 2' · create partition p · upsert 3 into p
//! ```
//! What a partition's creation or end stands between is merged for itself, so that rows meet the partitions that they were made for.

use crate::following::ChangedRow;
use milvus::gather::{self, Rows};
use milvus::{ColumnError, keys};
use model::{Batch, Change, ChangeKind, Field, Key};
use protocol::Verb;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Some of a step's rows: what is to be done with them, and in which partition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Portion {
    pub(crate) verb: Verb,
    pub(crate) partition: Option<String>,
    pub(crate) rows: Batch,
}

/// What changes come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Merged {
    /// To be applied one after the other.
    pub(crate) portions: Vec<Portion>,
    /// The rows that are changed.
    pub(crate) touched: BTreeSet<ChangedRow>,
    /// The partitions that are dropped.
    pub(crate) dropped: Vec<String>,
    /// Rows that were inserted or upserted, before merging.
    pub(crate) upserts: u64,
    /// Keys that were deleted, before merging.
    pub(crate) deletes: u64,
}

/// Merges the changes of one collection.
#[derive(Debug)]
pub(crate) struct Merging {
    primary: Field,
    /// Whether rows are in partitions that are addressed by name.
    has_partitions: bool,
    done: Merged,
    section: Section,
    bytes: usize,
}

/// Changes between which no partition was created or dropped.
#[derive(Debug, Default)]
struct Section {
    inserted: Vec<(Option<String>, Batch)>,
    /// The last change of each key: the row it was inserted as, or `None` where it was deleted.
    last: HashMap<Key, Option<(usize, u32)>>,
    deleted: BTreeMap<Option<String>, BTreeSet<Key>>,
}

impl Section {
    /// A delete from one partition leaves a row alone that is in another.
    fn handle_deleted(&mut self, key: &Key, partition: &Option<String>) {
        let last = self.last.entry(key.clone()).or_default();
        let is_elsewhere =
            |batch: usize| partition.is_some() && self.inserted[batch].0 != *partition;
        if !last.is_some_and(|(batch, _)| is_elsewhere(batch)) {
            *last = None;
        }
    }
}

impl Merging {
    /// Of a collection with this key.
    pub(crate) fn new(primary: Field, has_partitions: bool) -> Self {
        Self {
            primary,
            has_partitions,
            done: Merged::default(),
            section: Section::default(),
            bytes: 0,
        }
    }

    /// The bytes of the changes so far.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the next change.
    ///
    /// # Errors
    /// [`ColumnError`] when its rows are malformed. They are not taken.
    pub(crate) fn take(&mut self, change: Change) -> Result<(), ColumnError> {
        self.bytes += change.kind.size_bytes();
        match change.kind {
            ChangeKind::Insert { partition, batch } => {
                let partition = Some(partition).filter(|_| self.has_partitions);
                let keys = keys(&batch, &self.primary.name)?;
                self.done.upserts += keys.len() as u64;
                let place = self.section.inserted.len();
                for (row, key) in (0..).zip(keys) {
                    self.section.last.insert(key, Some((place, row)));
                }
                self.section.inserted.push((partition, batch));
            }
            ChangeKind::Delete { partition, keys } => {
                let partition = partition.filter(|_| self.has_partitions);
                self.done.deletes += keys.len() as u64;
                for key in &keys {
                    self.section.handle_deleted(key, &partition);
                }
                self.section
                    .deleted
                    .entry(partition)
                    .or_default()
                    .extend(keys);
            }
            ChangeKind::CreatePartition { partition } => {
                self.end_section(Some((Verb::CreatePartition, partition)))?;
            }
            ChangeKind::DropPartition { partition } => {
                let inserted = &self.section.inserted;
                let stays = |place: &Option<(usize, u32)>| {
                    place.is_none_or(|(batch, _)| inserted[batch].0.as_deref() != Some(&partition))
                };
                self.section.last.retain(|_, place| stays(place));
                self.done.dropped.push(partition.clone());
                self.end_section(Some((Verb::DropPartition, partition)))?;
            }
            // Whoever follows the log looks out for it.
            ChangeKind::DropCollection => {}
        }
        Ok(())
    }

    /// These keys stay as they are, as if none of the changes had named them.
    pub(crate) fn leave_out<'k>(&mut self, keys: impl IntoIterator<Item = &'k Key>) {
        for key in keys {
            self.section.last.remove(key);
            for deleted in self.section.deleted.values_mut() {
                deleted.remove(key);
            }
        }
    }

    /// What the changes since the last time come to.
    ///
    /// # Errors
    /// [`ColumnError`] when columns of several changes don't fit together.
    pub(crate) fn merged(&mut self) -> Result<Merged, ColumnError> {
        self.end_section(None)?;
        self.bytes = 0;
        Ok(std::mem::take(&mut self.done))
    }

    fn end_section(&mut self, barrier: Option<(Verb, String)>) -> Result<(), ColumnError> {
        let section = std::mem::take(&mut self.section);
        self.delete(&section);
        self.upsert(&section)?;
        let upserted = section.last.iter().filter_map(|(key, place)| {
            let (batch, _) = (*place)?;
            Some((key.clone(), section.inserted[batch].0.clone()))
        });
        let deleted = section
            .deleted
            .iter()
            .flat_map(|(partition, keys)| keys.iter().map(|key| (key.clone(), partition.clone())));
        // A key that was deleted from one partition and inserted into another has two places to be looked at.
        self.done.touched.extend(upserted.chain(deleted));
        if let Some((verb, partition)) = barrier.filter(|_| self.has_partitions) {
            self.done.portions.push(Portion {
                verb,
                partition: Some(partition),
                rows: Batch::default(),
            });
        }
        Ok(())
    }

    /// Deletes come before upserts: a row that is deleted and inserted again may have moved to another partition, where an upsert
    /// would not find its former self.
    fn delete(&mut self, section: &Section) {
        for (partition, keys) in &section.deleted {
            let keys: Vec<Key> = keys
                .iter()
                .filter(|key| !self.is_replaced(section, partition, key))
                .cloned()
                .collect();
            if !keys.is_empty() {
                self.done.portions.push(Portion {
                    verb: Verb::Delete,
                    partition: partition.clone(),
                    rows: gather::of_keys(&self.primary, &keys),
                });
            }
        }
    }

    /// Whether a row that was deleted is there again in its place, so that the upsert does away with its former self.
    fn is_replaced(&self, section: &Section, deleted_from: &Option<String>, key: &Key) -> bool {
        let Some(Some((batch, _))) = section.last.get(key) else {
            return false;
        };
        let is_same_place = deleted_from.is_some() && section.inserted[*batch].0 == *deleted_from;
        !self.has_partitions || is_same_place
    }

    fn upsert(&mut self, section: &Section) -> Result<(), ColumnError> {
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); section.inserted.len()];
        for (batch, row) in section.last.values().flatten() {
            places[*batch].push(*row);
        }
        let mut partitions: BTreeMap<&Option<String>, Vec<Rows<'_>>> = BTreeMap::new();
        for ((partition, batch), places) in section.inserted.iter().zip(&mut places) {
            places.sort_unstable();
            if !places.is_empty() {
                let rows = Rows { batch, places };
                partitions.entry(partition).or_default().push(rows);
            }
        }
        for (partition, rows) in partitions {
            self.done.portions.push(Portion {
                verb: Verb::Upsert,
                partition: partition.clone(),
                rows: gather::gather(&rows)?,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
