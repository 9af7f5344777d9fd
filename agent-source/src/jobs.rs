//! The jobs of this agent: taken, run, ended.

use crate::agent::Agent;
use crate::job::{Job, Order, Stop};
use crate::records::JobRecord;
use control::Jobs;
use model::job::CutoverOptions;
use model::{Class, CollectionPhase, Epoch, Fault, JobName, JobSpec, JobStatus, Phase, codes};
use runtime::tasks::Tasks;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};

/// The jobs of this agent.
#[derive(Debug)]
pub(crate) struct Registry {
    agent: Arc<Agent>,
    running: Mutex<HashMap<JobName, Running>>,
    tasks: Tasks,
    /// Held while a job is taken, so that two of one name are not.
    taking: tokio::sync::Mutex<()>,
}

/// How a running job is reached.
#[derive(Debug, Clone)]
struct Running {
    stop: Stop,
    orders: mpsc::Sender<Order>,
    paused: watch::Sender<bool>,
}

impl Registry {
    /// The jobs of this agent, none running.
    pub(crate) fn new(agent: Arc<Agent>, tasks: Tasks) -> Self {
        Self {
            agent,
            running: Mutex::default(),
            tasks,
            taking: tokio::sync::Mutex::default(),
        }
    }

    /// Goes on with every job that has not ended.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) fn resume_all(self: &Arc<Self>) -> Result<(), Fault> {
        for record in self.agent.post_all()? {
            if !record.phase.is_terminal() || record.verifying_again {
                tracing::info!(job = %record.spec.name, phase = %record.phase, "job goes on");
                self.start(&record.spec.name);
            }
        }
        Ok(())
    }

    /// The target says that a job can't go on.
    pub(crate) fn fail(&self, job: &JobName, cause: Fault) {
        if let Some(Running { stop, .. }) = self.running().get(job) {
            // Only the first cause counts.
            let _ = stop.failed.set(cause);
            stop.has_failed.cancel();
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<JobName, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, name: &JobName) {
        let stop = Stop::default();
        let (orders, taken) = mpsc::channel(1);
        let is_paused = self.agent.job(name).is_ok_and(|record| record.paused);
        let paused = watch::Sender::new(is_paused);
        let pauses = paused.subscribe();
        let running = Running {
            stop: stop.clone(),
            orders,
            paused,
        };
        self.running().insert(name.clone(), running);
        let job = Job {
            orders: Arc::new(tokio::sync::Mutex::new(taken)),
            agent: self.agent.clone(),
            name: name.clone(),
            stop,
            pauses,
        };
        let registry = self.clone();
        self.tasks.spawn("job", async move {
            let name = job.name.clone();
            registry
                .tasks
                .stop_token()
                .run_until_cancelled(job.run())
                .await;
            registry.running().remove(&name);
        });
    }

    async fn take(&self, spec: JobSpec) -> Result<JobStatus, Fault> {
        let _taking = self.taking.lock().await;
        if self.agent.board.find(&spec.name).is_some() {
            let message = format!("there is a job {} already", spec.name);
            return Err(Fault::new(
                codes::JOB_EXISTS,
                Class::Operator,
                message,
                "give the job file another `name`",
            ));
        }
        let name = spec.name.clone();
        let record = JobRecord {
            spec,
            epoch: Epoch::default(),
            phase: Phase::Pending,
            cause: None,
            created_ms: runtime::clock::unix_ms(),
            ended_ms: None,
            findings: vec![],
            fenced: vec![],
            paused: false,
            verifying_again: false,
            round: 0,
        };
        self.agent
            .journal
            .points()
            .pass("source.job.created.before");
        self.agent.put_job(&record).await?;
        self.agent.journal.points().pass("source.job.created.after");
        self.agent.post(&name)?;
        self.agent
            .board
            .find(&name)
            .ok_or_else(|| control::not_found(&name))
    }
}

/// The registry as the admin API drives it.
#[derive(Debug, Clone)]
pub(crate) struct Operator(pub(crate) Arc<Registry>);

impl Jobs for Operator {
    async fn create(&self, spec: JobSpec) -> Result<JobStatus, Fault> {
        let status = self.0.take(spec).await?;
        self.0.start(&status.spec.name);
        Ok(status)
    }

    fn list(&self) -> Vec<JobStatus> {
        self.0.agent.board.list()
    }

    fn watch(&self, name: &JobName) -> Result<watch::Receiver<JobStatus>, Fault> {
        self.0.agent.board.watch(name)
    }

