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
    async fn read(&self, partition: Option<&str>, range: &KeyRange) -> Result<Vec<Batch>, Fault> {
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
