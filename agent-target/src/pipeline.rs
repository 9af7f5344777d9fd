//! Where the inbox and the writer meet: a part that has arrived is written; a batch or a step of which all are is noted and confirmed.

mod attempt;
mod cargo;
mod chain;
mod files;
mod step;

use crate::agent::Agent;
use crate::inbox::Deliver;
use crate::ledgers::{OpenUnit, Turn};
use crate::records::CollectionRecord;
use crate::writer::rows::{Outcome, RowWriter};
use attempt::Attempt;
use chain::Chain;
use channel::conversation::Caller;
use files::{FilesPart, Storing};
use model::{Batch, Class, CollectionIndex, Fault, JobName};
use protocol::ledger::Write;
use protocol::{BatchName, Cargo, Confirm, Note, Place, StepName, Whole};
use runtime::backoff::Backoff;
use runtime::telemetry::metric_names::{WRITER_BYTES, WRITER_REAPPLIED, WRITER_ROWS};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use step::{Applying, StepPart};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait before a write is tried again: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Delivers what comes on one lane.
#[derive(Debug)]
pub(crate) struct Pipeline {
    session: Arc<Session>,
    /// The batch of which the last part has not come yet.
    arriving: Option<Arc<Attempt>>,
    /// The batch of files of which the last piece has not come yet.
    files: Chain<BatchName, Storing>,
    /// The step of which the last part has not come yet.
    steps: Chain<StepName, Applying>,
}

/// What becomes of a part.
enum Work {
    Write(Arc<Attempt>),
    Store(FilesPart),
    Import { name: BatchName, cargo: Cargo },
    Apply(StepPart),
}

/// What the lanes of a session share.
#[derive(Debug)]
struct Session {
    agent: Arc<Agent>,
    caller: Caller,
    over: CancellationToken,
    /// Waited for when the session ends.
    tasks: TaskTracker,
    writers: Mutex<HashMap<(JobName, CollectionIndex), Arc<RowWriter>>>,
}

/// Why a batch is not written: the session is over, or there is no point in trying again.
enum Undelivered {
    SessionOver,
    Failed(Fault),
}

impl From<Fault> for Undelivered {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl Pipeline {
    /// The pipeline of a session's first lane. What it does beside the lanes is among the session's `tasks`.
    pub(crate) fn new(
        agent: Arc<Agent>,
        caller: Caller,
        over: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let session = Session {
            agent,
            caller,
            over,
            tasks,
            writers: Mutex::default(),
        };
        Self {
            session: Arc::new(session),
            arriving: None,
            files: Chain::default(),
            steps: Chain::default(),
        }
    }

    /// The pipeline of another lane of the same session.
    pub(crate) fn beside(&self) -> Self {
        Self {
            session: self.session.clone(),
            arriving: None,
            files: Chain::default(),
            steps: Chain::default(),
        }
    }

    /// What a part is for; `None` when those before it never came.
    fn work(&mut self, place: &Place) -> Option<Work> {
        match &place.whole {
            Whole::Batch {
                name,
                unit_batches,
                is_again,
            } => {
                let begin = || Attempt::new(name.clone(), *unit_batches, *is_again);
                self.attempt(name, place, begin).map(Work::Write)
            }
            Whole::Files { .. } => self.chain_files(place).map(Work::Store),
            Whole::Import { name, cargo } => Some(Work::Import {
                name: name.clone(),
                cargo: *cargo,
            }),
            Whole::Step { .. } => self.chain(place).map(Work::Apply),
        }
    }

    /// The attempt that a part belongs to: a first part begins one; a last part leaves nothing to wait for on this lane.
    fn attempt(
        &mut self,
        name: &BatchName,
        place: &Place,
        begin: impl FnOnce() -> Attempt,
    ) -> Option<Arc<Attempt>> {
        if place.part == 0 {
            self.arriving = Some(Arc::new(begin()));
        }
        let attempt = self
            .arriving
            .clone()
            .filter(|attempt| attempt.name == *name);
        if place.is_last_part {
            self.arriving = None;
        }
        attempt
    }
}

impl Deliver for Pipeline {
    fn deliver(
        &mut self,
        place: Place,
        part: Batch,
    ) -> impl Future<Output = Option<Confirm>> + Send + 'static {
        let work = self.work(&place);
        let session = self.session.clone();
        async move {
            let outcome = match work {
                Some(Work::Write(attempt)) => session.write(&attempt, &place, part).await,
                Some(Work::Store(files)) => session.store(files, part).await,
                Some(Work::Import { name, cargo }) => {
                    let partition = place.partition.as_deref();
                    session.import(name, partition, cargo).await
                }
                Some(Work::Apply(step)) => session.apply(step, &place, part).await,
                None => Err(without_beginning(&place).into()),
            };
            match outcome {
                Ok(confirm) => confirm,
                Err(Undelivered::SessionOver) => None,
                Err(Undelivered::Failed(cause)) => {
                    session.fail(place.whole.collection().0, cause).await;
                    None
                }
            }
        }
    }
}

