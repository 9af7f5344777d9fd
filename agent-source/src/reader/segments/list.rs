//! Which segments a collection has, and their files.
//!
//! A flush comes first: rows that the server took before it are in files then. A segment's files are those of its folder, or
//! where the server says which it has, those of them; within a segment every field, or group of fields, has as many, and the i-th ones hold the same rows. Which form they have the server says for
//! each segment: compaction rewrites older ones, so that a collection may have both. Files of a segment that compaction has replaced stay for hours
//! (Milvus's `dataCoord.gc.dropTolerance`, three by default).

use super::grouped::GroupedRows;
use super::{Segments, told, unreadable, vanished};
use milvus::{Segment, SegmentFiles, SegmentState};
use model::{Class, Fault, codes};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use storage::StoredFile;

/// The form of a segment whose files hold several fields each, since 2.6.
pub(crate) const GROUPED: i64 = 2;

/// The first form that this build does not read: what a manifest lists, since 3.0 where `common.storage.useLoonFFI` is set.
const MANIFEST: i64 = 3;

/// What a segment of nothing but deletes is called by its level.
const ONLY_DELETES: i32 = 1;

/// The files that hold the same rows, by their fields' ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogFiles {
    /// The segment.
    pub(crate) segment: i64,
    /// Its partition's id.
    pub(crate) partition: i64,
    /// Their place among those of the segment.
    pub(crate) place: u32,
    /// How many rows, deleted ones too.
    pub(crate) rows: u64,
    /// The path of each.
    pub(crate) paths: BTreeMap<i64, String>,
    /// Where in them the rows are, if each holds several fields: the paths are by the numbers of their groups then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grouped: Option<GroupedRows>,
}

impl LogFiles {
    /// The ids of the fields in the files.
    pub(crate) fn fields(&self) -> Vec<i64> {
        match &self.grouped {
            Some(grouped) => grouped.fields().collect(),
            None => self.paths.keys().copied().collect(),
        }
    }
}

/// The folder of a collection's rows.
pub(crate) fn folder(collection: i64) -> String {
    format!("insert_log/{collection}")
}

/// The folder of a collection's deletes.
pub(crate) fn deletes_folder(collection: i64) -> String {
    format!("delta_log/{collection}")
}

/// The folder of a segment's rows.
pub(crate) fn rows_folder(collection: i64, segment: &Segment) -> String {
    let Segment { id, partition, .. } = segment;
    format!("{}/{partition}/{id}", folder(collection))
}

impl Segments<'_> {
    /// Has the server write the collection to files, and lists them.
    ///
    /// # Errors
    /// `segments_unreadable`, `storage_missing` where the storage holds no such files, and those of Milvus and of the storage.
    pub(crate) async fn list(&self) -> Result<Vec<LogFiles>, Fault> {
        let (name, milvus) = (&self.source.name, &self.agent.milvus);
        let milvus = milvus.in_database(&name.database);
        self.agent.flush(name).await?;
        let mut listed = Vec::new();
        let mut segments = milvus.segments(&name.collection).await?;
        for segment in &segments {
            self.ensure_readable(segment)?;
        }
        segments.retain(is_in_files);
        let told = self.told(&segments).await?;
        for segment in segments {
            if segment.level == ONLY_DELETES || segment.rows == 0 {
                continue;
            }
            let told = told.as_ref().and_then(|told| told.get(&segment.id));
            // One of a partition that was dropped meanwhile is gone with it.
            if self.partition(segment.partition).is_some() {
                listed.append(&mut self.files_of(&segment, told).await?);
            }
        }
        Ok(listed)
    }

    /// Which segments the collection has in files now: files of others may be removed.
    ///
    /// # Errors
    /// Those of Milvus.
    pub(crate) async fn present(&self) -> Result<BTreeSet<i64>, Fault> {
        let (name, milvus) = (&self.source.name, &self.agent.milvus);
        let milvus = milvus.in_database(&name.database);
        let segments = milvus.segments(&name.collection).await?;
        let there = segments.iter().filter(|segment| is_in_files(segment));
        Ok(there.map(|segment| segment.id).collect())
    }

    fn ensure_readable(&self, segment: &Segment) -> Result<(), Fault> {
        let name = &self.source.name;
        if let Some(what) = unread(segment) {
            return Err(unreadable(name, &what, "use `copy: rows`"));
        }
        match segment.state {
            SegmentState::Flushed | SegmentState::Flushing | SegmentState::Dropped => Ok(()),
            // What was written since the flush. A job that follows changes has it in the log.
            SegmentState::Growing | SegmentState::Sealed => Ok(()),
            other => {
                let what = format!("segment {} is {other:?}", segment.id);
                let hint = "wait until imports into it are done";
                Err(unreadable(name, &what, hint))
            }
        }
    }

    async fn files_of(
        &self,
        segment: &Segment,
        told: Option<&SegmentFiles>,
    ) -> Result<Vec<LogFiles>, Fault> {
        let folder = rows_folder(self.source.id, segment);
        let mut files = self.storage.files(&folder).await?;
        if files.is_empty() {
            let (storage, rows) = (self.storage.name(), segment.rows);
            let message = format!(
                "storage {storage} has no file in {folder}, where Milvus should have {rows} rows of collection {}",
                self.source.name
            );
            let hint = "compare bucketName and rootPath (or path) in the agent's `storage` section with milvus.yaml";
            return Err(Fault::new(
                codes::STORAGE_MISSING,
                Class::Operator,
                message,
                hint,
            ));
        }
        if let Some(told) = told {
            let name = self.storage.name();
            let lacking = |path| vanished(&format!("storage {name} has no file {path}"));
            files = told::named(told, &folder, files).map_err(lacking)?;
        }
        let odd = |what: String| {
            unreadable(
                &self.source.name,
                &what,
                "it may be being written: it is looked at again",
            )
        };
        let lengths = files.iter().map(|file| (file.path.clone(), file.bytes));
        let lengths: BTreeMap<String, u64> = lengths.collect();
        let mut logs = Vec::new();
        for mut files in aligned(segment, &folder, files).map_err(odd)? {
            if segment.storage_version == GROUPED {
                let place = u32::try_from(logs.len()).unwrap_or(u32::MAX);
                logs.append(&mut self.runs(files, &lengths, place).await?);
            } else {
                files.rows = self.keys(&files).await?.rows() as u64;
                logs.push(files);
            }
        }
        let rows: u64 = logs.iter().map(|files| files.rows).sum();
        let (id, told) = (segment.id, told.map_or(segment.rows, |told| told.rows));
        if rows != told {
            let what =
                format!("the files of segment {id} hold {rows} rows, and Milvus says {told}");
            return Err(odd(what));
        }
        Ok(logs)
    }
}

