//! The target's rows, read from its Milvus.

use super::rows::TargetRows;
use crate::answers::Session;
use crate::records::CollectionRecord;
use crate::writer::{mapping, schema};
use milvus::{Kind, MilvusError, RangeRead, ReadPoint, proof};
use model::{
    Class, CollectionSpec, Digest, Fault, Field, JobSpec, Key, KeyRange, LoadState, RowHash, codes,
};
use protocol::call::{CollectionPlan, FieldHashes};
use runtime::budget::Budget;
use std::collections::BTreeSet;

/// What the rows of one answer take, as a rule: a batch's.
const READ_BYTES: u64 = 4 << 20;

/// How many keys are taken at once where a whole partition is read.
const KEYS_AT_ONCE: u32 = 4_096;

/// A collection of the target, open to be compared.
#[derive(Debug)]
pub(super) struct MilvusTarget {
    milvus: milvus::Client,
    collection: String,
    primary: Field,
    /// The source's fields, in whose terms the rows are compared.
    fields: Vec<String>,
    /// The partitions that can be addressed.
    partitions: Vec<String>,
    is_key_hashed: bool,
    seen: ReadPoint,
    reads: Budget,
    /// Holds no row, and can't be loaded.
    is_empty: bool,
}

/// What there is to be compared.
#[derive(Debug)]
pub(super) enum Opened {
    /// A collection that can be read.
    Ready(Box<MilvusTarget>),
    /// A collection whose rows can't be read.
    Unreadable {
        /// Why not, and what to do.
        reason: String,
    },
    /// No collection.
    Missing,
}

impl MilvusTarget {
    /// Opens a collection; loads it if it is not loaded, and notes in the record that it is to be released.
    pub(super) async fn open(
        session: &Session,
        spec: &JobSpec,
        record: &mut CollectionRecord,
        plan: &CollectionPlan,
    ) -> Result<Opened, Fault> {
        let milvus = session.agent.milvus.in_database(&plan.target.database);
        let Some(actual) = super::describe(&session.agent, plan).await? else {
            return Ok(Opened::Missing);
        };
        if let Some(reason) = is_another(&actual, plan) {
            return Ok(Opened::Unreadable { reason });
        }
        let schema = &plan.source.schema;
        let is_loaded = actual.load != LoadState::NotLoaded;
        let is_empty = !is_loaded && !schema::is_loadable(&actual);
        if is_empty && milvus.count_flushed(&plan.target.collection).await? > 0 {
            let reason = format!(
                "collection {} has rows, but lacks an index on a vector field, so that it can't be read: create the index \
                 on the target, and run `job verify`",
                plan.target
            );
            return Ok(Opened::Unreadable { reason });
        }
        if !is_loaded && !is_empty {
            record.loaded_to_verify = true;
            session.agent.put_collection(record).await?;
            schema::load(&session.agent.milvus, &plan.target, 1).await?;
        }
        let primary = actual
            .schema
            .primary()
            .cloned()
            .unwrap_or_else(|| schema.fields[0].clone());
        let partitions = if schema.has_partition_key() {
            vec![]
        } else {
            actual.partitions
        };
        let seen = milvus.read_point().await?;
        let fields = schema.stored_names();
        let is_key_hashed = !mapping::regenerates_keys(spec, plan);
        let collection = plan.target.collection.clone();
        Ok(Opened::Ready(Box::new(Self {
            milvus,
            collection,
            primary,
            fields,
            partitions,
            is_key_hashed,
            seen,
            reads: session.agent.reads.clone(),
            is_empty,
        })))
    }

    fn read_of<'r>(&'r self, partition: Option<&'r str>, range: &'r KeyRange) -> RangeRead<'r> {
        let Self {
            collection,
            primary,
            fields,
            seen,
            ..
        } = self;
        RangeRead {
            collection,
            partition,
            primary,
            fields,
            range,
            seen: *seen,
        }
    }

    /// The digest of a whole partition, without its rows' keys where those were made anew.
    pub(super) async fn digest_all(&self, partition: Option<&str>) -> Result<Digest, Fault> {
        let mut digest = Digest::default();
        let mut after = None;
        loop {
            let rest = KeyRange {
                after: after.clone(),
                upto: None,
            };
            let border = if self.is_empty {
                None
            } else {
                self.milvus
                    .border_keys(&self.read_of(partition, &rest), KEYS_AT_ONCE)
                    .await?
                    .pop()
            };
            let range = KeyRange {
                after,
                upto: border.clone(),
            };
            self.rows(partition, &range)
                .await?
                .iter()
                .for_each(|(_, hash)| digest.add(hash));
            match border {
                Some(border) => after = Some(border),
                None => return Ok(digest),
            }
        }
    }
}