    async fn cancel(&self, name: &JobName) -> Result<JobStatus, Fault> {
        let mut watch = self.watch(name)?;
        let phase = watch.borrow().phase;
        match phase {
            Phase::Cancelled => {}
            Phase::Completed | Phase::Failed => return Err(has_ended(name, phase)),
            _ => {
                if let Some(running) = self.0.running().get(name).cloned() {
                    running.stop.cancelled.cancel();
                }
                // The board outlives the wait.
                let _ = watch.wait_for(|status| status.phase.is_terminal()).await;
            }
        }
        let status = watch.borrow().clone();
        Ok(status)
    }

    async fn set_paused(&self, name: &JobName, paused: bool) -> Result<JobStatus, Fault> {
        let mut watch = self.watch(name)?;
        let phase = watch.borrow().phase;
        let running = self.0.running().get(name).cloned();
        let Some(running) = running.filter(|_| !phase.is_terminal()) else {
            return Err(has_ended(name, phase));
        };
        running.paused.send_replace(paused);
        let is_done = |status: &JobStatus| is_paused(status) == paused;
        // The board outlives the wait.
        let _ = watch
            .wait_for(|status| is_done(status) || status.phase.is_terminal())
            .await;
        let status = watch.borrow().clone();
        Ok(status)
    }

    async fn cut_over(&self, name: &JobName, options: CutoverOptions) -> Result<JobStatus, Fault> {
        let mut watch = self.watch(name)?;
        if is_paused(&watch.borrow()) {
            return Err(control::paused(name));
        }
        let phase = watch.borrow().phase;
        let running = self.0.running().get(name).cloned();
        let follows = matches!(phase, Phase::CatchingUp | Phase::Syncing);
        let Some(running) = running.filter(|_| follows) else {
            return Err(not_followed(name, phase));
        };
        let (answer, outcome) = oneshot::channel();
        let undone = |_| not_followed(name, phase);
        let order = Order { options, answer };
        running.orders.try_send(order).map_err(|_| busy(name))?;
        outcome.await.map_err(undone)??;
        if !options.dry_run {
            // The board outlives the wait.
            let _ = watch.wait_for(|status| status.phase.is_terminal()).await;
        }
        let status = watch.borrow().clone();
        Ok(status)
    }

    async fn verify(&self, name: &JobName) -> Result<JobStatus, Fault> {
        let agent = &self.0.agent;
        let mut record = agent.job(name)?;
        let collections = agent.collections(name)?;
        let copied = |phase| {
            use CollectionPhase::{Done, Skipped, Verifying};
            // One that is verifying was cut off when a former verification failed.
            matches!(phase, Done | Skipped | Verifying)
        };
        let is_done = record.phase.is_terminal()
            && collections
                .iter()
                .all(|collection| copied(collection.phase));
        if !is_done || record.verifying_again || collections.is_empty() {
            return Err(not_copied(name, record.phase));
        }
        for mut collection in collections
            .into_iter()
            .filter(|collection| collection.phase == CollectionPhase::Done)
        {
            collection.phase = CollectionPhase::Verifying;
            agent.put_collection(&collection).await?;
        }
        record.verifying_again = true;
        record.round += 1;
        agent.put_job(&record).await?;
        agent.post(name)?;
        self.0.start(name);
        agent
            .board
            .find(name)
            .ok_or_else(|| control::not_found(name))
    }
}

fn is_paused(status: &JobStatus) -> bool {
    let mut cause = status.cause.iter();
    cause.any(|cause| cause.code == codes::JOB_PAUSED)
}

fn has_ended(job: &JobName, phase: Phase) -> Fault {
    Fault::new(
        codes::JOB_PHASE,
        Class::Operator,
        format!("job {job} has ended already: {phase}"),
        "nothing is left of it to be cancelled, paused or resumed",
    )
}

fn not_followed(job: &JobName, phase: Phase) -> Fault {
    let message = format!("job {job} is {phase}, and does not follow changes at this moment");
    let hint = "only a job with `mode: live` cuts over, once its collections are copied and both agents are connected";
    Fault::new(codes::JOB_PHASE, Class::Operator, message, hint)
}

fn busy(job: &JobName) -> Fault {
    let message = format!("job {job} is being cut over already");
    let hint = "wait for the outcome: `job watch` shows it";
    Fault::new(codes::JOB_PHASE, Class::Operator, message, hint)
}

fn not_copied(job: &JobName, phase: Phase) -> Fault {
    let message = format!(
        "job {job} is {phase}; only a job that has copied its collections can be verified again"
    );
    Fault::new(
        codes::JOB_PHASE,
        Class::Operator,
        message,
        "wait until it has ended; a verification that runs already is shown by `job watch`",
    )
}
