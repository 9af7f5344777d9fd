//! Keys that divide all keys of segments into ranges of about as many rows, found in one reading of the keys.
//!
//! Whether a key is a border depends on its hash alone, one key in so many being one. So nothing need be sorted but the borders, and
//! two readings find the same ones.

use super::{Alive, LogFiles, Segments};
use crate::reader::divide;
use model::{CollectionIndex, Fault, Key, Unit, UnitId};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Apart from other uses of hashes.
const SEED: u64 = 0x0b0d;

/// Divides the keys of segments.
#[derive(Debug)]
pub(crate) struct Borders {
    /// The collection.
    pub(crate) collection: CollectionIndex,
    /// About how many rows a range should have.
    pub(crate) rows: u64,
}

impl Borders {
    /// The units of all partitions, those that are known first: they tile their partitions' keys, whatever rows are found later.
    ///
    /// # Errors
    /// Those of the segments.
    pub(crate) async fn find(
        &self,
        segments: &Segments<'_>,
        list: &[LogFiles],
        alive: &Alive,
        known: Vec<Unit>,
    ) -> Result<Vec<Unit>, Fault> {
        let mut borders: BTreeMap<Option<String>, Vec<Key>> = BTreeMap::new();
        for name in segments.partition_names() {
            if known.iter().all(|unit| unit.partition != name) {
                borders.insert(name, Vec::new());
            }
        }
        for files in list {
            let Some(of_partition) = segments
                .partition(files.partition)
                .and_then(|name| borders.get_mut(name))
            else {
                continue;
            };
            let keys = segments.keys(files).await?;
            for row in segments.there(files, &keys, alive)? {
                let key = segments.key(files, &keys, row)?;
                if is_border(&key, self.rows) {
                    of_partition.push(key);
                }
            }
        }
        let mut units = known;
        for (partition, mut keys) in borders {
            keys.sort_unstable();
            keys.dedup();
            self.tile(partition, &keys, &mut units);
        }
        Ok(units)
    }

    /// The units of one partition.
    fn tile(&self, partition: Option<String>, borders: &[Key], units: &mut Vec<Unit>) {
        let mut after = None;
        let mut tiles = divide::borders(borders, 1);
        if tiles.is_empty() {
            tiles.push(Vec::new());
        }
        let last = tiles.len() - 1;
        for (place, mut borders) in tiles.into_iter().enumerate() {
            let upto = borders.last().cloned();
            if place == last {
                // The range without end takes the last one's place.
                borders.pop();
            }
            units.push(Unit {
                id: UnitId {
                    collection: self.collection,
                    number: u32::try_from(units.len()).unwrap_or(u32::MAX),
                },
                partition: partition.clone(),
                after: after.take(),
                borders,
                open: place == last,
            });
            after = upto;
        }
    }
}

fn is_border(key: &Key, rows: u64) -> bool {
    let hash = match key {
        Key::Int64(key) => xxh3_64_with_seed(&key.to_le_bytes(), SEED),
        Key::VarChar(key) => xxh3_64_with_seed(key.as_bytes(), SEED),
    };
    hash.is_multiple_of(rows.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiled(keys: &[i64]) -> Vec<Unit> {
        let borders = Borders {
            collection: CollectionIndex::new(0),
            rows: 1,
        };
        let keys: Vec<Key> = keys.iter().copied().map(Key::Int64).collect();
        let mut units = Vec::new();
        borders.tile(Some("p".into()), &keys, &mut units);
        units
    }

    #[test]
    fn every_key_is_in_exactly_one_range() {
        for number in [0, 1, 2, 63, 64, 65, 128, 200] {
            let keys: Vec<i64> = (0..number).map(|key| key * 10).collect();
            let units = tiled(&keys);
            assert!(
                units
                    .iter()
                    .all(|unit| unit.batches() as usize <= Unit::MAX_BATCHES)
            );
            for key in (-5..number * 10 + 5).map(Key::Int64) {
                let ranges = units
                    .iter()
                    .flat_map(|unit| unit.indexes().filter_map(|index| unit.range_of(index)));
                let holding = ranges.filter(|range| range.contains(&key)).count();
                assert_eq!(holding, 1, "{key} of {number} borders");
            }
            let open = units.iter().filter(|unit| unit.open).count();
            assert_eq!(open, 1, "the last alone has no end");
        }
    }

    #[test]
    fn about_one_key_in_so_many_is_a_border() {
        let borders = (0..100_000).filter(|key| is_border(&Key::Int64(*key), 100));
        let number = borders.count();
        assert!((800..1200).contains(&number), "{number}");
    }
}
