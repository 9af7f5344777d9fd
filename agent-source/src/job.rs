//! One job, from its journaled phase to its end, over as many sessions as it takes.
//!
//! ```text
//!  claim ─► prepare ─► for each collection, some at a time: create ─► copy ─► finish ─┬─► verify ─► seal ─► close
//!                                                       in a live job, all at a time: └─► follow ───┘
//! ```
//! Every step may be taken again: the journal says which are done, and the target finds what an earlier call did. So a session that
//! ends, at whatever moment, costs nothing but the step that it ended in.

mod collection;
mod copy;
mod cutover;
mod fate;
mod fence;
mod follow;
mod join;
mod laps;
mod loaded;
mod prepare;
mod prove;
mod recheck;
mod repair;
mod steps;
mod surplus;

pub(crate) use cutover::{Live, Order, Orders};
pub(crate) use steps::StepError;

use crate::agent::Agent;
use crate::following::Following;
use crate::records::{CollectionRecord, JobRecord};
use crate::session::Session;
use futures::{FutureExt, StreamExt, TryStreamExt};
use model::job::Mode;
use model::report::CollectionReport;
use model::{Class, CollectionPhase, Fault, JobName, Phase, Verification, codes};
use protocol::Call;
use protocol::call::CollectionPlan;
use runtime::backoff::Backoff;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// How many collections are under way at the same time. Most of them wait: for flushes, indexes, loads, some seconds each.
const COLLECTIONS_AT_ONCE: usize = 16;

/// How many of them are copied or compared at the same time, which is work for both agents.
const BUSY_AT_ONCE: usize = 4;

/// How long a job waits before it tries again what an operator or time must mend: at first, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// How often it is shown how far a job falls behind that has no session.
const SHOW_LAG_EVERY: Duration = Duration::from_secs(1);

/// A job that is being carried out.
#[derive(Debug)]
pub(crate) struct Job {
    /// What every job of this agent works with.
    pub(crate) agent: Arc<Agent>,
    /// The job's name.
    pub(crate) name: JobName,
    /// Ends the job.
    pub(crate) stop: Stop,
    /// Asks it to cut over.
    pub(crate) orders: Orders,
    /// Whether it is to rest.
    pub(crate) pauses: watch::Receiver<bool>,
}

/// The ways to end a job from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// An operator cancelled it.
    pub(crate) cancelled: CancellationToken,
    /// The target can't go on.
    pub(crate) failed: Arc<tokio::sync::OnceCell<Fault>>,
    /// Set with `failed`.
    pub(crate) has_failed: CancellationToken,
}

