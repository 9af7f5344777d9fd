//! The one thread that writes: takes the steps that wait, writes them in one transaction, answers them.
//!
//! After a failed write redb refuses everything until the file is opened again; so does this thread, each time that it has
//! something to write, until it succeeds.

use super::disk::Shared;
use super::writes::Write;
use super::{Committed, CrashPoints, JournalError, points, store};
use crate::telemetry::metric_names::{JOURNAL_COMMIT, JOURNAL_STEPS};
use redb::{Database, DatabaseError};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// Steps are merged up to this size, so that a write stays short.
const MERGED_BYTES: usize = 4 << 20;

/// How the file is opened, at the start and after a failure.
pub(super) type Opening = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// A step and the one who waits for it.
pub(super) struct Job {
    pub(super) writes: Vec<Write>,
    pub(super) bytes: usize,
    pub(super) reply: oneshot::Sender<Result<Committed, JournalError>>,
}

pub(super) struct Writer {
    file: PathBuf,
    database: Shared,
    opening: Opening,
    queue: mpsc::Receiver<Job>,
    points: CrashPoints,
    sequence: u64,
}

impl Writer {
    pub(super) fn new(
        file: PathBuf,
        database: Shared,
        opening: Opening,
        queue: mpsc::Receiver<Job>,
        points: CrashPoints,
    ) -> Self {
        Self {
            file,
            database,
            opening,
            queue,
            points,
            sequence: 0,
        }
    }

    /// Writes until nobody can ask for it any more.
    pub(super) fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let steps = self.merge(first);
            let begun = Instant::now();
            let written = self.write(&steps);
            metrics::histogram!(JOURNAL_COMMIT).record(begun.elapsed());
            metrics::counter!(JOURNAL_STEPS).increment(steps.len() as u64);
            self.answer(steps, &written);
        }
        *self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) =
            Err(JournalError::WriterGone { file: self.file });
    }

    fn merge(&mut self, first: Job) -> Vec<Job> {
        let mut bytes = first.bytes;
        let mut steps = vec![first];
        while bytes < MERGED_BYTES {
            let Ok(step) = self.queue.try_recv() else {
                break;
            };
            bytes += step.bytes;
            steps.push(step);
        }
        steps
    }

    fn write(&mut self, steps: &[Job]) -> Result<(), JournalError> {
        self.reopen_if_closed()?;
        self.points.pass(points::BEFORE_COMMIT);
        let written = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref().map_err(Clone::clone)?;
            store::apply(database, steps.iter().flat_map(|step| &step.writes))
        };
        self.points.pass(points::AFTER_COMMIT);
        written.map_err(|error| {
            let error = JournalError::redb(&self.file, error);
            self.close(error.clone());
            // So that it can be read meanwhile; when it fails, the next step tries again.
            let _ = self.reopen_if_closed();
            error
        })
    }

    fn close(&mut self, error: JournalError) {
        *self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Err(error);
    }

    fn reopen_if_closed(&mut self) -> Result<(), JournalError> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if database.is_err() {
            *database = (self.opening)().map_err(|error| JournalError::redb(&self.file, error));
        }
        database.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Who does not wait any more needs no answer.
    fn answer(&mut self, steps: Vec<Job>, written: &Result<(), JournalError>) {
        for step in steps {
            let answer = written.clone().map(|()| {
                self.sequence += 1;
                Committed {
                    sequence: self.sequence,
                }
            });
            let _ = step.reply.send(answer);
        }
    }
}
