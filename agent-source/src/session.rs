//! The session with the target: one at a time, begun anew whenever the last one ended.

use crate::agent::Agent;
use crate::jobs::Operator;
use crate::outbox::{self, Outbox};
use crate::witness;
use channel::conversation::{self, CallError, Caller, Incoming, Pace, Request};
use channel::{Link, Redial, Transport};
use control::Jobs;
use model::{Class, Fault, JobName, JobStatus, codes};
use protocol::{Answer, Call, Confirm, Note};
use runtime::telemetry::metric_names::{CHANNEL_LINKED, CHANNEL_LINKS};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the target is told of a job's progress, at most.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// A link in use.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Asks the target.
    pub(crate) caller: Caller,
    /// Takes batches.
    pub(crate) outbox: Outbox,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

/// Gets links and uses them, one after the other, until `shutdown`.
pub(crate) async fn keep(
    agent: Arc<Agent>,
    operator: Operator,
    transport: Arc<dyn Transport>,
    shutdown: CancellationToken,
) {
    let mut redial = Redial::default();
    loop {
        let link = tokio::select! {
            () = shutdown.cancelled() => return,
            link = transport.next_link() => link,
        };
        match link {
            Ok(link) => {
                redial.handle_link();
                let over = shutdown.child_token();
                hold(&agent, &operator, link, over).await;
            }
            Err(error) => {
                let fault = Fault::from(error);
                agent.no_link.send_replace(fault.clone());
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = redial.wait(&fault) => {}
                }
            }
        }
    }
}

/// There is no link, and nothing more is known of it.
pub(crate) fn no_link() -> Fault {
    let hint =
        "the agents connect again by themselves; see the log of both for what keeps them apart";
    let message = "there is no link to the target's agent";
    Fault::new(codes::PEER_UNREACHABLE, Class::Transient, message, hint)
}

/// Uses a link until it ends or `over` is cancelled.
async fn hold(agent: &Arc<Agent>, operator: &Operator, link: Link, over: CancellationToken) {
    tracing::info!(peer = link.peer.name, agent = %link.agreed.peer.agent, "session begins");
    metrics::gauge!(CHANNEL_LINKS).set(1);
    metrics::counter!(CHANNEL_LINKED).increment(1);
    let (caller, incoming) = conversation::start(link.control, Pace::default());
    let (outbox, queue) = Outbox::new();
    let tasks = TaskTracker::new();
    for lane in link.data {
        let agent = agent.clone();
        let (queue, over) = (queue.clone(), over.clone());
        tasks.spawn(async move {
            let lane = outbox::run_lane(lane, queue, |confirm| agent.handle_confirm(confirm));
            tokio::select! {
                () = over.cancelled() => {}
                outcome = lane => if let Err(error) = outcome {
                    tracing::debug!(%error, "data lane ends");
                }
            }
            over.cancel();
        });
    }
    let session = Session {
        caller: caller.clone(),
        outbox,
        over: over.clone(),
    };
    agent.sessions.send_replace(Some(session));
    tasks.spawn(tell_statuses(agent.clone(), caller, over.clone()));
    answer(agent, operator, incoming, &tasks, &over).await;
    over.cancel();
    agent.no_link.send_replace(no_link());
    agent.sessions.send_replace(None);
    tasks.close();
    tasks.wait().await;
    metrics::gauge!(CHANNEL_LINKS).set(0);
    tracing::info!("session is over");
}

/// Takes up what the target asks and tells.
async fn answer(
    agent: &Arc<Agent>,
    operator: &Operator,
    mut incoming: Incoming,
    tasks: &TaskTracker,
    over: &CancellationToken,
) {
    loop {
        let request = tokio::select! {
            () = over.cancelled() => return,
            request = incoming.recv() => request,
        };
        match request {
            None => return,
            Some(Request::Call {
                call,
                reply,
                traceparent,
            }) => {
                let (agent, operator, over) = (agent.clone(), operator.clone(), over.clone());
                let span = runtime::telemetry::remote_span(&traceparent, "answer");
                let work = tracing::Instrument::instrument(
                    async move {
                        tokio::select! {
                            () = over.cancelled() => {}
                            answer = answer_call(&agent, &operator, *call) => reply.answer(answer),
                        }
                    },
                    span,
                );
                tasks.spawn(work);
            }
            Some(Request::Note(note)) => handle_note(agent, operator, note),
        }
    }
}

