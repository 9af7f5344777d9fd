//! One direction of a lane, under the judge's eyes.

use super::{Judge, Passing, Ruling};
use crate::error::LaneError;
use crate::link::{LaneRx, LaneTx, QUEUE_FRAMES};
use futures::stream::{self, StreamExt};
use protocol::{Frame, Role};
use std::sync::PoisonError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Which direction of which lane.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) link: u64,
    pub(super) lane: usize,
    pub(super) from: Role,
}

/// One direction of a lane.
pub(super) fn pipe(mark: Mark, judge: Judge, cut: CancellationToken) -> (LaneTx, LaneRx) {
    let (tx, sent) = mpsc::channel(QUEUE_FRAMES);
    let (passed, rx) = mpsc::channel(QUEUE_FRAMES);
    tokio::spawn(carry(mark, judge, cut.clone(), sent, passed));
    let frames = stream::unfold(Some((rx, cut)), async |state| {
        let (mut rx, cut) = state?;
        let next = tokio::select! {
            biased;
            () = cut.cancelled() => return Some((Err(LaneError::Lost("the link was cut".into())), None)),
            next = rx.recv() => next,
        };
        next.map(|frame| (Ok(frame), Some((rx, cut))))
    });
    (LaneTx::new(tx), LaneRx::new(frames.boxed()))
}

async fn carry(
    mark: Mark,
    judge: Judge,
    cut: CancellationToken,
    mut sent: mpsc::Receiver<Frame>,
    passed: mpsc::Sender<Frame>,
) {
    let Mark { link, lane, from } = mark;
    let carry = async {
        let mut number = 0;
        while let Some(frame) = sent.recv().await {
            number += 1;
            let passing = Passing {
                link,
                lane,
                from,
                number,
                frame: &frame,
            };
            let ruling = judge.lock().unwrap_or_else(PoisonError::into_inner)(passing);
            match ruling {
                Ruling::Pass => {
                    if passed.send(frame).await.is_err() {
                        return;
                    }
                }
                Ruling::Lose => {}
                Ruling::Cut => return cut.cancel(),
            }
        }
    };
    tokio::select! {
        () = cut.cancelled() => {}
        () = passed.closed() => {}
        () = carry => {}
    }
}
