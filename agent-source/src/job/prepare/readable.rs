//! How a collection's rows are to be read: by queries, from the files of its segments, or not at all.

use crate::job::{Job, StepError};
use crate::reader::segments;
use crate::records::JobRecord;
use milvus::{Product, Segment, SegmentState, ServerVersion, columns};
use model::job::{CopyBy, Mode, Unloaded, Verify};
use model::{CollectionName, CollectionSpec, Fault, Field, Finding, LoadState, Severity, codes};
use protocol::call::Imports;

/// An import takes Milvus a second or more, however little there is to import.
const WORTH_AN_IMPORT_BYTES: u64 = 16 << 20;

/// Why a collection with less is not imported.
const SMALL: &str = "it is so small that rows are faster";

/// Why files that hold several fields each are not imported.
const NOT_GROUPED: &str = "their files hold several fields each, as Milvus writes them since 2.6, and the target does not import such files";

/// What every target imports that says only that it does: earlier releases of its agent shipped nothing else.
const ANY_TARGET: Imports = Imports {
    up_to: (2, 3),
    grouped: false,
};

/// How it can be read.
#[derive(Debug, Default)]
pub(super) struct Readable {
    /// It is known to hold no row, so that nothing need be read.
    pub(super) is_empty: bool,
    /// Its rows are copied from files.
    pub(super) from_segments: bool,
    /// Those are shipped as they are, for the target to import.
    pub(super) is_shipped: bool,
    /// Those, too, that hold several fields each.
    pub(super) ships_grouped: bool,
    /// What is to be said of that.
    pub(super) findings: Vec<Finding>,
}

impl Job {
    /// Decides how a collection is to be read, if the target can't import files for this reason, and otherwise imports these.
    ///
    /// # Errors
    /// Those of Milvus and of the storage.
    pub(super) async fn readable(
        &self,
        record: &JobRecord,
        source: &CollectionSpec,
        no_import: Option<String>,
        imports: Option<Imports>,
    ) -> Result<Readable, StepError> {
        let imports = imports.unwrap_or(ANY_TARGET);
        let is_loaded = source.load != LoadState::NotLoaded;
        let is_asked = record.spec.mode == Mode::Live && record.spec.verify != Verify::None;
        let is_auto = record.spec.copy == CopyBy::Auto;
        let no_import = match no_import {
            None if is_auto && self.is_small(source).await? => Some(SMALL.to_owned()),
            None => self.no_shipping(source, imports).await?,
            told => told,
        };
        // Rows that must be sent one by one are better asked for, where they can be. A job that follows changes asks for those that
        // change, and so needs the collection loaded anyway.
        let by_queries = is_auto && no_import.is_some() && (is_loaded || is_asked);
        if record.spec.copy == CopyBy::Rows || by_queries {
            return self.readable_by_queries(record, source).await;
        }
        let (severity, code, text) = match self.no_segments(source).await? {
            Some(_) if is_auto => return self.readable_by_queries(record, source).await,
            Some((code, text)) => (Severity::Blocked, code, text),
            None if is_asked && !is_loaded && record.spec.unloaded == Unloaded::Refuse => {
                let text = "it is not loaded, and rows that change are looked at again by queries: load it, or set `unloaded: load` in the job file";
                (
                    Severity::Blocked,
                    codes::COLLECTION_NOT_LOADED,
                    text.to_owned(),
                )
            }
            None => match &no_import {
                None => {
                    let text = self.shipped(source, imports).await?;
                    (Severity::Note, codes::COPY_BY_IMPORT, text)
                }
                Some(why) => {
                    let text = format!(
                        "its rows are read from the files of its segments, which can't be imported: {why}"
                    );
                    (Severity::Note, codes::COPY_BY_SEGMENTS, text)
                }
            },
        };
        let mut texts = vec![text];
        if severity == Severity::Note {
            texts.extend(segments::how_listed(&self.agent, source).await?);
            texts.extend(segments::how_kept(&self.agent).await);
        }
        let text = texts.join("; ");
        Ok(Readable {
            is_empty: false,
            from_segments: true,
            is_shipped: no_import.is_none(),
            ships_grouped: no_import.is_none() && imports.grouped,
            findings: vec![Finding::new(severity, code, &source.name, text)],
        })
    }

    /// Why none of a collection's files are shipped, if the target imports these.
    async fn no_shipping(
        &self,
        source: &CollectionSpec,
        imports: Imports,
    ) -> Result<Option<String>, Fault> {
        let version = self.agent.milvus.version();
        if let Some(why) = too_new(version, imports) {
            return Ok(Some(why));
        }
        let (grouped, all) = self.count_grouped(source).await?;
        let none_is_taken = grouped == all && grouped > 0 && !imports.grouped;
        Ok(none_is_taken.then(|| NOT_GROUPED.to_owned()))
    }

    /// What is said of a collection whose files are shipped.
    async fn shipped(&self, source: &CollectionSpec, imports: Imports) -> Result<String, Fault> {
        let text = "the files of its segments are shipped, and the target imports them";
        Ok(match self.count_grouped(source).await? {
            (grouped, all) if grouped > 0 && !imports.grouped => {
                format!(
                    "{text}; but of {grouped} of {all} segments the rows are read and sent: {NOT_GROUPED}"
                )
            }
            _ => text.to_owned(),
        })
    }

    /// How many of a collection's segments that are in files have files of several fields, and how many there are.
    async fn count_grouped(&self, source: &CollectionSpec) -> Result<(usize, usize), Fault> {
        let milvus = self.agent.milvus.in_database(&source.name.database);
        let segments = milvus.segments(&source.name.collection).await?;
        let there = segments
            .iter()
            .filter(|segment| segment.state == SegmentState::Flushed && segment.rows > 0);
        let is_grouped = |segment: &&Segment| segment.storage_version == segments::GROUPED;
        Ok((there.clone().filter(is_grouped).count(), there.count()))
    }