async fn answer_call(agent: &Agent, operator: &Operator, call: Call) -> Result<Answer, Fault> {
    match call {
        Call::RequestJob(spec) => operator.create(spec).await.map(job_answer),
        Call::RequestCancel(job) => operator.cancel(&job).await.map(job_answer),
        Call::RequestPause { job, paused } => {
            operator.set_paused(&job, paused).await.map(job_answer)
        }
        Call::RequestVerify(job) => operator.verify(&job).await.map(job_answer),
        Call::RequestCutover { job, options } => {
            operator.cut_over(&job, options).await.map(job_answer)
        }
        Call::RecheckKeys {
            job,
            index,
            partition,
            keys,
        } => {
            if let Some(following) = agent.followings.find(&job, index) {
                following.wait_room().await;
                following.touch(keys.into_iter().map(|key| (key, partition.clone())));
            }
            Ok(Answer::Done)
        }
        Call::CountRows { job, index } => witness::count_rows(agent, &job, index).await,
        Call::DigestUnit { job, unit } => witness::digest_unit(agent, &job, unit).await,
        Call::HashRows {
            job,
            unit,
            batch,
            after,
        } => witness::hash_rows(agent, &job, unit, batch, after).await,
        Call::HashFields {
            job,
            unit,
            batch,
            keys,
        } => witness::hash_fields(agent, &job, unit, batch, keys).await,
        _ => Err(Fault::new(
            codes::PROTOCOL_VIOLATION,
            Class::Bug,
            "this question is not for the source",
            "report this as a defect of Passage",
        )),
    }
}

fn job_answer(status: JobStatus) -> Answer {
    let report = None;
    Answer::Job(Box::new(JobStatus { report, ..status }))
}

fn handle_note(agent: &Agent, operator: &Operator, note: Note) {
    match note {
        Note::Verified { job, index, rows } => agent.board.change(&job, |status| {
            if let Some(shown) = status.collections.get_mut(index.number() as usize) {
                shown.rows_verified = rows;
            }
        }),
        Note::Dropping {
            job,
            index,
            partitions,
        } => agent.followings.handle_dropping(&job, index, partitions),
        Note::Waiting { job, cause } => agent.show_cause(&job, cause),
        Note::Failed { job, cause } => operator.0.fail(&job, cause),
        Note::Status(_) => {}
    }
}

/// Tells the target's operators how the jobs are doing, for as long as the session lasts.
async fn tell_statuses(agent: Arc<Agent>, caller: Caller, over: CancellationToken) {
    let mut told = Vec::new();
    let telling = async {
        loop {
            let statuses = agent.board.list();
            for status in statuses.iter().filter(|status| !told.contains(*status)) {
                if tell(&caller, status).await == Err(CallError::Disconnected) {
                    return;
                }
            }
            told = statuses;
            tokio::time::sleep(TELL_EVERY).await;
        }
    };
    tokio::select! {
        () = over.cancelled() => {}
        () = telling => {}
    }
}

/// Tells one status; one that no message holds goes without its report, which the source's agent shows in full.
async fn tell(caller: &Caller, status: &JobStatus) -> Result<(), CallError> {
    let note = |status: JobStatus| Note::Status(Box::new(status));
    match caller.note(&note(status.clone())).await {
        Err(CallError::Refused(_)) => {
            let report = None;
            caller
                .note(&note(JobStatus {
                    report,
                    ..status.clone()
                }))
                .await
        }
        outcome => outcome,
    }
}

impl Session {
    /// Asks the target, in the trace of the current span.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer, not the call; every call may be made again.
    pub(crate) async fn ask(&self, call: Call) -> Result<Answer, CallError> {
        self.caller
            .call(
                &call,
                runtime::telemetry::current_traceparent().unwrap_or_default(),
            )
            .await
    }
}

impl Agent {
    /// Passes a confirmation on to whom it concerns.
    fn handle_confirm(&self, confirm: Confirm) {
        match confirm {
            Confirm::Batch { name, rows, bytes } => {
                self.confirmations.handle_confirm(name, rows, bytes);
            }
            Confirm::Step(name) => self.followings.handle_confirm(&name),
        }
    }

    /// The session, if there is one now.
    pub(crate) fn current_session(&self) -> Option<Session> {
        self.sessions.borrow().clone()
    }

    /// Waits for a session, and shows that the job does.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn session(&self, job: &JobName) -> Session {
        let mut sessions = self.sessions.subscribe();
        let mut reasons = self.no_link.subscribe();
        loop {
            if let Some(session) = sessions
                .borrow_and_update()
                .clone()
                .filter(|session| !session.over.is_cancelled())
            {
                return session;
            }
            self.show_no_link(job);
            // The senders are parts of this agent.
            tokio::select! {
                _ = sessions.changed() => {}
                _ = reasons.changed() => {}
            }
        }
    }
}
