//! Rows as inserts, upserts and deletes.

use crate::records::CollectionRecord;
use crate::writer::mapping;
use milvus::{Kind, MilvusError, Rows};
use model::{Batch, Class, CollectionName, Fault, Field, JobSpec, codes};
use protocol::Verb;
use protocol::ledger::Write;
use runtime::telemetry::metric_names::WRITER_WRITE;
use std::time::Instant;

/// Writes the rows of one collection.
#[derive(Debug)]
pub(crate) struct RowWriter {
    milvus: milvus::Client,
    target: CollectionName,
    primary: Option<Field>,
    omit: Vec<String>,
    /// Columns whose null flags are sent even where nothing is null.
    flagged: Vec<String>,
    /// Rows are added to a collection that was there before: its keys may be among ours.
    is_appended: bool,
    /// The target makes the keys itself.
    has_new_keys: bool,
}

/// Why a batch is not known to be written.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It may have been written, whole or in part.
    Unknown(Fault),
    /// It was not written.
    Refused(Fault),
}

impl RowWriter {
    /// A writer for a collection that was created.
    pub(crate) fn new(milvus: milvus::Client, record: &CollectionRecord, spec: JobSpec) -> Self {
        let target = record.plan.target.clone();
        Self {
            milvus: milvus.in_database(&target.database),
            target,
            primary: record.expected.schema.primary().cloned(),
            omit: mapping::omitted_columns(&spec, &record.plan),
            flagged: milvus::schema::flagged_names(&record.expected.schema),
            is_appended: record.appended,
            has_new_keys: mapping::regenerates_keys(&spec, &record.plan),
        }
    }

    /// Writes a batch; Milvus has acknowledged every row when this succeeds.
    ///
    /// # Cancel safety
    /// When dropped, the outcome is unknown.
    pub(crate) async fn write(
        &self,
        partition: Option<&str>,
        batch: &Batch,
        write: Write,
    ) -> Result<(), Outcome> {
        let begun = Instant::now();
        let rows = Rows {
            collection: &self.target.collection,
            partition,
            batch,
            omit: &self.omit,
            flagged: &self.flagged,
        };
        let is_new = write == Write::Insert && !self.is_appended;
        let written = match &self.primary {
            _ if batch.rows == 0 => return Ok(()),
            Some(primary) if !is_new && !self.has_new_keys => {
                self.milvus.replace(&rows, primary).await
            }
            _ if !is_new && self.has_new_keys && !self.is_appended => {
                return Err(Outcome::Refused(mapping::in_doubt(&self.target)));
            }
            _ => self.milvus.insert(&rows).await,
        };
        metrics::histogram!(WRITER_WRITE).record(begun.elapsed());
        match written {
            Ok(_) => Ok(()),
            Err(error) => Err(self.outcome(error)),
        }
    }

    /// Applies changes; Milvus has acknowledged them all when this succeeds. Done twice, it is as if done once.
    ///
    /// # Cancel safety
    /// When dropped, the outcome is unknown.
    pub(crate) async fn apply(
        &self,
        verb: Verb,
        partition: Option<&str>,
        batch: &Batch,
    ) -> Result<(), Outcome> {
        let named = partition.unwrap_or_default();
        match verb {
            Verb::Upsert => self.write(partition, batch, Write::Upsert).await,
            Verb::Delete => self.delete(partition, batch).await,
            Verb::CreatePartition => self.create_partition(named).await,
            Verb::DropPartition => self.drop_partition(named).await,
        }
    }

    async fn delete(&self, partition: Option<&str>, batch: &Batch) -> Result<(), Outcome> {
        let Some(primary) = &self.primary else {
            return Ok(());
        };
        let keys = milvus::keys(batch, &primary.name).map_err(|error| {
            let hint = "install the same release of Passage on both sides";
            let message = format!("collection {}: {error}", self.target);
            let fault = Fault::new(codes::PROTOCOL_VIOLATION, Class::Permanent, message, hint);
            Outcome::Refused(fault)
        })?;
        let collection = &self.target.collection;
        let deleted = self
            .milvus
            .delete(collection, partition, primary, &keys)
            .await;
        deleted.map(|_| ()).map_err(|error| self.outcome(error))
    }

    async fn create_partition(&self, partition: &str) -> Result<(), Outcome> {
        let made = self
            .milvus
            .create_partition(&self.target.collection, partition)
            .await;
        match made {
            Err(error) if error.kind() != Kind::AlreadyExists => Err(self.outcome(error)),
            _ => Ok(()),
        }
    }

    async fn drop_partition(&self, partition: &str) -> Result<(), Outcome> {
        let collection = &self.target.collection;
        // A partition that is loaded can't be dropped; of one that is gone nothing is left to do.
        let released = self.milvus.release_partition(collection, partition).await;
        if let Err(error) = released {
            tracing::debug!(%error, partition, "a partition is not released");
        }
        let dropped = self.milvus.drop_partition(collection, partition).await;
        dropped.map_err(|error| self.outcome(error))
    }

    fn outcome(&self, error: MilvusError) -> Outcome {
        let is_unknown = error.is_outcome_unknown();
        let fault = Fault::from(error);
        if is_unknown {
            Outcome::Unknown(fault)
        } else {
            Outcome::Refused(fault)
        }
    }
}
