//! Divides a collection into units, by keys that are found as the copy goes on.
//!
//! A scan over the keys alone gives every so-manieth key as a border. The borders need only rise: ranges between rising borders tile
//! the key space, whatever the scan missed, so that a row the scan did not see is still in exactly one batch.

use super::RowReader;
use model::{CollectionIndex, Fault, Key, KeyRange, Unit, UnitId};
use std::future::Future;

/// How many keys are asked for at once. Milvus's own bound on a result window is 16 384.
const KEYS_AT_ONCE: u32 = 16_384;

/// How many bytes the borders of one unit may have together, but for a single one.
const UNIT_BORDER_BYTES: usize = 256 << 10;

/// How many rows are read to learn how large a row is.
const SAMPLE_ROWS: usize = 64;

/// Finds the units of one collection.
#[derive(Debug)]
pub(crate) struct Divider<'a, R> {
    /// Reads the keys.
    pub(crate) reader: &'a R,
    /// The collection.
    pub(crate) collection: CollectionIndex,
    /// The partitions, in the order in which they are divided; a single `None` where partitions can't be addressed.
    pub(crate) partitions: Vec<Option<String>>,
    /// How many bytes of values a batch should have.
    pub(crate) batch_bytes: usize,
}

/// Where the units that are found go: into the journal first, then to be copied.
pub(crate) trait UnitSink {
    /// Takes the next unit. When this fails, dividing ends.
    fn take(&mut self, unit: Unit) -> impl Future<Output = Result<(), Fault>> + Send;
}

impl<R: RowReader> Divider<'_, R> {
    /// Finds the units behind `last`, the last one that is known already, and gives them to the sink in order.
    ///
    /// # Errors
    /// The reader's and the sink's.
    pub(crate) async fn divide(
        &self,
        last: Option<&Unit>,
        sink: &mut impl UnitSink,
    ) -> Result<(), Fault> {
        let mut number = last.map_or(0, |unit| unit.id.number + 1);
        for (partition, after) in self.remaining(last) {
            number = self
                .divide_partition(partition.as_deref(), after, number, sink)
                .await?;
        }
        Ok(())
    }

    /// The partitions that are not divided to their end, each with the key behind which it goes on. One that the last unit is of is
    /// the first of them.
    fn remaining(&self, last: Option<&Unit>) -> Vec<(Option<String>, Option<Key>)> {
        let is_last =
            |partition: &&Option<String>| last.is_some_and(|last| last.partition == **partition);
        let done = self
            .partitions
            .iter()
            .position(|partition| is_last(&partition));
        let behind = &self.partitions[done.map_or(0, |place| place + 1)..];
        let current = last
            .filter(|last| !last.open)
            .map(|last| (last.partition.clone(), last.borders.last().cloned()));
        current
            .into_iter()
            .chain(behind.iter().map(|partition| (partition.clone(), None)))
            .collect()
    }

    async fn divide_partition(
        &self,
        partition: Option<&str>,
        mut after: Option<Key>,
        mut number: u32,
        sink: &mut impl UnitSink,
    ) -> Result<u32, Fault> {
        // One unit is held back: the last one of the partition has no upper bound, and which one that is shows only behind it.
        let mut held: Option<Unit> = None;
        loop {
            let range = KeyRange {
                after: after.clone(),
                upto: None,
            };
            let keys = self.reader.keys(partition, &range, KEYS_AT_ONCE).await?;
            let Some(last_key) = keys.last().cloned() else {
                break;
            };
            let rows_per_batch = self
                .rows_per_batch(partition, after.as_ref(), &keys)
                .await?;
            for borders in borders(&keys, rows_per_batch) {
                let id = UnitId {
                    collection: self.collection,
                    number,
                };
                let next = Unit {
                    id,
                    partition: partition.map(str::to_owned),
                    after: after.clone(),
                    borders,
                    open: false,
                };
                after = next.borders.last().cloned();
                number += 1;
                if let Some(unit) = held.replace(next) {
                    sink.take(unit).await?;
                }
            }
            after = Some(last_key);
        }
        let id = UnitId {
            collection: self.collection,
            number,
        };
        let last = match held {
            Some(mut unit) => {
                unit.borders.pop();
                Unit { open: true, ..unit }
            }
            None => {
                number += 1;
                Unit {
                    id,
                    partition: partition.map(str::to_owned),
                    after,
                    borders: vec![],
                    open: true,
                }
            }
        };
        sink.take(last).await?;
        Ok(number)
    }

    /// How many rows make a batch of the wanted size, by the size of some rows near the middle of these keys.
    async fn rows_per_batch(
        &self,
        partition: Option<&str>,
        after: Option<&Key>,
        keys: &[Key],
    ) -> Result<usize, Fault> {
        let first = keys.len().saturating_sub(SAMPLE_ROWS) / 2;
        let from = if first == 0 {
            after.cloned()
        } else {
            keys.get(first - 1).cloned()
        };
        let upto = keys
            .get((first + SAMPLE_ROWS - 1).min(keys.len() - 1))
            .cloned();
        let sample = self
            .reader
            .read(partition, &KeyRange { after: from, upto })
            .await?;
        let (rows, bytes) = sample.iter().fold((0, 0), |(rows, bytes), part| {
            (rows + part.rows as usize, bytes + part.size_bytes())
        });
        let row_bytes = (bytes / rows.max(1)).max(1);
        Ok((self.batch_bytes / row_bytes).clamp(1, KEYS_AT_ONCE as usize))
    }
}

/// The borders of the units that these keys make: runs of at most so many batches, each batch ending with every so-manieth key. A
/// unit of long keys has fewer, so that it fits into one message.
pub(super) fn borders(keys: &[Key], rows_per_batch: usize) -> Vec<Vec<Key>> {
    let mut units: Vec<Vec<Key>> = Vec::new();
    let mut bytes = 0;
    for border in keys.chunks(rows_per_batch).filter_map(|batch| batch.last()) {
        bytes += border.size_bytes();
        match units.last_mut() {
            Some(unit) if unit.len() < Unit::MAX_BATCHES && bytes <= UNIT_BORDER_BYTES => {
                unit.push(border.clone())
            }
            _ => {
                bytes = border.size_bytes();
                units.push(vec![border.clone()]);
            }
        }
    }
    units
}

#[cfg(test)]
mod tests;
