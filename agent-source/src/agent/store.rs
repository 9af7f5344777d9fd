//! The journal's records, read and written.

use super::Agent;
use crate::reader::segments::ShippedRows;
use crate::records::{
    CARGOES, COLLECTIONS, CargoRecord, CollectionRecord, JOBS, JobRecord, SEGMENT_UNITS, SHIPMENTS,
    SHIPPED_ROWS, SegmentUnit, Shipment, UNITS, collection_key, job_key, unit_key,
};
use model::{Class, CollectionIndex, Fault, JobName, Unit, UnitId, codes};
use runtime::journal::{JournalError, Span, Table, Writes};
use serde::de::DeserializeOwned;

impl Agent {
    /// A job's record.
    ///
    /// # Errors
    /// `job_not_found`, and the journal's.
    pub(crate) fn job(&self, job: &JobName) -> Result<JobRecord, Fault> {
        self.journal
            .view()?
            .find(JOBS, &job_key(job))?
            .ok_or_else(|| control::not_found(job))
    }

    /// Every job's record.
    pub(crate) fn jobs(&self) -> Result<Vec<JobRecord>, JournalError> {
        self.journal
            .view()?
            .scan(JOBS, &Span::all())?
            .map(|entry| Ok(entry?.1))
            .collect()
    }

    /// The records of a job's collections, in order.
    pub(crate) fn collections(&self, job: &JobName) -> Result<Vec<CollectionRecord>, JournalError> {
        self.journal
            .view()?
            .scan(COLLECTIONS, &Span::under(&job_key(job)))?
            .map(|entry| Ok(entry?.1))
            .collect()
    }

    /// The record of one of a job's collections.
    ///
    /// # Errors
    /// `job_differs` when the job has no such collection, and the journal's.
    pub(crate) fn collection(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<CollectionRecord, Fault> {
        self.journal
            .view()?
            .find(COLLECTIONS, &collection_key(job, index))?
            .ok_or_else(|| {
                let message =
                    format!("job {job} has no collection {index} in the source's journal");
                let hint =
                    "the state directory of one agent was lost or exchanged: create a new job";
                Fault::new(codes::JOB_DIFFERS, Class::Permanent, message, hint)
            })
    }

    /// A unit, if it was found already.
    pub(crate) fn unit(&self, job: &JobName, unit: UnitId) -> Result<Option<Unit>, JournalError> {
        self.journal.view()?.find(UNITS, &unit_key(job, unit))
    }

    /// How many units of a collection are known.
    pub(crate) fn units_of(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<u32, JournalError> {
        let view = self.journal.view()?;
        let last = view
            .scan(UNITS, &Span::under(&collection_key(job, index)))?
            .next_back()
            .transpose()?;
        Ok(last.map_or(0, |(_, unit)| unit.id.number + 1))
    }

    /// Whatever a table has of a collection, in order.
    fn all_of<T: DeserializeOwned>(
        &self,
        table: Table<T>,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<Vec<T>, JournalError> {
        self.journal
            .view()?
            .scan(table, &Span::under(&collection_key(job, index)))?
            .map(|entry| Ok(entry?.1))
            .collect()
    }

    /// The units of a collection that is copied from files, in order.
    pub(crate) fn segment_units(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<Vec<SegmentUnit>, JournalError> {
        self.all_of(SEGMENT_UNITS, job, index)
    }

    /// The segments of a collection whose files are shipped as they are, in order.
    pub(crate) fn shipments(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<Vec<Shipment>, JournalError> {
        self.all_of(SHIPMENTS, job, index)
    }

    /// Their imports, in order.
    pub(crate) fn cargoes(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<Vec<CargoRecord>, JournalError> {
        self.all_of(CARGOES, job, index)
    }

    /// Writes what is known of a shipped segment, and what the target gets of it.
    pub(crate) async fn put_shipment(
        &self,
        job: &JobName,
        shipment: &Shipment,
        rows: &ShippedRows,
    ) -> Result<(), JournalError> {
        let key = unit_key(job, shipment.id);
        let mut writes = Writes::new();
        writes.put(SHIPMENTS, &key, shipment);
        writes.put(SHIPPED_ROWS, &key, rows);
        self.journal.commit(writes).await.map(|_| ())
    }

    /// What the target gets of a segment that was shipped.
    ///
    /// # Errors
    /// `bug` when it was not noted, and the journal's.
    pub(crate) fn shipped_rows(&self, job: &JobName, unit: UnitId) -> Result<ShippedRows, Fault> {
        let found = self
            .journal
            .view()?
            .find(SHIPPED_ROWS, &unit_key(job, unit))?;
        found.ok_or_else(|| {
            let what =
                format!("segment {unit} was shipped, and the journal does not say with which rows");
            Fault::new(
                codes::BUG,
                Class::Bug,
                what,
                "report this as a defect of Passage",
            )
        })
    }

    /// Writes a job's record.
    pub(crate) async fn put_job(&self, record: &JobRecord) -> Result<(), JournalError> {
        let mut writes = Writes::new();
        writes.put(JOBS, &job_key(&record.spec.name), record);
        self.journal.commit(writes).await.map(|_| ())
    }

    /// Writes a collection's record, and shows it.
    pub(crate) async fn put_collection(
        &self,
        record: &CollectionRecord,
    ) -> Result<(), JournalError> {
        let mut writes = Writes::new();
        writes.put(
            COLLECTIONS,
            &collection_key(&record.plan.job, record.plan.index),
            record,
        );
        let _ = self.journal.commit(writes).await?;
        self.show_collection(record);
        Ok(())
    }

    /// Writes a prepared job with its collections, in one step.
    pub(crate) async fn put_prepared(
        &self,
        job: &JobRecord,
        collections: &[CollectionRecord],
    ) -> Result<(), JournalError> {
        let mut writes = Writes::new();
        writes.put(JOBS, &job_key(&job.spec.name), job);
        for record in collections {
            writes.put(
                COLLECTIONS,
                &collection_key(&record.plan.job, record.plan.index),
                record,
            );
        }
        self.journal.commit(writes).await.map(|_| ())
    }
}
