//! The journal's records, read and written.

use super::Agent;
use crate::records::{
    COLLECTIONS, CollectionRecord, JOBS, JobRecord, VERDICTS, Verdict, collection_key, job_key,
    unit_key,
};
use model::{Class, CollectionIndex, Fault, JobName, JobSpec, JobStatus, UnitId, codes};
use runtime::journal::{JournalError, Span, Writes};

impl Agent {
    /// A job's record, if the source has opened it.
    pub(crate) fn job(&self, job: &JobName) -> Result<Option<JobRecord>, JournalError> {
        self.journal.view()?.find(JOBS, &job_key(job))
    }

    /// What a job was asked for.
    pub(crate) fn job_spec(&self, job: &JobName) -> Result<JobSpec, Fault> {
        Ok(self.job(job)?.ok_or_else(|| control::not_found(job))?.spec)
    }

    /// Keeps a job's status, for the time between a restart and the source's next word: the first of each phase, and the last of all.
    pub(crate) async fn keep_status(
        &self,
        job: &JobName,
        status: JobStatus,
    ) -> Result<(), JournalError> {
        let is_news = |kept: &JobStatus| match status.phase.is_terminal() {
            true => *kept != status,
            false => kept.phase != status.phase,
        };
        match self.job(job)? {
            Some(record) if record.status.as_ref().is_none_or(is_news) => {
                self.put_job(&JobRecord {
                    status: Some(status),
                    ..record
                })
                .await
            }
            _ => Ok(()),
        }
    }

    /// Every job's record.
    pub(crate) fn jobs(&self) -> Result<Vec<JobRecord>, JournalError> {
        self.journal
            .view()?
            .scan(JOBS, &Span::all())?
            .map(|entry| Ok(entry?.1))
            .collect()
    }

    /// Writes a job's record.
    pub(crate) async fn put_job(&self, record: &JobRecord) -> Result<(), JournalError> {
        let mut writes = Writes::new();
        writes.put(JOBS, &job_key(&record.spec.name), record);
        self.journal.commit(writes).await.map(|_| ())
    }

    /// The records of a job's collections.
    pub(crate) fn collections(&self, job: &JobName) -> Result<Vec<CollectionRecord>, JournalError> {
        self.journal
            .view()?
            .scan(COLLECTIONS, &Span::under(&job_key(job)))?
            .map(|entry| Ok(entry?.1))
            .collect()
    }

    /// A collection's record, if its creation has begun.
    pub(crate) fn collection(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<Option<CollectionRecord>, JournalError> {
        self.journal
            .view()?
            .find(COLLECTIONS, &collection_key(job, index))
    }

    /// A collection's record, which an earlier call has made.
    ///
    /// # Errors
    /// `job_differs` when there is none: the source's journal and this one are not of the same job. And the journal's.
    pub(crate) fn begun_collection(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> Result<CollectionRecord, Fault> {
        self.collection(job, index)?.ok_or_else(|| {
            let message = format!("job {job}: this agent's journal does not know collection {index}, which the source says was begun");
            let hint = "the state directory of one agent was lost or exchanged: create a new job with on_conflict: replace";
            Fault::new(codes::JOB_DIFFERS, Class::Permanent, message, hint)
        })
    }

    /// Writes a collection's record.
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
        self.journal.commit(writes).await.map(|_| ())
    }

    /// What came out of comparing a unit, if it was compared since the verification began.
    pub(crate) fn verdict(
        &self,
        job: &JobName,
        unit: UnitId,
    ) -> Result<Option<Verdict>, JournalError> {
        self.journal.view()?.find(VERDICTS, &unit_key(job, unit))
    }

    /// Writes what came out of comparing a unit.
    pub(crate) async fn put_verdict(
        &self,
        job: &JobName,
        unit: UnitId,
        verdict: &Verdict,
    ) -> Result<(), JournalError> {
        let mut writes = Writes::new();
        writes.put(VERDICTS, &unit_key(job, unit), verdict);
        self.journal.commit(writes).await.map(|_| ())
    }

    /// Ends a comparison: its report into the collection's record, its verdicts out of the journal, in one step.
    pub(crate) async fn put_report(&self, record: &CollectionRecord) -> Result<(), JournalError> {
        let key = collection_key(&record.plan.job, record.plan.index);
        let mut writes = Writes::new();
        writes
            .put(COLLECTIONS, &key, record)
            .delete_span(VERDICTS, Span::under(&key));
        self.journal.commit(writes).await.map(|_| ())
    }
}
