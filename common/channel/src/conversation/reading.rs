//! What comes in on the control lane.

use super::{CallError, Calls, Ending, MAX_UNANSWERED, Pace, ReplyTo, Request, speaking};
use crate::error::LaneError;
use crate::link::LaneRx;
use bytes::Bytes;
use model::{Class, Fault, codes};
use protocol::call::CallId;
use protocol::{Answer, Call, Frame};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// Hands out what the peer says.
pub(super) struct Reading {
    calls: Arc<Calls>,
    outgoing: mpsc::Sender<Frame>,
    requests: mpsc::Sender<Request>,
    unanswered: Arc<Semaphore>,
    pace: Pace,
}

impl Reading {
    pub(super) fn new(
        calls: Arc<Calls>,
        outgoing: mpsc::Sender<Frame>,
        requests: mpsc::Sender<Request>,
        pace: Pace,
    ) -> Self {
        Self {
            calls,
            outgoing,
            requests,
            unanswered: Arc::new(Semaphore::new(MAX_UNANSWERED)),
            pace,
        }
    }

    pub(super) fn calls(&self) -> Arc<Calls> {
        self.calls.clone()
    }

    /// Reads until the lane or the conversation is over.
    pub(super) async fn run(&self, mut rx: LaneRx) -> Ending {
        let left = self.requests.closed();
        tokio::pin!(left);
        loop {
            let next = tokio::select! {
                () = &mut left => return Ending::Left,
                next = timeout(self.pace.dead_after, rx.recv()) => next,
            };
            let handled = match next {
                Err(_) => Err(Ending::Silent(self.pace.dead_after)),
                Ok(Err(error)) => Err(error.into()),
                Ok(Ok(None)) => Err(Ending::PeerLeft),
                Ok(Ok(Some(frame))) => self.handle_frame(frame).await,
            };
            if let Err(ending) = handled {
                return ending;
            }
        }
    }

    async fn handle_frame(&self, frame: Frame) -> Result<(), Ending> {
        match frame {
            Frame::Heartbeat => Ok(()),
            Frame::Call {
                id,
                traceparent,
                body,
            } => self.handle_call(id, traceparent, &body).await,
            Frame::Reply { id, body } => self.handle_reply(id, body),
            Frame::Note(body) => self.hand_out(Request::Note(parse("note", &body)?)).await,
            Frame::Refused(fault) => Err(Ending::RefusedByPeer(fault)),
            Frame::Hello(_) => Err(violation("a second Hello".into())),
            Frame::PartStart(_) | Frame::Piece(_) | Frame::Credit(_) | Frame::Confirm(_) => {
                Err(violation("a batch's frame on the control lane".into()))
            }
        }
    }

    async fn handle_call(
        &self,
        id: CallId,
        traceparent: String,
        body: &Bytes,
    ) -> Result<(), Ending> {
        let call = Box::new(parse::<Call>("call", body)?);
        let too_many = |_| {
            violation(format!(
                "more than {MAX_UNANSWERED} calls wait for their answers"
            ))
        };
        let permit = self
            .unanswered
            .clone()
            .try_acquire_owned()
            .map_err(too_many)?;
        let (answer, answered) = oneshot::channel();
        // A task of its own: the lane must be read on even while it can't be written to, or two agents could wait for each other.
        tokio::spawn(reply(id, answered, self.outgoing.clone(), permit));
        self.hand_out(Request::Call {
            call,
            traceparent,
            reply: ReplyTo::new(answer),
        })
        .await
    }

    /// A reply to a call that was given up is dropped.
    fn handle_reply(&self, id: CallId, body: Result<Bytes, Fault>) -> Result<(), Ending> {
        let answer = match body {
            Ok(body) => Ok(parse::<Answer>("answer", &body)?),
            Err(fault) => Err(CallError::Refused(fault)),
        };
        if let Some(waiting) = self.calls.take(id) {
            waiting.send(answer).ok();
        }
        Ok(())
    }

    async fn hand_out(&self, request: Request) -> Result<(), Ending> {
        match timeout(self.pace.dead_after, self.requests.send(request)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Left),
            Err(_) => Err(Ending::Neglected(self.pace.dead_after)),
        }
    }
}

/// Sends the answer to one call when it is there, if there is still a conversation.
async fn reply(
    id: CallId,
    answered: oneshot::Receiver<Result<Answer, Fault>>,
    outgoing: mpsc::Sender<Frame>,
    _permit: OwnedSemaphorePermit,
) {
    let body = match answered.await {
        Ok(answer) => answer.and_then(|answer| speaking::body(&answer)),
        Err(_) => Err(unanswered()),
    };
    outgoing.send(Frame::Reply { id, body }).await.ok();
}

fn unanswered() -> Fault {
    let message = "the peer gave up a call without an answer";
    Fault::new(
        codes::BUG,
        Class::Transient,
        message,
        "the call is made again; if this repeats, see the peer's log",
    )
}

fn parse<T: DeserializeOwned>(what: &str, body: &Bytes) -> Result<T, Ending> {
    serde_json::from_slice(body)
        .map_err(|error| violation(format!("a {what} can't be read: {error}")))
}

fn violation(what: String) -> Ending {
    LaneError::Violation(what).into()
}
