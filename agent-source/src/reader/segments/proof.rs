//! What the target is held against: the digest of each range of keys, as the segments have the rows.
//!
//! One reading of all rows gives the digests of all ranges, since a digest is a sum that knows no order. Only a range that differs is
//! read again, row by row; its whole unit at once, so that the next range costs no further reading.

use super::{Alive, LogFiles, LogRows, Segments};
use crate::agent::Agent;
use crate::reader::rows::malformed;
use milvus::proof::{self, FieldHashes};
use model::report::CollectionReport;
use model::{
    BatchIndex, Class, CollectionIndex, CollectionSpec, Digest, Fault, JobName, Key, RowHash, Unit,
    codes,
};
use protocol::call::UnitDigests;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// How many rows are hashed at once.
const ROWS_AT_ONCE: usize = 1024;

/// The proofs of the collections that are being compared.
#[derive(Debug, Default)]
pub(crate) struct Proofs(Mutex<HashMap<(JobName, CollectionIndex), Arc<Proof>>>);

/// What the segments of a collection say of its rows.
#[derive(Debug)]
pub(crate) struct Proof {
    source: CollectionSpec,
    is_key_hashed: bool,
    list: Vec<LogFiles>,
    alive: Alive,
    units: Vec<Unit>,
    /// By unit, then by batch.
    digests: Vec<Vec<Digest>>,
    /// By unit: rows that are not shown, and the first of their keys.
    duplicates: BTreeMap<usize, (u64, Vec<Key>)>,
    /// The rows of the unit that was looked at last.
    last: tokio::sync::Mutex<Option<(usize, Arc<UnitRows>)>>,
}

/// The rows of a unit: the batch, key and hash of each.
type UnitRows = Vec<(BatchIndex, Key, RowHash)>;

impl Proofs {
    /// The collection is compared with this from now on.
    pub(crate) fn keep(&self, job: &JobName, index: CollectionIndex, proof: Proof) {
        self.all().insert((job.clone(), index), Arc::new(proof));
    }

    /// It is no longer.
    pub(crate) fn forget(&self, job: &JobName, index: CollectionIndex) {
        self.all().remove(&(job.clone(), index));
    }

    /// What the collection is compared with, if it is segments.
    pub(crate) fn find(&self, job: &JobName, index: CollectionIndex) -> Option<Arc<Proof>> {
        self.all().get(&(job.clone(), index)).cloned()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<(JobName, CollectionIndex), Arc<Proof>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the keys of each partition are.
struct Places<'a> {
    units: &'a [Unit],
    /// The units of each partition, by their keys.
    of_partition: BTreeMap<&'a Option<String>, Vec<usize>>,
}

impl<'a> Places<'a> {
    fn new(units: &'a [Unit]) -> Self {
        let mut of_partition: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, unit) in units.iter().enumerate() {
            of_partition.entry(&unit.partition).or_default().push(place);
        }
        Self {
            units,
            of_partition,
        }
    }

    /// The unit and batch of a key.
    fn of(&self, partition: &Option<String>, key: &Key) -> Option<(usize, BatchIndex)> {
        let units = self.of_partition.get(partition)?;
        let is_behind = |place: &usize| {
            let after = &self.units[*place].after;
            after.as_ref().is_none_or(|after| after < key)
        };
        let place = *units.get(units.partition_point(is_behind).checked_sub(1)?)?;
        let batch = self.units[place]
            .borders
            .partition_point(|border| border < key);
        Some((place, BatchIndex::new(u32::try_from(batch).ok()?).ok()?))
    }
}

