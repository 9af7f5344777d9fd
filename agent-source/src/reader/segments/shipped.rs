//! Segments whose files go as they are: how large those are, and which of their rows an import must leave out.
//!
//! An import makes a row of every row in the files, but for those whose key is deleted. How it takes deletes is not the same in all
//! releases: some compare times, others drop every row of such a key. And of rows that share a key without a delete it keeps them all. So
//! Milvus's own deletes are not shipped, but those that mean the same to every release: a key is deleted, with a time behind all rows of
//! the segment, unless it has one row in the segment and that is there. Rows that are there and share their key with others of the segment
//! are sent as rows.
//!
//! Not every segment's files can be imported: not those that hold several fields each, where the target's server knows no such files; and
//! not those that were written before a field of the collection was added. All rows of such a segment are sent.
//!
//! Compaction puts rows of a segment that was shipped into another one, which is shipped in its turn. So what the target has of each
//! segment is noted by the numbers of the rows, and an import leaves out what another has made.

use super::alive::hash;
use super::numbers::Numbered;
use super::{
    Alive, LogFiles, ROW_ID, RowNumbers, Segments, ShippedRows, TIME, folder, segment_malformed,
};
use binlog::{Delete, Owner};
use bytes::Bytes;
use model::{Fault, Field, JobName, Key, Tick, UnitId};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

/// How many deletes are put into one file.
const DELETES_AT_ONCE: usize = 1 << 16;

/// The group that Milvus's importer looks for rows' numbers and times in.
const ROWS_GROUP: i64 = 0;

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
    /// What the target gets of the segment.
    pub(crate) shipped: ShippedRows,
}

/// The segments that a job has shipped, and compaction has replaced since.
#[derive(Debug, Clone)]
pub(crate) struct Replaced {
    /// The job.
    pub(crate) job: JobName,
    /// Their units.
    pub(crate) units: Vec<UnitId>,
}

/// What the target has of the rows of a segment by others, by the places of files and rows; of each of these places only if it has some.
type Before = Vec<Vec<Option<Fate>>>;

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
        replaced: &Replaced,
        mut visit: impl FnMut(usize, usize, &Key, Fate) + Send,
    ) -> Result<Tick, Fault> {
        let (several, youngest) = self.several(logs).await?;
        let before = self.before(logs, replaced).await?;
        for (place, files) in logs.iter().enumerate() {
            let keys = self.keys(files).await?;
            let scope = self.scope(files);
            for row in 0..keys.rows() {
                let key = self.key(files, &keys, row)?;
                let is_there = alive.has(scope, files, row, &key, keys.tick(row));
                let before = before[place].get(row).copied().flatten();
                let fate = match (is_there, before) {
                    (false, _) | (true, Some(Fate::Imported)) => Fate::Gone,
                    (true, Some(fate)) => fate,
                    (true, None) if several.contains(&hash(scope, &key)) => Fate::Sent,
                    (true, None) => Fate::Imported,
                };
                visit(place, row, &key, fate);
            }
        }
        Ok(Tick::new(youngest.number() + 1))
    }

    /// Whether a segment's files can be imported: they have every field of the collection, and where they hold several fields each, those
    /// lie as Milvus's importer wants them and its order of files is ours (`internal/util/importutilv2/binlog/util.go` of 2.6).
    pub(crate) fn is_importable(&self, logs: &[LogFiles], with_grouped: bool) -> bool {
        let vectors = self.source.schema.fields.iter();
        let vectors = vectors.filter(|field| field.data_type.is_vector());
        logs.iter().all(|files| {
            let fits = match &files.grouped {
                None => true,
                Some(grouped) => {
                    let is_alone = |field: &Field| grouped.group(field.id) == Some(field.id);
                    let has_rows = files.paths.contains_key(&ROWS_GROUP);
                    with_grouped && has_rows && vectors.clone().all(is_alone)
                }
            };
            fits && self.has_every_field(files)
        }) && are_named_alike(logs)
    }

    fn has_every_field(&self, files: &LogFiles) -> bool {
        let there: BTreeSet<i64> = files.fields().into_iter().collect();
        let described: BTreeSet<i64> = self
            .source
            .schema
            .fields
            .iter()
            .map(|field| field.id)
            .collect();
        let others = there.difference(&described);
        let has_dynamic = others.into_iter().any(|id| ![ROW_ID, TIME].contains(id));
        described.is_subset(&there) && (has_dynamic || !self.source.schema.has_dynamic_field)
    }

    /// What the target has of a segment's rows by segments that it has replaced.
    async fn before(&self, logs: &[LogFiles], replaced: &Replaced) -> Result<Before, Fault> {
        let mut before = vec![Vec::new(); logs.len()];
        if replaced.units.is_empty() {
            return Ok(before);
        }
        for (files, fates) in logs.iter().zip(&mut before) {
            let numbers = self.numbers(files).await?;
            let rows = Numbered::of(&numbers);
            for unit in &replaced.units {
                let shipped = self.agent.shipped_rows(&replaced.job, *unit)?;
                let kinds = [
                    (shipped.imported, Fate::Imported),
                    (shipped.sent, Fate::Sent),
                ];
                for (row, fate) in kinds.iter().flat_map(|(numbers, fate)| {
                    rows.among(numbers).into_iter().map(move |row| (row, *fate))
                }) {
                    fates.resize(numbers.len(), None);
                    fates[row] = Some(fate);
                }
            }
        }
        Ok(before)
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
        replaced: &Replaced,
    ) -> Result<LeftOut, Fault> {
        let Some(first) = logs.first() else {
            return Ok(LeftOut::default());
        };
        let mut numbers = Vec::new();
        for files in logs {
            numbers.push(self.numbers(files).await?);
        }
        let (mut keys, mut rows) = (HashSet::new(), 0);
        let (mut imported, mut sent) = (Vec::new(), Vec::new());
        let behind = self
            .part(logs, alive, replaced, |place, row, key, fate| {
                match fate {
                    Fate::Imported => imported.push(numbers[place][row]),
                    Fate::Sent => sent.push(numbers[place][row]),
                    Fate::Gone => {}
                }
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
        let shipped = ShippedRows {
            imported: RowNumbers::of(imported),
            sent: RowNumbers::of(sent),
        };
        Ok(LeftOut {
            files,
            rows,
            shipped,
        })
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
        let read = self.storage.read_range(path, range).await;
        read.map_err(|error| self.unread(error))
    }
}

/// Whether the names of a segment's files, which are numbers, have the same order as texts: a server takes them in that order.
fn are_named_alike(logs: &[LogFiles]) -> bool {
    let names = logs.iter().flat_map(|files| files.paths.values());
    let names = names.filter_map(|path| path.rsplit('/').next());
    let lengths: BTreeSet<usize> = names.map(str::len).collect();
    lengths.len() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> LogFiles {
        let paths = (100..)
            .zip(names)
            .map(|(id, name)| (id, format!("7/{id}/{name}")));
        LogFiles {
            segment: 7,
            partition: 3,
            place: 0,
            rows: 1,
            paths: paths.collect(),
            grouped: None,
        }
    }

    #[test]
    fn numbers_of_unlike_lengths_have_another_order_as_texts() {
        assert!(are_named_alike(&[
            files(&["11", "12"]),
            files(&["21", "99"])
        ]));
        assert!(!are_named_alike(&[
            files(&["9", "8"]),
            files(&["10", "11"])
        ]));
        assert!(are_named_alike(&[]));
    }
}
