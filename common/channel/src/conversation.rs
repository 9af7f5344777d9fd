//! The control lane in use: calls and their answers, notes, signs of life.
//!
//! Invariants:
//! - **Every call ends**: with the peer's answer, its refusal, or [`CallError::Disconnected`]. A call may take hours (the build of
//!   an index does), so what bounds it is not its own length but the peer's life: heartbeats go out whatever else does, and a peer
//!   that was silent for [`Pace::dead_after`] is dead.
//! - **Every call that comes in is answered**: one whose [`ReplyTo`] is dropped is refused in its name.
//! - **Bounded**: [`MAX_UNANSWERED`] calls of the peer at a time, [`MAX_BODY_BYTES`] a body, a few frames in every queue.
//!
//! The conversation lasts as long as [`Incoming`]: dropping it ends the lane. What is in [`Incoming`] must be taken promptly and
//! carried out elsewhere, since the answers to our own calls come behind it; who leaves it there for [`Pace::dead_after`] loses the
//! conversation.

mod error;
mod reading;
mod speaking;

use crate::link::Lane;
use model::Fault;
use protocol::frame::{Frame, MAX_FRAME_BYTES};
use protocol::pending::PendingCalls;
use protocol::{Answer, Call, Note};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

pub use error::{CallError, Ending};

/// The most bytes that the JSON form of a call, an answer or a note may take.
pub const MAX_BODY_BYTES: usize = MAX_FRAME_BYTES - (64 << 10);

/// How many calls of the peer may be unanswered at a time.
pub const MAX_UNANSWERED: usize = 1024;

/// How many requests wait to be taken out of [`Incoming`].
const QUEUE_REQUESTS: usize = 16;

/// The rhythm of the signs of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// One goes out this often.
    pub heartbeat: Duration,
    /// A peer from which nothing came for this long is dead.
    pub dead_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            dead_after: Duration::from_secs(20),
        }
    }
}

/// What waits for a reply.
type Waiting = oneshot::Sender<Result<Answer, CallError>>;

/// The calls that wait for replies; `None` once the conversation is over.
#[derive(Debug)]
struct Calls(Mutex<Option<PendingCalls<Waiting>>>);

/// Asks the peer, from anywhere in the agent.
#[derive(Debug, Clone)]
pub struct Caller {
    calls: Arc<Calls>,
    outgoing: mpsc::Sender<Frame>,
    refusal: mpsc::Sender<Fault>,
    ended: watch::Receiver<Option<Ending>>,
}

/// What the peer asks and tells.
#[derive(Debug)]
pub struct Incoming {
    requests: mpsc::Receiver<Request>,
}

/// One thing that the peer asks or tells.
#[derive(Debug)]
pub enum Request {
    /// A question.
    Call {
        /// The question.
        call: Box<Call>,
        /// The W3C trace context that the answering spans belong to; may be empty.
        traceparent: String,
        /// Takes the answer.
        reply: ReplyTo,
    },
    /// News.
    Note(Note),
}

/// Takes the answer to one call. Dropped without an answer, it refuses the call as a fault of this agent.
#[derive(Debug)]
pub struct ReplyTo {
    answer: oneshot::Sender<Result<Answer, Fault>>,
}

/// Begins to use a control lane after the first words; runs until [`Incoming`] is dropped or the lane is lost.
#[must_use]
pub fn start(lane: Lane, pace: Pace) -> (Caller, Incoming) {
    let calls = Arc::new(Calls(Mutex::new(Some(PendingCalls::default()))));
    let (outgoing, to_send) = mpsc::channel(crate::link::QUEUE_FRAMES);
    let (refusal, refusals) = mpsc::channel(1);
    let (requests, taken) = mpsc::channel(QUEUE_REQUESTS);
    let (end, ended) = watch::channel(None);
    let reading = reading::Reading::new(calls.clone(), outgoing.clone(), requests, pace);
    tokio::spawn(run(lane, reading, to_send, refusals, pace, end));
    (
        Caller {
            calls,
            outgoing,
            refusal,
            ended,
        },
        Incoming { requests: taken },
    )
}

async fn run(
    lane: Lane,
    reading: reading::Reading,
    to_send: mpsc::Receiver<Frame>,
    mut refusals: mpsc::Receiver<Fault>,
    pace: Pace,
    end: watch::Sender<Option<Ending>>,
) {
    let Lane { tx, rx } = lane;
    let calls = reading.calls();
    let ending = tokio::select! {
        biased;
        Some(fault) = refusals.recv() => Ending::Refused(fault),
        ending = reading.run(rx) => ending,
        ending = speaking::run(&tx, to_send, pace) => ending,
    };
    if let Some(fault) = speaking::last_word(&ending) {
        tokio::time::timeout(pace.heartbeat, tx.send(Frame::Refused(fault)))
            .await
            .ok();
    }
    end.send_replace(Some(ending));
    calls.abandon();
}

#[cfg(test)]
mod tests;
