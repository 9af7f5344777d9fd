use super::*;
use model::{Cell, CollectionIndex, UnitId};

/// A fake side: rows of (partition, key, value), each key as often as it stands there.
#[derive(Clone)]
struct FakeRows(Vec<(&'static str, i64, i64)>);

impl FakeRows {
    fn within(&self, partition: Option<&str>, range: &KeyRange) -> Vec<(Key, i64)> {
        let fits = |(there, key, _): &&(&str, i64, i64)| {
            Some(*there) == partition && range.contains(&Key::Int64(*key))
        };
        self.0
            .iter()
            .filter(fits)
            .map(|(_, key, value)| (Key::Int64(*key), *value))
            .collect()
    }

    fn hashes(&self, partition: Option<&str>, range: &KeyRange) -> Vec<(Key, RowHash)> {
        // As a query does: one row of each key.
        let rows: BTreeMap<Key, i64> = self.within(partition, range).into_iter().collect();
        rows.into_iter()
            .map(|(key, value)| (key, RowHash::of_cell(&Cell::Int(value))))
            .collect()
    }

    fn field_hashes(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
        keys: &[Key],
    ) -> Vec<(Key, FieldHashes)> {
        let wanted = self
            .hashes(partition, range)
            .into_iter()
            .filter(|(key, _)| keys.contains(key));
        wanted
            .map(|(key, hash)| {
                (
                    key,
                    vec![
                        ("same".to_owned(), RowHash::of_cell(&Cell::Null)),
                        ("value".to_owned(), hash),
                    ],
                )
            })
            .collect()
    }

    fn digests(&self, unit: &Unit) -> UnitDigests {
        let digest = |index| {
            let mut digest = Digest::default();
            let range = unit.range_of(index).unwrap();
            self.hashes(unit.partition.as_deref(), &range)
                .iter()
                .for_each(|(_, hash)| digest.add(hash));
            digest
        };
        UnitDigests {
            unit: unit.clone(),
            batches: unit.indexes().map(digest).collect(),
            duplicates: 0,
            duplicate_keys: vec![],
            unreadable: 0,
        }
    }
}

impl SourceRows for FakeRows {
    fn is_followed(&self) -> bool {
        false
    }

    async fn recheck(&self, _: &Unit, _: Vec<Key>) -> Result<(), Fault> {
        Ok(())
    }

    async fn rows(&self, unit: &Unit, batch: BatchIndex) -> Result<Vec<(Key, RowHash)>, Fault> {
        Ok(self.hashes(unit.partition.as_deref(), &unit.range_of(batch).unwrap()))
    }

    async fn fields(
        &self,
        unit: &Unit,
        batch: BatchIndex,
        keys: Vec<Key>,
    ) -> Result<Vec<(Key, FieldHashes)>, Fault> {
        Ok(self.field_hashes(
            unit.partition.as_deref(),
            &unit.range_of(batch).unwrap(),
            &keys,
        ))
    }
}

impl TargetRows for FakeRows {
    async fn rows(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
    ) -> Result<Vec<(Key, RowHash)>, Fault> {
        Ok(self.hashes(partition, range))
    }

    async fn fields(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
        keys: &[Key],
    ) -> Result<Vec<(Key, FieldHashes)>, Fault> {
        Ok(self.field_hashes(partition, range, keys))
    }

    async fn count(&self, partition: Option<&str>, range: &KeyRange) -> Result<Option<u64>, Fault> {
        Ok(Some(self.within(partition, range).len() as u64))
    }

    async fn elsewhere(&self, partition: &str, key: &Key) -> Result<Option<String>, Fault> {
        let there = self
            .0
            .iter()
            .find(|(other, k, _)| *other != partition && Key::Int64(*k) == *key);
        Ok(there.map(|(other, ..)| (*other).to_owned()))
    }
}

fn unit(number: u32, partition: &str) -> Unit {
    let id = UnitId {
        collection: CollectionIndex::new(0),
        number,
    };
    Unit {
        id,
        partition: Some(partition.into()),
        after: None,
        borders: vec![Key::Int64(10), Key::Int64(20)],
        open: true,
    }
}

fn rows() -> FakeRows {
    FakeRows(
        (0..30)
            .map(|key| ("p", key, key * 7))
            .chain((100..110).map(|key| ("q", key, key)))
            .collect(),
    )
}

/// What is found after a change of the target, as (kind, key, field).
async fn after(
    change: impl FnOnce(&mut Vec<(&'static str, i64, i64)>),
) -> Vec<(DifferenceKind, Option<Key>, Option<String>)> {
    let (source, mut target) = (rows(), rows());
    change(&mut target.0);
    let mut found = Found::default();
    for unit in [unit(0, "p"), unit(1, "q")] {
        compare_unit(&source, &target, &source.digests(&unit), &mut found)
            .await
            .unwrap();
    }
    let (named, total) = found.into_parts();
    assert_eq!(named.len() as u64, total);
    named
        .into_iter()
        .map(|found| (found.kind, found.key, found.field))
        .collect()
}

fn key(value: i64) -> Option<Key> {
    Some(Key::Int64(value))
}

#[tokio::test]
async fn an_untouched_target_has_no_difference() {
    assert_eq!(after(|_| ()).await, []);
}

#[tokio::test]
async fn every_kind_of_difference_is_found_and_named() {
    use DifferenceKind as K;
    assert_eq!(
        after(|rows| rows.retain(|row| row.1 != 10)).await,
        [(K::MissingRow, key(10), None)]
    );
    assert_eq!(
        after(|rows| rows.push(("p", 1000, 0))).await,
        [(K::ExtraRow, key(1000), None)]
    );
    assert_eq!(
        after(|rows| rows.push(("p", -1, 0))).await,
        [(K::ExtraRow, key(-1), None)]
    );
    assert_eq!(
        after(|rows| rows[5].2 += 1).await,
        [(K::Value, key(5), Some("value".into()))]
    );
    assert_eq!(
        after(|rows| rows[5].0 = "q").await,
        [(K::WrongPartition, key(5), None)]
    );
    let twice = after(|rows| rows.push(rows[12])).await;
    assert_eq!(twice, [(K::DuplicateRow, key(12), None)]);
}

#[tokio::test]
async fn many_differences_are_all_found() {
    let found = after(|rows| rows.iter_mut().take(29).for_each(|row| row.2 += 1)).await;
    assert_eq!(found.len(), 29);
}

#[test]
fn portions_hold_every_key_once_and_a_long_key_alone() {
    let keys: Vec<Key> = (0..700)
        .map(|n| Key::VarChar("x".repeat(if n % 100 == 0 { 2 << 20 } else { 10 })))
        .collect();
    let portions: Vec<_> = portions(&keys).collect();
    assert_eq!(
        portions.iter().map(|portion| portion.len()).sum::<usize>(),
        keys.len()
    );
    assert!(portions.iter().all(|portion| portion.len() <= 256));
}