impl Proof {
    /// Reads all rows of these segments.
    ///
    /// # Errors
    /// Those of the segments.
    pub(crate) async fn take(
        segments: &Segments<'_>,
        list: Vec<LogFiles>,
        alive: Alive,
        units: Vec<Unit>,
        is_key_hashed: bool,
    ) -> Result<Self, Fault> {
        let mut digests: Vec<Vec<Digest>> = units
            .iter()
            .map(|unit| vec![Digest::default(); unit.batches() as usize])
            .collect();
        let mut duplicates: BTreeMap<usize, (u64, Vec<Key>)> = BTreeMap::new();
        let places = Places::new(&units);
        // Without units the rows need only be counted.
        for files in list.iter().filter(|_| !units.is_empty()) {
            let Some(partition) = segments.partition(files.partition) else {
                continue;
            };
            let rows = segments.rows(files).await?;
            let there = segments.there(files, rows.keys(), &alive)?;
            for some in there.chunks(ROWS_AT_ONCE) {
                for (key, hash) in hashes(segments, &rows, some, is_key_hashed)? {
                    let (unit, batch) = places.of(partition, &key).ok_or_else(|| {
                        let what = format!("key {key} lies in no range that is compared");
                        Fault::new(codes::BUG, Class::Bug, what, "report this")
                    })?;
                    digests[unit][batch.number() as usize].add(&hash);
                }
                tokio::task::yield_now().await;
            }
        }
        for (scope, key, others) in alive.duplicates() {
            let partition = segments.partition(scope).unwrap_or(&None);
            if let Some((unit, _)) = places.of(partition, key) {
                let (number, keys) = duplicates.entry(unit).or_default();
                *number += others;
                if keys.len() < CollectionReport::MAX_DUPLICATES {
                    keys.push(key.clone());
                }
            }
        }
        Ok(Self {
            source: segments.source.clone(),
            is_key_hashed,
            list,
            alive,
            units,
            digests,
            duplicates,
            last: tokio::sync::Mutex::default(),
        })
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> u64 {
        self.alive.rows()
    }

    /// What a unit's batches come to; `None` where there is no such unit.
    pub(crate) fn digests(&self, unit: u32) -> Option<UnitDigests> {
        let place = unit as usize;
        let (duplicates, mut keys) = self.duplicates.get(&place).cloned().unwrap_or_default();
        keys.sort_unstable();
        Some(UnitDigests {
            unit: self.units.get(place)?.clone(),
            batches: self.digests.get(place)?.clone(),
            duplicates,
            duplicate_keys: keys,
            unreadable: 0,
        })
    }

    /// The key and hash of each row of a batch.
    ///
    /// # Errors
    /// Those of the segments.
    pub(crate) async fn row_hashes(
        &self,
        agent: &Agent,
        unit: u32,
        batch: BatchIndex,
    ) -> Result<Vec<(Key, RowHash)>, Fault> {
        let rows = self.unit_rows(agent, unit as usize).await?;
        let of_batch = rows.iter().filter(|(of, ..)| *of == batch);
        Ok(of_batch
            .map(|(_, key, hash)| (key.clone(), *hash))
            .collect())
    }

    async fn unit_rows(&self, agent: &Agent, unit: usize) -> Result<Arc<UnitRows>, Fault> {
        let mut last = self.last.lock().await;
        if let Some((_, rows)) = last.as_ref().filter(|(of, _)| *of == unit) {
            return Ok(rows.clone());
        }
        let places = Places::new(&self.units);
        let mut found = UnitRows::new();
        self.each_meant(agent, unit, |segments, partition, rows, there| {
            for (key, hash) in hashes(segments, rows, there, self.is_key_hashed)? {
                if let Some((_, batch)) = places.of(partition, &key).filter(|(of, _)| *of == unit) {
                    found.push((batch, key, hash));
                }
            }
            Ok(())
        })
        .await?;
        let found = Arc::new(found);
        *last = Some((unit, found.clone()));
        Ok(found)
    }

    /// The hash of each field of these rows of a unit.
    ///
    /// # Errors
    /// Those of the segments.
    pub(crate) async fn field_hashes(
        &self,
        agent: &Agent,
        unit: u32,
        wanted: &BTreeSet<Key>,
    ) -> Result<Vec<FieldHashes>, Fault> {
        let mut found = Vec::new();
        self.each_meant(agent, unit as usize, |segments, _, rows, there| {
            let batch = rows.batch(there).map_err(|error| malformed(&error))?;
            let fields = proof::field_hashes(&batch, segments.primary_name(), wanted);
            found.extend(fields.map_err(|error| malformed(&error))?);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Reads the rows whose keys lie in a unit, some at a time.
    async fn each_meant(
        &self,
        agent: &Agent,
        unit: usize,
        mut visit: impl FnMut(
            &Segments<'_>,
            &Option<String>,
            &LogRows<'_>,
            &[usize],
        ) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let segments = Segments::open(agent, &self.source).await?;
        let Some(meant) = self.units.get(unit) else {
            return Ok(());
        };
        let range = meant.range();
        for files in &self.list {
            if segments.partition(files.partition) != Some(&meant.partition) {
                continue;
            }
            let there = self.keys_in(&segments, files, &range).await?;
            if there.is_empty() {
                continue;
            }
            let rows = segments.rows(files).await?;
            for some in there.chunks(ROWS_AT_ONCE) {
                visit(&segments, &meant.partition, &rows, some)?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn keys_in(
        &self,
        segments: &Segments<'_>,
        files: &LogFiles,
        range: &model::KeyRange,
    ) -> Result<Vec<usize>, Fault> {
        let keys = segments.keys(files).await?;
        let there = segments.there(files, &keys, &self.alive)?;
        let is_meant = |row: &usize| keys.key(*row).is_some_and(|key| range.contains(&key));
        Ok(there.into_iter().filter(is_meant).collect())
    }
}

fn hashes(
    segments: &Segments<'_>,
    rows: &LogRows<'_>,
    some: &[usize],
    is_key_hashed: bool,
) -> Result<Vec<(Key, RowHash)>, Fault> {
    let batch = rows.batch(some).map_err(|error| malformed(&error))?;
    let hashes = proof::row_hashes(&batch, segments.primary_name(), is_key_hashed);
    hashes.map_err(|error| malformed(&error))
}
