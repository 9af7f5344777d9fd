//! Both ends of a conversation on one paused clock.

mod calls;
mod endings;

use super::{CallError, Caller, Ending, Incoming, MAX_BODY_BYTES, Pace, Request, start};
use crate::error::LaneError;
use crate::fixture::hello;
use crate::link::{Link, Transport};
use crate::memory::{Passing, Ruling, judged_pair};
use bytes::Bytes;
use model::{Class, Fault, JobName};
use protocol::{Answer, Call, Frame, Note, Role};
use std::time::Duration;
use tokio::time::Instant;

fn job() -> JobName {
    "sales".parse().unwrap()
}

fn question() -> Call {
    Call::RequestCancel(job())
}

fn news() -> Note {
    Note::Waiting {
        job: job(),
        cause: None,
    }
}

async fn links(judge: impl FnMut(Passing<'_>) -> Ruling + Send + 'static) -> (Link, Link) {
    let (near, far) = judged_pair(hello(Role::Source), hello(Role::Target), judge);
    let (near, far) = tokio::join!(near.next_link(), far.next_link());
    (near.unwrap(), far.unwrap())
}

struct Ends {
    source: (Caller, Incoming),
    target: (Caller, Incoming),
}

async fn conversation(judge: impl FnMut(Passing<'_>) -> Ruling + Send + 'static) -> Ends {
    let (near, far) = links(judge).await;
    Ends {
        source: start(near.control, Pace::default()),
        target: start(far.control, Pace::default()),
    }
}

/// Answers every call as done, until the end.
fn obliging(mut incoming: Incoming) {
    tokio::spawn(async move {
        while let Some(request) = incoming.recv().await {
            if let Request::Call { reply, .. } = request {
                reply.answer(Ok(Answer::Done));
            }
        }
    });
}

fn only_heartbeats_are_lost(passing: &Passing<'_>, from: Role) -> bool {
    passing.from == from && !matches!(passing.frame, Frame::Hello(_))
}