/// Why the files of a segment are not read, if so.
pub(crate) fn unread(segment: &Segment) -> Option<String> {
    let Segment {
        id,
        storage_version,
        ..
    } = segment;
    (*storage_version >= MANIFEST).then(|| {
        format!("segment {id} has storage version {storage_version}: its files are listed in a manifest, which is not read yet")
    })
}

fn is_in_files(segment: &Segment) -> bool {
    matches!(
        segment.state,
        SegmentState::Flushed | SegmentState::Flushing
    )
}

/// The files of a segment's folder, those of the same rows together.
fn aligned(
    segment: &Segment,
    folder: &str,
    files: Vec<StoredFile>,
) -> Result<Vec<LogFiles>, String> {
    let mut fields: BTreeMap<i64, BTreeMap<i64, String>> = BTreeMap::new();
    for file in files {
        let below = file.path.strip_prefix(folder).unwrap_or(&file.path);
        let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
        let numbers = match parts[..] {
            [field, log] => field.parse().ok().zip(log.parse().ok()),
            _ => None,
        };
        let (field, log) = numbers.ok_or_else(|| format!("{:?} is no file of rows", file.path))?;
        fields.entry(field).or_default().insert(log, file.path);
    }
    let counts: BTreeMap<i64, usize> = fields.iter().map(|(id, logs)| (*id, logs.len())).collect();
    let number = counts.values().copied().max().unwrap_or(0);
    if counts.values().any(|count| *count != number) {
        return Err(format!(
            "segment {} has unlike numbers of files for its fields: {counts:?}",
            segment.id
        ));
    }
    let empty = |place| LogFiles {
        segment: segment.id,
        partition: segment.partition,
        place,
        rows: 0,
        paths: BTreeMap::new(),
        grouped: None,
    };
    let mut logs: Vec<LogFiles> = (0..).take(number).map(empty).collect();
    for (field, paths) in fields {
        for (log, path) in logs.iter_mut().zip(paths.into_values()) {
            log.paths.insert(field, path);
        }
    }
    Ok(logs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        Segment {
            id: 7,
            partition: 3,
            rows: 10,
            state: SegmentState::Flushed,
            level: 2,
            storage_version: 0,
        }
    }

    fn files(paths: &[&str]) -> Vec<StoredFile> {
        let file = |path: &&str| StoredFile {
            path: format!("insert_log/1/3/7/{path}"),
            bytes: 1,
        };
        paths.iter().map(file).collect()
    }

    fn of(paths: &[&str]) -> Result<Vec<LogFiles>, String> {
        aligned(&segment(), "insert_log/1/3/7", files(paths))
    }

    #[test]
    fn files_are_put_together_by_the_order_of_their_numbers() {
        // As texts, 10 comes before 9.
        let logs = of(&["1/10", "1/9", "100/11", "100/12"]).unwrap();
        let paths: Vec<Vec<&str>> = logs
            .iter()
            .map(|log| log.paths.values().map(String::as_str).collect())
            .collect();
        let whole = |path: &str| format!("insert_log/1/3/7/{path}");
        assert_eq!(paths[0], [whole("1/9"), whole("100/11")]);
        assert_eq!(paths[1], [whole("1/10"), whole("100/12")]);
    }

    #[test]
    fn what_a_manifest_lists_is_told_and_not_read() {
        let of = |storage_version| Segment {
            storage_version,
            ..segment()
        };
        assert!((0..=GROUPED).all(|version| unread(&of(version)).is_none()));
        let told = unread(&of(MANIFEST)).unwrap();
        assert!(told.contains("storage version 3"), "{told}");
    }

    #[test]
    fn unlike_numbers_of_files_are_refused() {
        let told = of(&["1/9", "1/10", "100/11"]).unwrap_err();
        assert!(told.contains("unlike numbers"), "{told}");
        assert!(of(&["1/9", "stray"]).is_err());
        assert!(of(&["1/nine"]).is_err());
    }
}
