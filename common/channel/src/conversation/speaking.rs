//! What goes out on the control lane, and the handles through which it is said.

use super::{
    CallError, Caller, Calls, Ending, Incoming, MAX_BODY_BYTES, Pace, ReplyTo, Request, Waiting,
};
use crate::error::LaneError;
use crate::link::LaneTx;
use bytes::Bytes;
use model::{Class, Fault, codes};
use protocol::call::CallId;
use protocol::{Answer, Call, Frame, Note};
use serde::Serialize;
use std::sync::PoisonError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Sends what is to be sent, and a sign of life in every interval.
pub(super) async fn run(tx: &LaneTx, mut to_send: mpsc::Receiver<Frame>, pace: Pace) -> Ending {
    let mut beat = interval(pace.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let frame = tokio::select! {
            _ = beat.tick() => Frame::Heartbeat,
            Some(frame) = to_send.recv() => frame,
        };
        match timeout(pace.dead_after, tx.send(frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return lost(error, pace).await,
            Err(_) => return Ending::Silent(pace.dead_after),
        }
    }
}

/// The receiving half knows better why the lane is over, and may still have the peer's last word before it: it goes first.
async fn lost(error: LaneError, pace: Pace) -> Ending {
    sleep(pace.dead_after).await;
    error.into()
}

/// What the peer is to be told at the end.
pub(super) fn last_word(ending: &Ending) -> Option<Fault> {
    match ending {
        Ending::Refused(fault) => Some(fault.clone()),
        Ending::Lane(error @ LaneError::Violation(_)) => Some(error.clone().into()),
        Ending::Neglected(_) => Some(ending.clone().into()),
        _ => None,
    }
}

/// The JSON form, if it fits into a frame.
pub(super) fn body(value: &impl Serialize) -> Result<Bytes, Fault> {
    let hint = "this is a mistake in Passage: please report it with the log of both agents";
    let bug = |message| Fault::new(codes::BUG, Class::Bug, message, hint);
    let bytes = serde_json::to_vec(value)
        .map_err(|error| bug(format!("a message has no JSON form: {error}")))?;
    if bytes.len() > MAX_BODY_BYTES {
        let size = bytes.len();
        return Err(bug(format!(
            "a message of {size} bytes does not fit into a frame of {MAX_BODY_BYTES}"
        )));
    }
    Ok(bytes.into())
}

impl Calls {
    fn begin(&self, waiting: Waiting) -> Option<CallId> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.as_mut().map(|pending| pending.begin(waiting))
    }

    /// Takes what waits for a reply; `None` when its call was given up.
    pub(super) fn take(&self, id: CallId) -> Option<Waiting> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending
            .as_mut()
            .and_then(|pending| pending.handle_reply(id))
    }

    /// The conversation is over: every call ends, and none can begin.
    pub(super) fn abandon(&self) {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        for waiting in pending
            .into_iter()
            .flat_map(protocol::pending::PendingCalls::into_abandoned)
        {
            waiting.send(Err(CallError::Disconnected)).ok();
        }
    }
}

/// Takes a call off the list when nobody waits for it any more.
struct Held<'a> {
    calls: &'a Calls,
    id: CallId,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.calls.take(self.id);
    }
}

impl Caller {
    /// Asks the peer and waits for its answer, for as long as the peer lives. `traceparent` may be empty.
    ///
    /// # Errors
    /// The peer's refusal, or [`CallError::Disconnected`] when the conversation is over.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer, not the call: the peer may carry it out. Every call may be made again.
    pub async fn call(
        &self,
        call: &Call,
        traceparent: impl Into<String>,
    ) -> Result<Answer, CallError> {
        let body = body(call).map_err(CallError::Refused)?;
        let (waiting, answer) = oneshot::channel();
        let id = self.calls.begin(waiting).ok_or(CallError::Disconnected)?;
        let _held = Held {
            calls: &self.calls,
            id,
        };
        let frame = Frame::Call {
            id,
            traceparent: traceparent.into(),
            body,
        };
        self.outgoing
            .send(frame)
            .await
            .map_err(|_| CallError::Disconnected)?;
        answer.await.unwrap_or(Err(CallError::Disconnected))
    }

    /// Tells the peer something. Nothing is known of its arrival.
    ///
    /// # Errors
    /// [`CallError::Disconnected`] when the conversation is over; a refusal when the note is too large.
    ///
    /// # Cancel safety
    /// A note whose sending was dropped is not sent.
    pub async fn note(&self, note: &Note) -> Result<(), CallError> {
        let body = body(note).map_err(CallError::Refused)?;
        self.outgoing
            .send(Frame::Note(body))
            .await
            .map_err(|_| CallError::Disconnected)
    }

    /// Ends the conversation and tells the peer why. What was not sent yet is not sent.
    pub fn refuse(&self, fault: Fault) {
        self.refusal.try_send(fault).ok();
    }

    /// Waits until the conversation is over, and says why.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn ended(&self) -> Ending {
        let mut ended = self.ended.clone();
        let ending = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|ending| ending.clone());
        ending.unwrap_or(Ending::Left)
    }
}

impl Incoming {
    /// The next thing that the peer asks or tells; `None` once the conversation is over ([`Caller::ended`] says why).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Request> {
        self.requests.recv().await
    }
}

impl ReplyTo {
    pub(super) fn new(answer: oneshot::Sender<Result<Answer, Fault>>) -> Self {
        Self { answer }
    }

    /// Answers the call. If the conversation is over, the peer will ask again in the next.
    pub fn answer(self, answer: Result<Answer, Fault>) {
        self.answer.send(answer).ok();
    }
}
