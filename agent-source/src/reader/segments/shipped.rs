//! Segments whose files go as they are: how large those are, and which of their rows an import must leave out.
//!
//! An import makes a row of every row in the files, but for those whose key is deleted. How it takes deletes is not the same in all
//! releases: some compare times, others drop every row of such a key. And of rows that share a key without a delete it keeps them all. So
//! Milvus's own deletes are not shipped, but those that mean the same to every release: a key is deleted, with a time behind all rows of
//! the segment, unless it has one row in the segment and that is there. Rows that are there and share their key with others of the segment
//! are sent as rows.

use super::{Alive, LogFiles, Segments, alive::hash, folder, segment_malformed};
use binlog::{Delete, Owner};
use bytes::Bytes;
use model::{Fault, Key, Tick};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// How many deletes are put into one file.
const DELETES_AT_ONCE: usize = 1 << 16;

/// What becomes of a row of a segment that is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The import makes it.
    Imported,
    /// It is there, and sent as a row.
    Sent,
    /// It is not there.
    Gone,
}

/// The deletes with which a segment is imported.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    /// As files.
    pub(crate) files: Vec<Bytes>,
    /// How many of its rows the import leaves out.
    pub(crate) rows: u64,
}

impl Segments<'_> {
    /// Tells what becomes of each row of a segment: the place of its files among these, its place in them, and its key. Gives a time
    /// behind all of them.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(crate) async fn part(
        &self,
        logs: &[LogFiles],
        alive: &Alive,
        mut visit: impl FnMut(usize, usize, &Key, Fate) + Send,
    ) -> Result<Tick, Fault> {
        let (several, youngest) = self.several(logs).await?;
        for (place, files) in logs.iter().enumerate() {
            let keys = self.keys(files).await?;
            let scope = self.scope(files);
            for row in 0..keys.rows() {
                let key = self.key(files, &keys, row)?;
                let is_there = alive.has(scope, files, row, &key, keys.tick(row));
                let fate = match is_there {
                    false => Fate::Gone,
                    true if several.contains(&hash(scope, &key)) => Fate::Sent,
                    true => Fate::Imported,
                };
                visit(place, row, &key, fate);
            }
        }
        Ok(Tick::new(youngest.number() + 1))
    }

    /// The hashes of keys that have several rows in a segment, and the time of its youngest row. Keys of the same hash count as one:
    /// their rows are sent then, for nothing.
    async fn several(&self, logs: &[LogFiles]) -> Result<(HashSet<u64>, Tick), Fault> {
        let mut hashes = Vec::new();
        let mut youngest = Tick::default();
        for files in logs {
            let keys = self.keys(files).await?;
            let scope = self.scope(files);
            for row in 0..keys.rows() {
                hashes.push(hash(scope, &self.key(files, &keys, row)?));
                youngest = youngest.max(keys.tick(row));
            }
        }
        hashes.sort_unstable();
        let twice = hashes.windows(2).filter(|pair| pair[0] == pair[1]);
        Ok((twice.map(|pair| pair[0]).collect(), youngest))
    }

    /// The deletes with which a segment is to be imported.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(crate) async fn left_out(
        &self,
        logs: &[LogFiles],
        alive: &Alive,
    ) -> Result<LeftOut, Fault> {
        let Some(first) = logs.first() else {
            return Ok(LeftOut::default());
        };
        let (mut keys, mut rows) = (HashSet::new(), 0);
        let behind = self
            .part(logs, alive, |_, _, key, fate| {
                if fate != Fate::Imported {
                    rows += 1;
                    keys.insert(key.clone());
                }
            })
            .await?;
        let owner = Owner {
            collection: self.source.id,
            partition: first.partition,
            segment: first.segment,
        };
        let mut keys: Vec<Key> = keys.into_iter().collect();
        keys.sort_unstable();
        let file = |keys: &[Key]| {
            let delete = |key: &Key| Delete {
                key: key.clone(),
                tick: behind,
            };
            let deletes: Vec<Delete> = keys.iter().map(delete).collect();
            binlog::write_deletes(owner, &deletes)
        };
        let files: Result<_, _> = keys.chunks(DELETES_AT_ONCE).map(file).collect();
        let files = files.map_err(|error| {
            let name = &self.source.name;
            let id = first.segment;
            segment_malformed(format!(
                "collection {name}, segment {id}: its deletes: {error}"
            ))
        })?;
        Ok(LeftOut { files, rows })
    }

    /// How long the files of a segment's rows are, by their paths.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) async fn lengths(&self, files: &LogFiles) -> Result<BTreeMap<String, u64>, Fault> {
        let LogFiles {
            segment, partition, ..
        } = files;
        let folder = format!("{}/{partition}/{segment}", folder(self.source.id));
        let found = self.storage.files(&folder).await?;
        Ok(found
            .into_iter()
            .map(|file| (file.path, file.bytes))
            .collect())
    }

    /// Some bytes of a file.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) async fn bytes(&self, path: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        Ok(self.storage.read_range(path, range).await?)
    }
}