impl TargetRows for MilvusTarget {
    async fn rows(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
    ) -> Result<Vec<(Key, RowHash)>, Fault> {
        let mut rows = Vec::new();
        if self.is_empty || !self.has(partition) {
            return Ok(rows);
        }
        let _held = self.reads.acquire(READ_BYTES).await;
        let read = self.read_of(partition, range);
        for part in unless_dropped(self.milvus.query_parts(&read).await)? {
            rows.extend(
                proof::row_hashes(&part, &self.primary.name, self.is_key_hashed)
                    .map_err(|error| malformed(&self.collection, &error))?,
            );
        }
        Ok(rows)
    }

    async fn fields(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
        keys: &[Key],
    ) -> Result<Vec<(Key, FieldHashes)>, Fault> {
        let wanted: BTreeSet<Key> = keys.iter().cloned().collect();
        let mut rows = Vec::new();
        let _held = self.reads.acquire(READ_BYTES).await;
        let read = self.read_of(partition, range);
        for part in unless_dropped(self.milvus.query_parts(&read).await)? {
            rows.extend(
                proof::field_hashes(&part, &self.primary.name, &wanted)
                    .map_err(|error| malformed(&self.collection, &error))?,
            );
        }
        Ok(rows)
    }

    async fn count(&self, partition: Option<&str>, range: &KeyRange) -> Result<Option<u64>, Fault> {
        if self.is_empty || !self.has(partition) {
            return Ok(Some(0));
        }
        Ok(self.milvus.count(&self.read_of(partition, range)).await?)
    }

    async fn elsewhere(&self, partition: &str, key: &Key) -> Result<Option<String>, Fault> {
        for other in self.partitions.iter().filter(|other| *other != partition) {
            if self
                .milvus
                .has_key(&self.read_of(Some(other), &KeyRange::all()), key)
                .await?
            {
                return Ok(Some(other.clone()));
            }
        }
        Ok(None)
    }
}

impl MilvusTarget {
    /// Reads see what was written by this time of the server's clock, and perhaps no more.
    pub(super) fn see(&mut self, time: u64) {
        self.seen = ReadPoint::AtLeast(time);
    }

    /// The rows of these keys.
    pub(super) async fn rows_of(
        &self,
        partition: Option<&str>,
        keys: &[Key],
    ) -> Result<Vec<(Key, RowHash)>, Fault> {
        let mut rows = Vec::new();
        for part in self.parts_of(partition, keys).await? {
            let hashes = proof::row_hashes(&part, &self.primary.name, self.is_key_hashed);
            rows.extend(hashes.map_err(|error| malformed(&self.collection, &error))?);
        }
        Ok(rows)
    }

    /// The fields of the rows of these keys.
    pub(super) async fn fields_of(
        &self,
        partition: Option<&str>,
        keys: &[Key],
    ) -> Result<Vec<(Key, FieldHashes)>, Fault> {
        let wanted: BTreeSet<Key> = keys.iter().cloned().collect();
        let mut rows = Vec::new();
        for part in self.parts_of(partition, keys).await? {
            let hashes = proof::field_hashes(&part, &self.primary.name, &wanted);
            rows.extend(hashes.map_err(|error| malformed(&self.collection, &error))?);
        }
        Ok(rows)
    }

    async fn parts_of(
        &self,
        partition: Option<&str>,
        keys: &[Key],
    ) -> Result<Vec<model::Batch>, Fault> {
        if self.is_empty || !self.has(partition) {
            return Ok(vec![]);
        }
        let _held = self.reads.acquire(READ_BYTES).await;
        let range = KeyRange::all();
        let read = self.read_of(partition, &range);
        unless_dropped(self.milvus.query_keys(&read, keys).await)
    }

    /// A partition that the target lacks holds no rows; that it lacks is found where the definitions are compared.
    fn has(&self, partition: Option<&str>) -> bool {
        partition.is_none_or(|partition| self.partitions.iter().any(|there| there == partition))
    }
}

/// What was read; nothing of a partition that was dropped since its name was looked up.
fn unless_dropped(
    read: Result<Vec<model::Batch>, MilvusError>,
) -> Result<Vec<model::Batch>, Fault> {
    match read {
        Err(error) if error.kind() == Kind::PartitionNotFound => Ok(vec![]),
        read => Ok(read?),
    }
}

/// Why rows of a collection that was put into the place of ours can't be compared: it lacks what they consist of.
fn is_another(actual: &CollectionSpec, plan: &CollectionPlan) -> Option<String> {
    let stored = |field: &&Field| !field.is_function_output && !field.is_dynamic;
    let mut wanted = plan.source.schema.fields.iter().filter(stored);
    let type_of = |name: &str| {
        let mut fields = actual.schema.fields.iter();
        fields
            .find(|field| field.name == name)
            .map(|field| field.data_type)
    };
    let differing = wanted.find(|field| type_of(&field.name) != Some(field.data_type))?;
    Some(format!(
        "collection {} has no field {} of the source's type, so that its rows can't be compared",
        plan.target, differing.name
    ))
}

fn malformed(collection: &str, error: &milvus::ColumnError) -> Fault {
    let message = format!("collection {collection}: {error}");
    Fault::new(
        codes::MILVUS_ANSWER,
        Class::Permanent,
        message,
        "report this as a defect of Passage, with Milvus's version",
    )
}