impl Session {
    async fn write(
        &self,
        attempt: &Attempt,
        place: &Place,
        part: Batch,
    ) -> Result<Option<Confirm>, Undelivered> {
        let name = &attempt.name;
        let writer = self.writer(&name.job, name.unit.collection)?;
        let begin = || self.begin(name, attempt.unit_batches);
        let (unit, turn) = attempt.begun.get_or_try_init(begin).await?;
        if turn.write != Write::Known {
            let write = match attempt.is_again {
                true => Write::Upsert,
                false => turn.write,
            };
            self.write_part(&writer, &name.job, place, &part, write)
                .await?;
        }
        let (rows, bytes) = (u64::from(part.rows), part.size_bytes() as u64);
        let Some((rows, bytes)) = attempt.handle_written(place, rows, bytes) else {
            return Ok(None);
        };
        if turn.write != Write::Known {
            self.patiently(&name.job, || async {
                let ledgers = &self.agent.ledgers;
                Ok(ledgers.acknowledge(name, unit, rows, bytes).await?)
            })
            .await?;
            metrics::counter!(WRITER_ROWS).increment(rows);
            metrics::counter!(WRITER_BYTES).increment(bytes);
        }
        let name = name.clone();
        Ok(Some(Confirm::Batch { name, rows, bytes }))
    }

    /// Waits for an earlier attempt at this batch to end; its unit is in the journal then.
    async fn begin(
        &self,
        name: &BatchName,
        unit_batches: u32,
    ) -> Result<(Arc<OpenUnit>, Turn), Undelivered> {
        let unit = self
            .patiently(&name.job, || self.agent.ledgers.unit(name, unit_batches))
            .await?;
        let Some(turn) = unit.turn(name.index).await else {
            return Err(beyond_unit(name).into());
        };
        Ok((unit, turn))
    }

    /// Writes until Milvus has acknowledged. An attempt of unknown outcome is followed by upserts only.
    async fn write_part(
        &self,
        writer: &RowWriter,
        job: &JobName,
        place: &Place,
        part: &Batch,
        mut write: Write,
    ) -> Result<(), Undelivered> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut waited = false;
        loop {
            let permit = self.agent.pace.begin().await;
            self.agent
                .journal
                .points()
                .pass("target.batch.write.before");
            if write == Write::Upsert {
                metrics::counter!(WRITER_REAPPLIED, "job" => job.to_string()).increment(1);
            }
            let outcome = writer.write(place.partition.as_deref(), part, write).await;
            self.agent.journal.points().pass("target.batch.write.after");
            let fault = match outcome {
                Ok(()) => {
                    permit.succeeded();
                    if waited {
                        self.goes_on(job).await;
                    }
                    return Ok(());
                }
                Err(Outcome::Unknown(fault)) => {
                    write = Write::Upsert;
                    fault
                }
                Err(Outcome::Refused(fault)) => fault,
            };
            permit.failed();
            waited = true;
            self.wait(job, fault, &mut backoff).await?;
        }
    }

    /// Tries until it succeeds, for as long as the session lasts and the fault may pass.
    async fn patiently<T, F>(
        &self,
        job: &JobName,
        mut act: impl FnMut() -> F,
    ) -> Result<T, Undelivered>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut waited = false;
        loop {
            match act().await {
                Ok(done) => {
                    if waited {
                        self.goes_on(job).await;
                    }
                    return Ok(done);
                }
                Err(fault) => self.wait(job, fault, &mut backoff).await?,
            }
            waited = true;
        }
    }

    async fn wait(
        &self,
        job: &JobName,
        fault: Fault,
        backoff: &mut Backoff,
    ) -> Result<(), Undelivered> {
        if !fault.may_pass() {
            return Err(Undelivered::Failed(fault));
        }
        tracing::warn!(%job, code = fault.code, error = %fault, "rows wait");
        self.tell(Note::Waiting {
            job: job.clone(),
            cause: Some(fault),
        })
        .await;
        tokio::select! {
            () = self.over.cancelled() => Err(Undelivered::SessionOver),
            () = backoff.wait() => Ok(()),
        }
    }

    /// Tells that a job can't go on.
    async fn fail(&self, job: &JobName, cause: Fault) {
        tracing::error!(%job, code = cause.code, error = %cause, "rows can't be written");
        let job = job.clone();
        self.tell(Note::Failed { job, cause }).await;
    }

    /// Tells that a job waits no longer.
    async fn goes_on(&self, job: &JobName) {
        let (job, cause) = (job.clone(), None);
        self.tell(Note::Waiting { job, cause }).await;
    }

    async fn tell(&self, note: Note) {
        // A note that does not arrive is of a session that is over.
        let _ = self.caller.note(&note).await;
    }

    fn writer(&self, job: &JobName, index: CollectionIndex) -> Result<Arc<RowWriter>, Fault> {
        let key = (job.clone(), index);
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writers.get(&key) {
            return Ok(writer.clone());
        }
        let record: CollectionRecord = self.agent.begun_collection(job, index)?;
        let writer = Arc::new(RowWriter::new(
            self.agent.milvus.clone(),
            &record,
            self.agent.job_spec(job)?,
        ));
        writers.insert(key, writer.clone());
        Ok(writer)
    }
}

fn beyond_unit(name: &BatchName) -> Fault {
    let (index, unit) = (name.index.number(), name.unit);
    violation(format!(
        "batch {index} of unit {unit} is beyond the unit's end"
    ))
}

fn without_beginning(place: &Place) -> Fault {
    let (part, (job, collection)) = (place.part, place.whole.collection());
    violation(format!(
        "part {part} of rows for collection {collection} of job {job} came without those before it"
    ))
}

fn violation(message: String) -> Fault {
    Fault::new(
        model::codes::PROTOCOL_VIOLATION,
        Class::Bug,
        message,
        "report this as a defect of Passage",
    )
}
