//! Where the inbox and the writer meet: a batch that has arrived is written, noted, confirmed.

use crate::agent::Agent;
use crate::inbox::Deliver;
use crate::records::CollectionRecord;
use crate::writer::rows::{Outcome, RowWriter};
use channel::conversation::Caller;
use model::{Batch, Class, CollectionIndex, Fault, JobName};
use protocol::ledger::Write;
use protocol::parcel::Place;
use protocol::{BatchName, Confirm, Note};
use runtime::backoff::Backoff;
use runtime::telemetry::metric_names::{WRITER_BYTES, WRITER_REAPPLIED, WRITER_ROWS};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long to wait before a write is tried again: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Delivers the batches of one session.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    agent: Arc<Agent>,
    caller: Caller,
    over: CancellationToken,
    session: Arc<Known>,
}

/// What a session has looked up or seen so far.
#[derive(Debug, Default)]
struct Known {
    writers: Mutex<HashMap<(JobName, CollectionIndex), Arc<RowWriter>>>,
    /// Rows and bytes of the parts of a batch that are written while later parts are not.
    parts: Mutex<HashMap<BatchName, (u64, u64)>>,
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
    /// The pipeline of a session.
    pub(crate) fn new(agent: Arc<Agent>, caller: Caller, over: CancellationToken) -> Self {
        Self {
            agent,
            caller,
            over,
            session: Arc::default(),
        }
    }

    async fn write(&self, place: &Place, batch: Batch) -> Result<Option<Confirm>, Undelivered> {
        let name = &place.name;
        let writer = self.writer(name)?;
        let unit = self
            .patiently(name, || self.agent.ledgers.unit(name, place.unit_batches))
            .await?;
        let Some(turn) = unit.turn(name.index).await else {
            return Err(beyond_unit(name).into());
        };
        let (rows, bytes) = self.add_part(place, &batch);
        if turn.write != Write::Known {
            self.write_batch(&writer, place, &batch, turn.write).await?;
            if !place.is_last_part {
                return Ok(None);
            }
            self.patiently(name, || async {
                Ok(self
                    .agent
                    .ledgers
                    .acknowledge(name, &unit, rows, bytes)
                    .await?)
            })
            .await?;
            metrics::counter!(WRITER_ROWS).increment(rows);
            metrics::counter!(WRITER_BYTES).increment(bytes);
        }
        Ok(place.is_last_part.then(|| Confirm {
            name: name.clone(),
            rows,
            bytes,
        }))
    }

    /// Writes until Milvus has acknowledged. An attempt of unknown outcome is followed by upserts only.
    async fn write_batch(
        &self,
        writer: &RowWriter,
        place: &Place,
        batch: &Batch,
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
                metrics::counter!(WRITER_REAPPLIED, "job" => place.name.job.to_string())
                    .increment(1);
            }
            let outcome = writer.write(place.partition.as_deref(), batch, write).await;
            self.agent.journal.points().pass("target.batch.write.after");
            let fault = match outcome {
                Ok(()) => {
                    permit.succeeded();
                    if waited {
                        self.tell(Note::Waiting {
                            job: place.name.job.clone(),
                            cause: None,
                        })
                        .await;
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
            self.wait(&place.name.job, fault, &mut backoff).await?;
        }
    }

    /// Tries until it succeeds, for as long as the session lasts and the fault may pass.
    async fn patiently<T, F>(
        &self,
        name: &BatchName,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Undelivered>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut waited = false;
        loop {
            match attempt().await {
                Ok(done) => {
                    if waited {
                        self.tell(Note::Waiting {
                            job: name.job.clone(),
                            cause: None,
                        })
                        .await;
                    }
                    return Ok(done);
                }
                Err(fault) => self.wait(&name.job, fault, &mut backoff).await?,
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
        tracing::warn!(%job, code = fault.code, error = %fault, "a batch waits");
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

    async fn tell(&self, note: Note) {
        // A note that does not arrive is of a session that is over.
        let _ = self.caller.note(&note).await;
    }

    fn writer(&self, name: &BatchName) -> Result<Arc<RowWriter>, Fault> {
        let key = (name.job.clone(), name.unit.collection);
        let mut writers = self
            .session
            .writers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writers.get(&key) {
            return Ok(writer.clone());
        }
        let record: CollectionRecord = self
            .agent
            .begun_collection(&name.job, name.unit.collection)?;
        let writer = Arc::new(RowWriter::new(
            self.agent.milvus.clone(),
            &record,
            self.agent.job_spec(&name.job)?,
        ));
        writers.insert(key, writer.clone());
        Ok(writer)
    }

    /// Counts a part; gives the rows and bytes of the batch so far.
    fn add_part(&self, place: &Place, batch: &Batch) -> (u64, u64) {
        let (rows, bytes) = (u64::from(batch.rows), batch.size_bytes() as u64);
        if place.part == 0 && place.is_last_part {
            return (rows, bytes);
        }
        let mut parts = self
            .session
            .parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = if place.part == 0 {
            (0, 0)
        } else {
            parts.remove(&place.name).unwrap_or_default()
        };
        let so_far = (before.0 + rows, before.1 + bytes);
        if !place.is_last_part {
            parts.insert(place.name.clone(), so_far);
        }
        so_far
    }
}

impl Deliver for Pipeline {
    async fn deliver(&self, place: Place, batch: Batch) -> Option<Confirm> {
        match self.write(&place, batch).await {
            Ok(confirm) => confirm,
            Err(Undelivered::SessionOver) => None,
            Err(Undelivered::Failed(cause)) => {
                tracing::error!(job = %place.name.job, code = cause.code, error = %cause, "a batch can't be written");
                self.tell(Note::Failed {
                    job: place.name.job,
                    cause,
                })
                .await;
                None
            }
        }
    }
}

fn beyond_unit(name: &BatchName) -> Fault {
    let message = format!(
        "batch {} of unit {} is beyond the unit's end",
        name.index.number(),
        name.unit
    );
    Fault::new(
        model::codes::PROTOCOL_VIOLATION,
        Class::Bug,
        message,
        "report this as a defect of Passage",
    )
}