impl Job {
    /// Carries the job out until it has ended.
    ///
    /// # Cancel safety
    /// When dropped, the job goes on from its journal the next time.
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::new(PATIENCE.0, PATIENCE.1);
        let mut claimed = None;
        loop {
            let outcome = tokio::select! {
                () = self.stop.cancelled.cancelled() => Err(cancelled(&self.name).into()),
                () = self.stop.has_failed.cancelled() => Err(self.stop.failed.get().cloned().unwrap_or_else(|| cancelled(&self.name)).into()),
                outcome = self.go_on(&mut claimed) => outcome,
            };
            let error = match outcome {
                Ok(()) => return,
                Err(StepError::Disconnected) => {
                    backoff.reset();
                    continue;
                }
                Err(error) => error,
            };
            let StepError::Fault(fault) = &error else {
                continue;
            };
            if error.may_pass() {
                self.agent.show_cause(&self.name, Some(fault.clone()));
                tracing::warn!(job = %self.name, code = fault.code, error = %fault, "job waits");
            } else {
                match self.end(fault.clone()).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::error!(job = %self.name, %error, "the end of the job can't be journaled yet")
                    }
                }
            }
            let mut pauses = self.pauses.clone();
            let is_paused = *pauses.borrow_and_update();
            tokio::select! {
                () = backoff.wait() => {}
                _ = pauses.changed(), if !is_paused => {}
            }
        }
    }

    /// Goes on whenever it is not paused.
    async fn go_on(&self, claimed: &mut Option<model::Epoch>) -> Result<(), StepError> {
        let mut pauses = self.pauses.clone();
        loop {
            self.lift_fence().await?;
            self.rest().await?;
            tokio::select! {
                // The sender lives as long as the job runs.
                _ = pauses.wait_for(|paused| *paused) => {}
                outcome = self.session_run(claimed) => return outcome,
            }
        }
    }

    /// Rests for as long as the job is paused, which the journal knows.
    async fn rest(&self) -> Result<(), StepError> {
        let mut pauses = self.pauses.clone();
        if *pauses.borrow() {
            self.note_paused(true).await?;
            tracing::info!(job = %self.name, "job is paused");
            let show = async {
                loop {
                    self.agent
                        .show_cause(&self.name, Some(control::paused(&self.name)));
                    tokio::time::sleep(SHOW_LAG_EVERY).await;
                }
            };
            tokio::select! {
                _ = pauses.wait_for(|paused| !*paused) => {}
                () = show => {}
                never = self.show_lag() => match never {},
            }
            tracing::info!(job = %self.name, "job is resumed");
        }
        self.note_paused(false).await?;
        Ok(())
    }

    async fn note_paused(&self, paused: bool) -> Result<(), StepError> {
        let mut record = self.agent.job(&self.name)?;
        if record.paused != paused {
            record.paused = paused;
            self.agent.put_job(&record).await?;
            self.agent.show_cause(&self.name, None);
        }
        Ok(())
    }

    /// Waits for a session, and goes as far in it as it lasts.
    async fn session_run(&self, claimed: &mut Option<model::Epoch>) -> Result<(), StepError> {
        let session = tokio::select! {
            session = self.agent.session(&self.name) => session,
            never = self.show_lag() => match never {},
        };
        tokio::select! {
            () = session.over.cancelled() => Err(StepError::Disconnected),
            outcome = self.carry_out(&session, claimed) => outcome,
        }
    }

    /// Shows how far the collections fall behind while nothing is applied, for as long as it is polled.
    async fn show_lag(&self) -> Infallible {
        let look = async {
            loop {
                for (plan, following) in self.under_way() {
                    self.agent.look_at_log(&plan.source, &following).await;
                }
                tokio::time::sleep(follow::LOOK_AT_LOG_EVERY).await;
            }
        };
        let show = async {
            loop {
                let now = self.agent.tick_now().await.unwrap_or_default();
                for (plan, following) in self.under_way() {
                    let (changes, verification) = (following.status(now), following.verification());
                    self.agent
                        .show_following(&plan, changes, verification, false);
                }
                tokio::time::sleep(SHOW_LAG_EVERY).await;
            }
        };
        // A log that does not answer must not hold up what is shown.
        tokio::select! {
            never = look => never,
            never = show => never,
        }
    }

    /// The collections that are followed.
    fn under_way(&self) -> Vec<(CollectionPlan, Arc<Following>)> {
        let collections = self.agent.collections(&self.name).unwrap_or_default();
        let following = |plan: CollectionPlan| {
            let following = self.agent.followings.find(&plan.job, plan.index)?;
            Some((plan, following))
        };
        let plans = collections.into_iter().map(|collection| collection.plan);
        plans.filter_map(following).collect()
    }

    #[tracing::instrument(name = "job", skip_all, fields(job = %self.name))]
    async fn carry_out(
        &self,
        session: &Session,
        claimed: &mut Option<model::Epoch>,
    ) -> Result<(), StepError> {
        let mut record = self.agent.job(&self.name)?;
        let epoch = match *claimed {
            Some(epoch) => epoch,
            None => {
                record.epoch = record.epoch.next();
                self.agent.put_job(&record).await?;
                *claimed.insert(record.epoch)
            }
        };
        let opening = Call::OpenJob {
            spec: record.spec.clone(),
            epoch,
            incarnation: self.agent.incarnation,
        };
        session.ask(opening).await?;
        self.agent.show_cause(&self.name, None);
        if record.phase < Phase::Copying {
            self.prepare(session, &mut record).await?;
        }
        if !record.phase.is_terminal() || record.verifying_again {
            self.carry_out_collections(session, &record).await?;
            self.complete(&mut record).await?;
        }
        session
            .ask(Call::CloseJob {
                job: self.name.clone(),
                phase: record.phase,
            })
            .await?;
        Ok(())
    }

    async fn carry_out_collections(
        &self,
        session: &Session,
        record: &JobRecord,
    ) -> Result<(), StepError> {
        let collections = self.agent.collections(&self.name)?;
        let (under_way, busy) = (
            Semaphore::new(COLLECTIONS_AT_ONCE),
            Semaphore::new(BUSY_AT_ONCE),
        );
        let may_grow = record.spec.mode == Mode::Live && !has_cut_over(&collections);
        let (joining, joined) = mpsc::channel(1);
        let live = Live::new(joining);
        if !may_grow {
            *live.joining.lock().await = None;
        }
        let collections = futures::stream::iter(collections).chain(ReceiverStream::new(joined));
        let carry_out = collections
            .map(Ok)
            .try_for_each_concurrent(None, |collection| {
                let mut at = collection::CollectionRun {
                    agent: &self.agent,
                    session,
                    job: record,
                    record: collection,
                    under_way: &under_way,
                    busy: &busy,
                    live: &live,
                };
                async move { at.run().await }.boxed()
            })
            .boxed();
        if !may_grow {
            return carry_out.await;
        }
        let let_join = self.let_join(session, record, &live).boxed();
        tokio::select! {
            outcome = futures::future::try_join(carry_out, let_join) => outcome.map(|_| ()),
            outcome = self.keep_orders(session, record, &live).boxed() => outcome,
            () = live.keep_clock(&self.agent) => Ok(()),
        }
    }

    /// Ends a job of which every collection is done: completed if nothing was found to differ.
    async fn complete(&self, record: &mut JobRecord) -> Result<(), StepError> {
        let collections = self.agent.collections(&self.name)?;
        let reports = collections
            .iter()
            .filter_map(|collection| collection.report.as_ref());
        record.cause = shortfall(&self.name, reports);
        record.phase = match record.cause {
            None => Phase::Completed,
            Some(_) => Phase::Failed,
        };
        record.verifying_again = false;
        record.ended_ms.get_or_insert_with(runtime::clock::unix_ms);
        self.agent.put_job(record).await?;
        self.agent.end_following(&self.name);
        self.agent.post(&self.name)?;
        tracing::info!(job = %self.name, phase = %record.phase, "job has ended");
        Ok(())
    }

    /// Ends a job before its time, for this cause.
    async fn end(&self, cause: Fault) -> Result<(), StepError> {
        let mut record = self.agent.job(&self.name)?;
        record.phase = if cause.code == codes::JOB_CANCELLED {
            Phase::Cancelled
        } else {
            Phase::Failed
        };
        record.ended_ms = Some(runtime::clock::unix_ms());
        tracing::error!(job = %self.name, code = cause.code, error = %cause, "job has ended before its time");
        record.cause = Some(cause);
        record.verifying_again = false;
        self.agent.put_job(&record).await?;
        self.agent.end_following(&self.name);
        collection::release_loaded(&self.agent, &self.name).await;
        if let Err(fault) = self.lift_fence().await {
            tracing::error!(job = %self.name, code = fault.code, error = %fault, "the source still denies writes");
        }
        self.agent.post(&self.name)?;
        if let Some(session) = self.agent.current_session() {
            // The target learns of it with the next status at the latest.
            let _ = session
                .ask(Call::CloseJob {
                    job: self.name.clone(),
                    phase: record.phase,
                })
                .await;
        }
        Ok(())
    }
}

