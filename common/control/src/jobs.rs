//! What an agent must be able to do for its operator.

use model::job::CutoverOptions;
use model::{Fault, JobName, JobSpec, JobStatus};
use std::future::Future;
use tokio::sync::watch;

/// The jobs of an agent, as the admin API drives them. Each agent has one implementation.
pub trait Jobs: Send + Sync + 'static {
    /// Takes a job; its status once it is in the journal. The work goes on by itself from there.
    ///
    /// # Errors
    /// `job_exists`, `scope_denied`, or what kept the journal from taking it.
    fn create(&self, spec: JobSpec) -> impl Future<Output = Result<JobStatus, Fault>> + Send;

    /// All jobs as they stand, oldest first.
    fn list(&self) -> Vec<JobStatus>;

    /// One job as it stands, and every change to come. The sender lives as long as the agent runs, also past the job's end.
    ///
    /// # Errors
    /// `job_not_found`.
    fn watch(&self, name: &JobName) -> Result<watch::Receiver<JobStatus>, Fault>;

    /// Ends a job; its status from then on. What is on the target stays there. Cancelling a cancelled job is no error.
    ///
    /// # Errors
    /// `job_not_found`, or `job_phase` when it has ended otherwise.
    fn cancel(&self, name: &JobName) -> impl Future<Output = Result<JobStatus, Fault>> + Send;

    /// Has a job rest, or go on; its status from then on. Asked twice, it is as if asked once.
    ///
    /// # Errors
    /// `job_not_found`, or `job_phase` when it has ended.
    fn set_paused(
        &self,
        name: &JobName,
        paused: bool,
    ) -> impl Future<Output = Result<JobStatus, Fault>> + Send;

    /// Cuts a live job over, which nobody writes to the source of any more; its status when it is completed. With `dry_run`, its
    /// status if it could.
    ///
    /// # Errors
    /// `job_not_found`, `job_phase` when the job does not follow changes; `cutover_not_ready` with every condition that is not met;
    /// `cutover_timeout` and `cutover_not_fenced` when it was begun and undone: the job goes on following.
    fn cut_over(
        &self,
        name: &JobName,
        options: CutoverOptions,
    ) -> impl Future<Output = Result<JobStatus, Fault>> + Send;

    /// Begins another verification. From this answer on until it has ended, the job's phase is `Verifying` again, in every status
    /// that [`Jobs::watch`] shows: so a watcher can tell when it is over.
    ///
    /// # Errors
    /// `job_not_found`, or `job_phase` when the job still copies.
    fn verify(&self, name: &JobName) -> impl Future<Output = Result<JobStatus, Fault>> + Send;
}
