//! Which of the rows in the files are there: not deleted, not expired, and the newest of their key.
//!
//! A row is gone once a delete of its key in its partition is younger; one of the same time was written together with the row, as an
//! upsert. Deletes are those of all files of the collection: a segment's own hold but the keys that it may have.
//!
//! A key may have several rows that nobody deleted: Milvus's Insert asks for none. It shows the youngest. Which keys have several is
//! found in bounded memory: a table of bits by the keys' hashes names suspects, few of them wrongly, and a second reading settles those.
//! Where the table would be too full, keys are taken share by share.

use super::{KeyLog, LogFiles, Segments, deletes_folder, malformed, unreadable};
use model::{Fault, Key, Tick};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64;

/// The property by which Milvus drops rows by their age.
const TTL: &str = "collection.ttl.seconds";

/// The partition of deletes that go for all.
const EVERYWHERE: i64 = -1;

/// How many bits the table has, and how many rows may share it: then about one in sixty is suspected wrongly.
const BITS: u64 = 1 << 28;
const ROWS_AT_ONCE: u64 = 8 << 20;

/// What an entry of a map costs beside its key.
const ENTRY_BYTES: usize = 64;

/// Which rows are there.
#[derive(Debug, Default)]
pub(crate) struct Alive {
    /// By partition, then by key: a row that is older is gone.
    deleted: HashMap<i64, HashMap<Key, Tick>>,
    /// Rows that are older are gone.
    expired: Tick,
    /// Of keys that have several rows, by scope and key: the one that is shown, and how many others there are.
    several: HashMap<(i64, Key), Several>,
    /// How many rows are there.
    rows: u64,
}

#[derive(Debug, Clone, Copy)]
struct Several {
    tick: Tick,
    /// Its segment, the place of its files in that, and its place in them.
    place: (i64, u32, usize),
    others: u64,
}

/// A row as it is met.
struct Met<'a> {
    files: &'a LogFiles,
    scope: i64,
    row: usize,
    key: Key,
    tick: Tick,
    hash: u64,
}

impl Alive {
    /// Whether a row is there.
    pub(crate) fn has(
        &self,
        scope: i64,
        files: &LogFiles,
        row: usize,
        key: &Key,
        tick: Tick,
    ) -> bool {
        self.is_left(files, key, tick)
            && (self.several.is_empty()
                || self
                    .several
                    .get(&(scope, key.clone()))
                    .is_none_or(|several| several.place == (files.segment, files.place, row)))
    }

    /// How many rows are there.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The keys that have several rows which nobody deleted, each with its scope and how many are not shown.
    pub(crate) fn duplicates(&self) -> impl Iterator<Item = (i64, &Key, u64)> {
        self.several
            .iter()
            .map(|((scope, key), several)| (*scope, key, several.others))
    }

    fn is_left(&self, files: &LogFiles, key: &Key, tick: Tick) -> bool {
        let is_gone = |partition| {
            let deleted = self.deleted.get(&partition).and_then(|keys| keys.get(key));
            deleted.is_some_and(|deleted| *deleted > tick)
        };
        tick >= self.expired && !is_gone(files.partition) && !is_gone(EVERYWHERE)
    }

    /// Takes in a row that has a key of its own, or is one of several: of those the youngest is shown, and of the same age the first.
    fn meet(&mut self, met: Met<'_>) {
        let place = (met.files.segment, met.files.place, met.row);
        let first = Several {
            tick: met.tick,
            place,
            others: 0,
        };
        self.several
            .entry((met.scope, met.key))
            .and_modify(|several| {
                let others = several.others + 1;
                *several = if met.tick > several.tick {
                    first
                } else {
                    *several
                };
                several.others = others;
            })
            .or_insert(first);
    }
}

