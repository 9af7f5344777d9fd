//! Rows as inserts and upserts.

use crate::records::CollectionRecord;
use crate::writer::mapping;
use milvus::{MilvusError, Rows};
use model::{Batch, CollectionName, Fault, Field, JobSpec};
use protocol::ledger::Write;
use runtime::telemetry::metric_names::WRITER_WRITE;
use std::time::Instant;

/// Writes the rows of one collection.
#[derive(Debug)]
pub(crate) struct RowWriter {
    pub(super) milvus: milvus::Client,
    pub(super) target: CollectionName,
    pub(super) primary: Option<Field>,
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
        let rows = self.rows(partition, batch);
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

    /// Rows as a request wants them.
    pub(super) fn rows<'r>(&'r self, partition: Option<&'r str>, batch: &'r Batch) -> Rows<'r> {
        Rows {
            collection: &self.target.collection,
            partition,
            batch,
            omit: &self.omit,
            flagged: &self.flagged,
        }
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
