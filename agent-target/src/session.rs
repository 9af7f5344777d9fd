//! A session with a source: its lanes, its questions, its end.

use crate::agent::Agent;
use crate::answers;
use crate::inbox;
use crate::pipeline::Pipeline;
use channel::conversation::{self, Incoming, Pace, Request};
use channel::{Link, Redial, Transport};
use model::Fault;
use runtime::telemetry::metric_names::{CHANNEL_LINKED, CHANNEL_LINKS};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Gets links and uses them, at most so many at a time, until `shutdown`; then waits for the sessions to end.
///
/// Several sessions at a time are not several owners: of two that claim one job, the older is ended ([`protocol::claim`]).
pub(crate) async fn keep(
    agent: Arc<Agent>,
    transport: Arc<dyn Transport>,
    at_once: usize,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(at_once));
    let sessions = TaskTracker::new();
    let mut redial = Redial::default();
    while let Some(outcome) = shutdown
        .run_until_cancelled(next(&places, transport.as_ref()))
        .await
    {
        match outcome {
            (Ok(link), place) => {
                redial.handle_link();
                let (agent, over) = (agent.clone(), shutdown.child_token());
                sessions.spawn(async move {
                    hold(agent, link, over).await;
                    drop(place);
                });
            }
            (Err(fault), _) => {
                shutdown.run_until_cancelled(redial.wait(&fault)).await;
            }
        }
    }
    sessions.close();
    sessions.wait().await;
}

async fn next(
    places: &Arc<Semaphore>,
    transport: &dyn Transport,
) -> (
    Result<Link, Fault>,
    Option<tokio::sync::OwnedSemaphorePermit>,
) {
    // The semaphore is never closed.
    let place = places.clone().acquire_owned().await.ok();
    (transport.next_link().await.map_err(Fault::from), place)
}

/// Uses a link until it ends or `over` is cancelled.
async fn hold(agent: Arc<Agent>, link: Link, over: CancellationToken) {
    tracing::info!(peer = link.peer.name, agent = %link.agreed.peer.agent, "session begins");
    metrics::gauge!(CHANNEL_LINKS).increment(1);
    metrics::counter!(CHANNEL_LINKED).increment(1);
    let (caller, incoming) = conversation::start(link.control, Pace::default());
    let tasks = TaskTracker::new();
    let pipeline = Pipeline::new(agent.clone(), caller.clone(), over.clone(), tasks.clone());
    for lane in link.data {
        let lane = inbox::run(lane, agent.lane_bytes, pipeline.beside(), over.clone());
        tasks.spawn(async move {
            if let Err(error) = lane.await {
                tracing::warn!(error = %error.into_fault(), "data lane ends");
            }
        });
    }
    agent.caller.send_replace(Some(caller.clone()));
    let session = answers::Session {
        agent: agent.clone(),
        caller,
        over: over.clone(),
        peer: link.agreed.peer.incarnation,
    };
    answer(Arc::new(session), incoming, &tasks).await;
    over.cancel();
    tasks.close();
    tasks.wait().await;
    metrics::gauge!(CHANNEL_LINKS).decrement(1);
    tracing::info!("session is over");
}

/// Takes up what the source asks and tells.
async fn answer(session: Arc<answers::Session>, mut incoming: Incoming, tasks: &TaskTracker) {
    while let Some(Some(request)) = session.over.run_until_cancelled(incoming.recv()).await {
        match request {
            Request::Note(note) => session.handle_note(note).await,
            Request::Call {
                call,
                traceparent,
                reply,
            } => {
                let span = runtime::telemetry::remote_span(&traceparent, "answer");
                let session = session.clone();
                let work = async move {
                    if let Some(answer) = session
                        .over
                        .run_until_cancelled(session.answer(*call))
                        .await
                    {
                        reply.answer(answer);
                    }
                };
                tasks.spawn(work.instrument(span));
            }
        }
    }
}
