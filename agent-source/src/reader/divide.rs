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

    /// The partitions that are not divided to their end, each with the key behind which it goes on.
    fn remaining(&self, last: Option<&Unit>) -> Vec<(Option<String>, Option<Key>)> {
        let Some(last) = last else {
            return self
                .partitions
                .iter()
                .map(|partition| (partition.clone(), None))
                .collect();
        };
        let behind = self
            .partitions
            .iter()
            .skip_while(|partition| **partition != last.partition)
            .skip(1);
        let current = (!last.open).then(|| (last.partition.clone(), last.borders.last().cloned()));
        current
            .into_iter()
            .chain(behind.map(|partition| (partition.clone(), None)))
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
fn borders(keys: &[Key], rows_per_batch: usize) -> Vec<Vec<Key>> {
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
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::{Batch, Column, DataType, Payload};
    use std::collections::BTreeMap;

    /// A fake collection: keys by partition, and a reader that hides some of them from the scan for borders.
    struct FakeRows {
        keys: BTreeMap<Option<String>, Vec<i64>>,
        row_bytes: usize,
        scan_sees_every: usize,
    }

    impl FakeRows {
        fn within(&self, partition: Option<&str>, range: &KeyRange) -> Vec<Key> {
            let keys = self
                .keys
                .get(&partition.map(str::to_owned))
                .cloned()
                .unwrap_or_default();
            keys.into_iter()
                .map(Key::Int64)
                .filter(|key| range.contains(key))
                .collect()
        }
    }

    impl RowReader for FakeRows {
        async fn read(
            &self,
            partition: Option<&str>,
            range: &KeyRange,
        ) -> Result<Vec<Batch>, Fault> {
            let rows = self.within(partition, range).len();
            let payload = Payload::Scalars(Bytes::from(vec![0; rows * self.row_bytes]));
            let name = "v".to_owned();
            let column = Column {
                name,
                field_id: 1,
                data_type: DataType::JSON,
                is_dynamic: false,
                valid: Bytes::new(),
                payload,
            };
            Ok(vec![Batch {
                rows: u32::try_from(rows).unwrap(),
                columns: vec![column],
            }])
        }

        async fn keys(
            &self,
            partition: Option<&str>,
            range: &KeyRange,
            limit: u32,
        ) -> Result<Vec<Key>, Fault> {
            Ok(self
                .within(partition, range)
                .into_iter()
                .step_by(self.scan_sees_every)
                .take(limit as usize)
                .collect())
        }
    }

    impl UnitSink for Vec<Unit> {
        async fn take(&mut self, unit: Unit) -> Result<(), Fault> {
            self.push(unit);
            Ok(())
        }
    }

    fn rows(counts: &[(Option<&str>, i64)], row_bytes: usize) -> FakeRows {
        let keys = counts
            .iter()
            .map(|(partition, count)| {
                (
                    partition.map(str::to_owned),
                    (0..*count).map(|n| n * 3).collect(),
                )
            })
            .collect();
        FakeRows {
            keys,
            row_bytes,
            scan_sees_every: 1,
        }
    }

    async fn divided(reader: &FakeRows, last: Option<&Unit>) -> Vec<Unit> {
        let partitions = reader.keys.keys().cloned().collect();
        let divider = Divider {
            reader,
            collection: CollectionIndex::new(0),
            partitions,
            batch_bytes: 1000,
        };
        let mut units = Vec::new();
        divider.divide(last, &mut units).await.unwrap();
        units
    }

    /// The batches of each partition tile its key space: each begins where the one before it ended, and nothing is left out.
    fn assert_tiled(reader: &FakeRows, units: &[Unit]) {
        for (number, unit) in units.iter().enumerate() {
            assert_eq!(unit.id.number as usize, number);
            assert!(unit.batches() as usize <= Unit::MAX_BATCHES);
        }
        for partition in reader.keys.keys() {
            let of_partition = units.iter().filter(|unit| unit.partition == *partition);
            let ranges: Vec<KeyRange> = of_partition
                .flat_map(|unit| unit.indexes().filter_map(|index| unit.range_of(index)))
                .collect();
            assert_eq!(ranges.first().unwrap().after, None);
            assert_eq!(ranges.last().unwrap().upto, None);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].upto, pair[1].after);
                assert!(pair[0].after < pair[0].upto, "borders rise");
            }
        }
    }

    #[tokio::test]
    async fn every_key_is_in_one_batch_whatever_the_collection_holds() {
        for count in [0, 1, 2, 10, 16_383, 16_384, 16_385, 40_000] {
            let reader = rows(&[(Some("a"), count), (Some("b"), 5)], 100);
            assert_tiled(&reader, &divided(&reader, None).await);
        }
    }

    #[tokio::test]
    async fn a_scan_that_misses_keys_makes_larger_batches_and_loses_none() {
        let reader = FakeRows {
            scan_sees_every: 7,
            ..rows(&[(None, 30_000)], 100)
        };
        assert_tiled(&reader, &divided(&reader, None).await);
    }

    #[tokio::test]
    async fn wide_rows_make_small_batches() {
        let reader = rows(&[(None, 1000)], 500);
        let units = divided(&reader, None).await;
        assert_eq!(
            units[0].borders[0],
            Key::Int64(3),
            "two rows of 500 bytes make a batch of 1000"
        );
        assert_tiled(&reader, &units);
    }

    #[tokio::test]
    async fn dividing_goes_on_behind_any_unit_that_is_known() {
        let reader = rows(&[(Some("a"), 20_000), (Some("b"), 0), (Some("c"), 3)], 100);
        let whole = divided(&reader, None).await;
        for known in 1..whole.len() {
            let mut units = whole[..known].to_vec();
            units.extend(divided(&reader, units.last()).await);
            assert_tiled(&reader, &units);
        }
    }
}
