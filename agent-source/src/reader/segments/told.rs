//! Which files segments have by the server's own word, where it gives it: no stray file is taken for one of theirs then, and none that is
//! lacking goes unnoticed.
//!
//! Deletes are read from all files all the same, whoever they belong to: compaction moves them from segment to segment, and one that is
//! heeded twice deletes nothing more. Of those that the server names it is made sure that they are there.

use super::{Segments, deletes_folder, vanished};
use crate::agent::Agent;
use milvus::{Kind, MilvusError, Segment, SegmentFiles, SegmentState};
use model::{CollectionSpec, Fault};
use std::collections::{BTreeMap, BTreeSet};
use storage::StoredFile;

/// What the server says of each segment.
pub(super) type Told = BTreeMap<i64, SegmentFiles>;

impl Segments<'_> {
    /// What the server says of these segments; `None` where it says nothing.
    ///
    /// # Errors
    /// Those of Milvus and of the storage; `storage_missing`, which passes, for a segment that others have just taken the place of, and for
    /// a file of deletes that is not there.
    pub(super) async fn told(&self, segments: &[Segment]) -> Result<Option<Told>, Fault> {
        let milvus = self.agent.milvus.in_database(&self.source.name.database);
        if !milvus.tells_segment_files() {
            return Ok(None);
        }
        let ids: Vec<i64> = segments.iter().map(|segment| segment.id).collect();
        let told = match milvus.segment_files(self.source.id, &ids).await {
            Ok(told) => told,
            Err(error) if is_silent(&error) => {
                let collection = &self.source.name;
                tracing::warn!(%collection, %error, "files are looked for in segments' folders");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let told: Told = told.into_iter().map(|told| (told.segment, told)).collect();
        for segment in segments {
            ensure_there(segment, &told)?;
        }
        self.ensure_deletes(&told).await?;
        Ok(Some(told))
    }

    /// Makes sure that every file of deletes is there.
    async fn ensure_deletes(&self, told: &Told) -> Result<(), Fault> {
        let folder = deletes_folder(self.source.id);
        let files = self.storage.files(&folder).await?;
        let there: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        for told in told.values() {
            for log in &told.deletes {
                let path = format!("{folder}/{}/{}/{log}", told.partition, told.segment);
                if !there.contains(path.as_str()) {
                    let name = self.storage.name();
                    return Err(vanished(&format!("storage {name} has no file {path}")));
                }
            }
        }
        Ok(())
    }
}

/// What is to be said in advance of where a collection's files are looked for; nothing where the server is not asked.
///
/// # Errors
/// Those of Milvus that pass.
pub(crate) async fn how_listed(
    agent: &Agent,
    source: &CollectionSpec,
) -> Result<Option<String>, Fault> {
    let milvus = agent.milvus.in_database(&source.name.database);
    if !milvus.tells_segment_files() {
        return Ok(None);
    }
    match milvus.prove_segment_files(source.id).await {
        Ok(()) => Ok(Some("the server says which files those are".to_owned())),
        Err(error) if is_silent(&error) => Ok(Some(format!(
            "the server does not say which files those are, and they are looked for in their folders: {error}"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// Whether the server will not say it, however often it is asked.
fn is_silent(error: &MilvusError) -> bool {
    matches!(
        error.kind(),
        Kind::Unimplemented | Kind::Denied | Kind::Unauthenticated
    )
}

fn ensure_there(segment: &Segment, told: &Told) -> Result<(), Fault> {
    match told.get(&segment.id) {
        Some(told) if told.state != SegmentState::Dropped => Ok(()),
        _ => Err(vanished(&format!("segment {} is no more", segment.id))),
    }
}

/// Those of the files in a segment's folder that the server names, of which every one is there.
///
/// # Errors
/// The name of one that is not.
pub(super) fn named(
    told: &SegmentFiles,
    folder: &str,
    files: Vec<StoredFile>,
) -> Result<Vec<StoredFile>, String> {
    let mut there: BTreeMap<String, StoredFile> = files
        .into_iter()
        .map(|file| (file.path.clone(), file))
        .collect();
    let paths = told.rows_of.iter().flat_map(|(field, logs)| {
        logs.iter()
            .map(move |log| format!("{folder}/{field}/{log}"))
    });
    paths
        .map(|path| there.remove(&path).ok_or(path))
        .collect::<Result<_, _>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: SegmentState) -> SegmentFiles {
        SegmentFiles {
            segment: 7,
            partition: 3,
            rows: 10,
            state,
            level: 2,
            channel: String::new(),
            rows_of: [(0, vec![11]), (100, vec![12])].into(),
            deletes: Vec::new(),
        }
    }

    fn files(paths: &[&str]) -> Vec<StoredFile> {
        let file = |path: &&str| StoredFile {
            path: format!("insert_log/1/3/7/{path}"),
            bytes: 1,
        };
        paths.iter().map(file).collect()
    }

    #[test]
    fn strays_are_left_out_and_what_is_lacking_is_named() {
        let told = told(SegmentState::Flushed);
        let there = files(&["0/10", "0/11", "100/12", "101/13", "0/stray"]);
        let found = named(&told, "insert_log/1/3/7", there).unwrap();
        assert_eq!(found, files(&["0/11", "100/12"]));
        let lacking = named(&told, "insert_log/1/3/7", files(&["0/11"]));
        assert_eq!(lacking, Err("insert_log/1/3/7/100/12".to_owned()));
    }

    #[test]
    fn a_segment_that_others_took_the_place_of_is_listed_again() {
        let segment = Segment {
            id: 7,
            partition: 3,
            rows: 10,
            state: SegmentState::Flushed,
            level: 2,
            storage_version: 0,
        };
        let of = |state| [(7, told(state))].into();
        assert!(ensure_there(&segment, &of(SegmentState::Flushed)).is_ok());
        let gone = ensure_there(&segment, &of(SegmentState::Dropped)).unwrap_err();
        assert_eq!(gone.class, model::Class::Transient);
        assert!(ensure_there(&segment, &Told::new()).is_err());
    }
}