/// Whether a live job has cut over: then its collections have done so in one step.
fn has_cut_over(collections: &[CollectionRecord]) -> bool {
    use CollectionPhase::{Done, Verifying};
    let mut phases = collections.iter().map(|collection| collection.phase);
    phases.any(|phase| matches!(phase, Verifying | Done))
}

fn cancelled(job: &JobName) -> Fault {
    let hint = "what was copied stays on the target; drop its collections there, or create a job with on_conflict: replace";
    Fault::new(
        codes::JOB_CANCELLED,
        Class::Permanent,
        format!("job {job} was cancelled"),
        hint,
    )
}

/// Why a job that did all it could is not completed: something differs, or could not be compared.
fn shortfall<'r>(
    job: &JobName,
    reports: impl Iterator<Item = &'r CollectionReport> + Clone,
) -> Option<Fault> {
    let differences = reports.clone().map(|report| report.differences_total).sum();
    if differences > 0 {
        return Some(mismatch(job, differences));
    }
    reports
        .into_iter()
        .find_map(|report| match &report.outcome {
            Verification::Blocked { reason } => Some(blocked(job, reason)),
            _ => None,
        })
}

fn blocked(job: &JobName, reason: &str) -> Fault {
    let message = format!("job {job}: not everything could be compared: {reason}");
    let hint = "`job report` shows every collection; what was compared is equal";
    Fault::new(codes::VERIFY_BLOCKED, Class::Permanent, message, hint)
}

fn mismatch(job: &JobName, differences: u64) -> Fault {
    let message = format!("job {job}: the target differs from the source in {differences} places");
    let hint = "`job report` names them; if the source was written to meanwhile, copy again while it is not";
    Fault::new(codes::VERIFY_MISMATCH, Class::Permanent, message, hint)
}
