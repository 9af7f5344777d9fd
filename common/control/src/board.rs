//! The jobs of an agent as everybody sees them: one status each, and a watch on it.

use model::{Class, Fault, JobName, JobStatus, Phase, codes};
use runtime::telemetry::metric_names::JOBS;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The statuses of an agent's jobs. Clones show the same board.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<JobName, watch::Sender<JobStatus>>>>);

impl Board {
    /// Puts up a job's status, new or changed.
    pub fn post(&self, status: JobStatus) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match jobs.get(&status.spec.name) {
            Some(posted) => {
                posted.send_if_modified(|old| {
                    let changed = *old != status;
                    count_phase(Some(old.phase), status.phase);
                    *old = status;
                    changed
                });
            }
            None => {
                count_phase(None, status.phase);
                jobs.insert(status.spec.name.clone(), watch::Sender::new(status));
            }
        }
    }

    /// Changes a job's status, if the job is there; watchers learn of it if that made a difference.
    pub fn change(&self, job: &JobName, change: impl FnOnce(&mut JobStatus)) {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(posted) = jobs.get(job) {
            posted.send_if_modified(|status| {
                let before = status.clone();
                change(status);
                count_phase(Some(before.phase), status.phase);
                *status != before
            });
        }
    }

    /// The status of a job.
    #[must_use]
    pub fn find(&self, job: &JobName) -> Option<JobStatus> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(job).map(|posted| posted.borrow().clone())
    }

    /// Every status, the oldest job first.
    #[must_use]
    pub fn list(&self) -> Vec<JobStatus> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = jobs
            .values()
            .map(|posted| posted.borrow().clone())
            .collect();
        all.sort_by_key(|status| status.created_ms);
        all
    }

    /// A job's status, now and whenever it changes.
    ///
    /// # Errors
    /// `job_not_found`: the operator's.
    pub fn watch(&self, job: &JobName) -> Result<watch::Receiver<JobStatus>, Fault> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(job)
            .map(watch::Sender::subscribe)
            .ok_or_else(|| not_found(job))
    }
}

/// Counts a job in its phase, and no longer in the one before.
fn count_phase(before: Option<Phase>, now: Phase) {
    let jobs = |phase: Phase| metrics::gauge!(JOBS, "phase" => phase.to_string());
    if before != Some(now) {
        before
            .into_iter()
            .for_each(|phase| jobs(phase).decrement(1));
        jobs(now).increment(1);
    }
}

/// The job rests, as an operator asked.
#[must_use]
pub fn paused(job: &JobName) -> Fault {
    let message = format!("job {job} is paused");
    let hint = format!("`job resume {job}` has it go on from where it was");
    Fault::new(codes::JOB_PAUSED, Class::Operator, message, hint)
}

/// There is no such job.
#[must_use]
pub fn not_found(job: &JobName) -> Fault {
    let message = format!("there is no job {job} on this agent");
    Fault::new(
        codes::JOB_NOT_FOUND,
        Class::Operator,
        message,
        "`job list` shows the jobs that there are",
    )
}
