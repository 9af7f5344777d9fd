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

mod reading;
mod speaking;

use crate::error::LaneError;
use crate::link::Lane;
use model::{Class, Fault, codes};
use protocol::frame::{Frame, MAX_FRAME_BYTES};
use protocol::pending::PendingCalls;
use protocol::{Answer, Call, Note};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

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

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The peer, or this side on its behalf, did not do what was asked.
    #[error("{0}")]
    Refused(Fault),
    /// The conversation ended before the answer came. The call may have been carried out; it may be made again in the next link.
    #[error("the link to the peer ended before it answered")]
    Disconnected,
}

impl CallError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(fault) => fault.class,
            Self::Disconnected => Class::Transient,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused(fault) => &fault.hint,
            Self::Disconnected => "the agents connect again by themselves",
        }
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(fault) => fault,
            CallError::Disconnected => Self::new(
                codes::PEER_UNREACHABLE,
                error.class(),
                error.to_string(),
                error.hint(),
            ),
        }
    }
}

/// Why a conversation is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// This side let go of it.
    #[error("this agent ended the session")]
    Left,
    /// The peer let go of it.
    #[error("the peer ended the session")]
    PeerLeft,
    /// This side said why it ends, and told the peer.
    #[error("this agent ended the session: {0}")]
    Refused(Fault),
    /// The peer said why it ends.
    #[error("the peer ended the session: {0}")]
    RefusedByPeer(Fault),
    /// The connection is gone, or the peer broke the protocol (and was told so).
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// Nothing came from the peer, or it took nothing, for this long.
    #[error("the peer gave no sign of life for {} s", .0.as_secs())]
    Silent(Duration),
    /// This side left a request untaken for this long.
    #[error("this agent did not take up a request for {} s", .0.as_secs())]
    Neglected(Duration),
}

impl Ending {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(fault) | Self::RefusedByPeer(fault) => fault.class,
            Self::Lane(error) => error.class(),
            Self::Neglected(_) => Class::Bug,
            Self::Left | Self::PeerLeft | Self::Silent(_) => Class::Transient,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused(fault) | Self::RefusedByPeer(fault) => &fault.hint,
            Self::Lane(error) => error.hint(),
            Self::Silent(_) => {
                "look at the peer's machine and the network; the agents connect again by themselves"
            }
            Self::Left | Self::PeerLeft | Self::Neglected(_) => {
                "the agents connect again by themselves"
            }
        }
    }
}

impl From<Ending> for Fault {
    fn from(ending: Ending) -> Self {
        let code = match ending {
            Ending::Refused(fault) | Ending::RefusedByPeer(fault) => return fault,
            Ending::Lane(error) => return error.into(),
            Ending::Neglected(_) => codes::BUG,
            Ending::Left | Ending::PeerLeft | Ending::Silent(_) => codes::PEER_UNREACHABLE,
        };
        Self::new(code, ending.class(), ending.to_string(), ending.hint())
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