impl Segments<'_> {
    /// Finds which rows of these segments are there.
    ///
    /// # Errors
    /// `segments_unreadable` when there are more deletes, or keys with several rows, than `most_bytes` hold; `segment_malformed`, and the
    /// storage's.
    pub(crate) async fn alive(&self, list: &[LogFiles], most_bytes: usize) -> Result<Alive, Fault> {
        let mut alive = Alive {
            deleted: self.deletes(most_bytes).await?,
            expired: self.expired(),
            ..Alive::default()
        };
        let all: u64 = list.iter().map(|files| files.rows).sum();
        let shares = all.div_ceil(ROWS_AT_ONCE).max(1);
        for share in 0..shares {
            let is_meant = |hash: u64| hash % shares == share;
            let mut seen = Bits::new(all.min(ROWS_AT_ONCE));
            let mut suspects = HashSet::new();
            let mut bytes = 0;
            self.each_left(list, &alive, |met| {
                if !is_meant(met.hash) {
                    return true;
                }
                if seen.put(met.hash / shares) {
                    bytes += met.key.size_bytes() + ENTRY_BYTES;
                    suspects.insert((met.scope, met.key));
                }
                bytes <= most_bytes
            })
            .await?;
            if bytes > most_bytes {
                return Err(self.too_many("keys with several rows", most_bytes));
            }
            drop(seen);
            let mut found = Alive::default();
            let mut rows = 0;
            self.each_left(list, &alive, |met| {
                if is_meant(met.hash) {
                    rows += 1;
                    if suspects.contains(&(met.scope, met.key.clone())) {
                        found.meet(met);
                    }
                }
                true
            })
            .await?;
            found.several.retain(|_, several| several.others > 0);
            let hidden: u64 = found.several.values().map(|several| several.others).sum();
            alive.rows += rows - hidden;
            alive.several.extend(found.several);
        }
        Ok(alive)
    }

    /// Meets every row that is not deleted or expired, until the visitor says that it has enough.
    async fn each_left(
        &self,
        list: &[LogFiles],
        alive: &Alive,
        mut visit: impl FnMut(Met<'_>) -> bool,
    ) -> Result<(), Fault> {
        for files in list {
            let keys = self.keys(files).await?;
            let scope = self.scope(files);
            for row in 0..keys.rows() {
                let (key, tick) = (self.key(files, &keys, row)?, keys.tick(row));
                if !alive.is_left(files, &key, tick) {
                    continue;
                }
                let hash = hash(scope, &key);
                let met = Met {
                    files,
                    scope,
                    row,
                    key,
                    tick,
                    hash,
                };
                if !visit(met) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The rows of these that are there, by their places.
    ///
    /// # Errors
    /// `segment_malformed` for a key that is none.
    pub(crate) fn there(
        &self,
        files: &LogFiles,
        keys: &KeyLog,
        alive: &Alive,
    ) -> Result<Vec<usize>, Fault> {
        let scope = self.scope(files);
        let mut there = Vec::with_capacity(keys.rows());
        for row in 0..keys.rows() {
            let key = self.key(files, keys, row)?;
            if alive.has(scope, files, row, &key, keys.tick(row)) {
                there.push(row);
            }
        }
        Ok(there)
    }

    /// Within what a key is meant to have one row: its partition; or the collection, where a partition key places rows.
    pub(crate) fn scope(&self, files: &LogFiles) -> i64 {
        match self.partition(files.partition) {
            Some(Some(_)) => files.partition,
            _ => EVERYWHERE,
        }
    }

    /// The latest delete of each key, by partition.
    async fn deletes(&self, most_bytes: usize) -> Result<HashMap<i64, HashMap<Key, Tick>>, Fault> {
        let folder = deletes_folder(self.source.id);
        let mut deleted: HashMap<i64, HashMap<Key, Tick>> = HashMap::new();
        let mut bytes = 0;
        for file in self.storage.files(&folder).await? {
            let below = file.path.strip_prefix(&folder).unwrap_or(&file.path);
            let partition = below.split('/').find(|part| !part.is_empty());
            let partition = partition.and_then(|part| part.parse().ok());
            let Some(partition) = partition else {
                let what = format!("{:?} is no file of deletes", file.path);
                return Err(unreadable(&self.source.name, &what, "use `copy: rows`"));
            };
            if partition != EVERYWHERE && self.partition(partition).is_none() {
                continue;
            }
            let read = self.read(&file.path).await?;
            let deletes = binlog::read_deletes(&read)
                .map_err(|error| malformed(self.storage, &file.path, &error))?;
            let of_partition = deleted.entry(partition).or_default();
            for delete in deletes {
                let size = delete.key.size_bytes() + ENTRY_BYTES;
                let latest = of_partition.entry(delete.key).or_insert_with(|| {
                    bytes += size;
                    Tick::default()
                });
                *latest = delete.tick.max(*latest);
            }
            if bytes > most_bytes {
                return Err(self.too_many("deleted keys", most_bytes));
            }
        }
        Ok(deleted)
    }

    /// Rows of before are expired, where the collection has its rows expire.
    fn expired(&self) -> Tick {
        let seconds = self.source.properties.get(TTL);
        let seconds: Option<u64> = seconds.and_then(|seconds| seconds.parse().ok());
        seconds
            .filter(|seconds| *seconds > 0)
            .map_or(Tick::default(), |seconds| {
                let oldest = runtime::clock::unix_ms().saturating_sub(seconds.saturating_mul(1000));
                Tick::of_millis(oldest)
            })
    }

    fn too_many(&self, what: &str, most_bytes: usize) -> Fault {
        let what = format!("its segments have more {what} than {most_bytes} bytes hold");
        let hint =
            "compact the collection, give the agent more of `limits.memory`, or use `copy: rows`";
        unreadable(&self.source.name, &what, hint)
    }
}

/// Of a key and the scope in which it is meant to have one row.
pub(super) fn hash(scope: i64, key: &Key) -> u64 {
    match key {
        Key::Int64(key) => {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&scope.to_le_bytes());
            bytes[8..].copy_from_slice(&key.to_le_bytes());
            xxh3_64(&bytes)
        }
        Key::VarChar(key) => xxh3_64(key.as_bytes()) ^ scope.cast_unsigned().rotate_left(32),
    }
}

/// A table of bits.
struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// One for so many entries.
    fn new(entries: u64) -> Self {
        // As full as one for the most entries is at most.
        let bits = (entries * (BITS / ROWS_AT_ONCE)).clamp(64, BITS);
        Self {
            words: vec![0; usize::try_from(bits.div_ceil(64)).unwrap_or(usize::MAX)],
        }
    }

    /// Sets the bit of this hash: whether it was set before.
    fn put(&mut self, hash: u64) -> bool {
        let at = hash % (self.words.len() as u64 * 64);
        let (word, bit) = ((at / 64) as usize, 1 << (at % 64));
        let was_set = self.words[word] & bit != 0;
        self.words[word] |= bit;
        was_set
    }
}