    /// Whether a collection is read by rows before an import of it would have begun.
    async fn is_small(&self, source: &CollectionSpec) -> Result<bool, Fault> {
        let Some(storage) = &self.agent.storage else {
            return Ok(true);
        };
        let files = storage.files(&segments::folder(source.id)).await?;
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        Ok(bytes < WORTH_AN_IMPORT_BYTES)
    }

    /// Why a collection can't be read from the files of its segments, if so.
    async fn no_segments(
        &self,
        source: &CollectionSpec,
    ) -> Result<Option<(&'static str, String)>, Fault> {
        let milvus = self.agent.milvus.in_database(&source.name.database);
        let unreadable = |text: &str| Ok(Some((codes::SEGMENTS_UNREADABLE, text.to_owned())));
        let Some(storage) = &self.agent.storage else {
            return unreadable(
                "the source's agent has no `storage` section, so that it can't read the files of segments",
            );
        };
        let version = milvus.version();
        if version.product() != Product::Milvus {
            return unreadable("its server keeps no segments that can be read; use `copy: rows`");
        }
        if !version.at_least(2, 3, 0) {
            return unreadable(
                "Milvus before 2.3 keeps deletes back when it writes segments to files; use `copy: rows`",
            );
        }
        if let Some(field) = unencoded(source) {
            return unreadable(&format!(
                "field {} is of type {}, whose values are not read from files; use `copy: rows`",
                field.name, field.data_type
            ));
        }
        let segments = milvus.segments(&source.name.collection).await?;
        if let Some(what) = segments.iter().find_map(segments::unread) {
            return unreadable(&format!("{what}; use `copy: rows`"));
        }
        for segment in segments {
            if segment.state != SegmentState::Flushed || segment.rows == 0 {
                continue;
            }
            let folder = segments::rows_folder(source.id, &segment);
            if storage.files(&folder).await?.is_empty() {
                let text = format!(
                    "storage {} has no file in {folder}, where Milvus keeps rows of it: compare the agent's `storage` section (bucketName, rootPath, path) with milvus.yaml",
                    storage.name()
                );
                return Ok(Some((codes::STORAGE_MISSING, text)));
            }
            break;
        }
        Ok(None)
    }

    /// Whether a collection's rows can be asked for, or are known to be none.
    async fn readable_by_queries(
        &self,
        record: &JobRecord,
        source: &CollectionSpec,
    ) -> Result<Readable, StepError> {
        if source.load != LoadState::NotLoaded {
            return Ok(Readable::default());
        }
        let found = |severity, text: &str| Readable {
            findings: vec![Finding::new(
                severity,
                codes::COLLECTION_NOT_LOADED,
                &source.name,
                text,
            )],
            ..Readable::default()
        };
        if record.spec.unloaded == Unloaded::Refuse {
            let text = "it is not loaded, so its rows can't be read: load it, exclude it, set `unloaded: load` in the job file, or give the source's agent a `storage` section";
            return Ok(found(Severity::Blocked, text));
        }
        let has_index =
            |field: &model::Field| source.indexes.iter().any(|index| index.field == field.name);
        let mut vectors = source
            .schema
            .fields
            .iter()
            .filter(|field| field.data_type.is_vector());
        if vectors.all(has_index) {
            let text = "it is loaded on the source for this job, and released afterwards";
            return Ok(found(Severity::Note, text));
        }
        // Without an index it can't be loaded. That matters only if it has rows; a flush makes the server count them all.
        if self.count_flushed(&source.name).await? == 0 {
            return Ok(Readable {
                is_empty: true,
                ..Readable::default()
            });
        }
        let text = "it has rows but lacks an index on a vector field, so that it can't be loaded and read: create the index, exclude it, or give the source's agent a `storage` section";
        Ok(found(Severity::Blocked, text))
    }

    /// The rows of a collection that can't be asked for them, after a flush. Deleted ones may be among them.
    async fn count_flushed(&self, name: &CollectionName) -> Result<u64, Fault> {
        self.agent.flush(name).await?;
        let milvus = self.agent.milvus.in_database(&name.database);
        Ok(milvus.count_flushed(&name.collection).await?)
    }
}

/// Why files of a source of this version are not shipped, if it is newer than the target.
fn too_new(source: &ServerVersion, imports: Imports) -> Option<String> {
    let (major, minor) = imports.up_to;
    source.at_least(major, minor + 1, 0).then(|| {
        format!(
            "the source is {source}, and the target imports files of servers up to {major}.{minor}"
        )
    })
}

/// A field whose values can't be made of what files hold.
fn unencoded(source: &CollectionSpec) -> Option<&Field> {
    let mut fields = source.schema.fields.iter();
    fields.find(|field| !field.is_function_output && !columns::has_values(field.data_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_source_that_is_newer_than_the_target_are_not_shipped() {
        let cases = [
            ("v2.3.5", (2, 3), true),
            ("v2.4.0", (2, 3), false),
            ("v2.4.17", (2, 4), true),
            ("v2.5.1", (2, 4), false),
            ("v2.4.17", (2, 6), true),
            ("v2.6.4", (2, 6), true),
            ("v3.0.0", (2, 6), false),
            ("v2.6.4", (3, 0), true),
        ];
        for (source, up_to, is_shipped) in cases {
            let imports = Imports {
                up_to,
                ..ANY_TARGET
            };
            let told = too_new(&ServerVersion::parse(source), imports);
            assert_eq!(told.is_none(), is_shipped, "{source}, {up_to:?}: {told:?}");
        }
    }
}
