//! The sending end of the data lanes: batches out as far as the credit goes, confirmations in.
//!
//! Invariants:
//! - a batch's frames follow each other on one lane, with no other batch's between them;
//! - a batch is begun only while credit is left, so a slow target stops the readers, and nothing piles up here;
//! - the lane is read at all times, so that credit and confirmations are never stuck behind a batch.

use channel::{Lane, LaneError, LaneRx, LaneTx};
use protocol::credit::Window;
use protocol::{Confirm, Frame};
use runtime::budget::Permit;
use runtime::telemetry::metric_names::{CHANNEL_CREDIT_WAIT, CHANNEL_SENT};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, mpsc};

/// A part of a batch, ready to be sent. Its memory is given back when it is sent.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// The frames, the head first.
    pub(crate) frames: Vec<Frame>,
    /// What it costs the receiver, in bytes.
    pub(crate) raw_bytes: u64,
    /// Its share of this agent's memory.
    pub(crate) permit: Option<Permit>,
}

/// Why a lane ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    /// The channel broke.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The peer ended the lane.
    #[error("the target ended a data lane")]
    Ended,
    /// A frame that has no place here.
    #[error("a frame arrived that has no place on a data lane")]
    Unexpected,
}

/// The session is over: nothing more can be sent.
#[derive(Debug, thiserror::Error)]
#[error("the link to the target is gone")]
pub(crate) struct Closed;

/// The data lanes of a session.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    lanes: Vec<mpsc::Sender<Parcel>>,
}

impl Outbox {
    /// An outbox of so many lanes, and for each lane the parcels that [`run_lane`] is to send.
    pub(crate) fn new(lanes: usize) -> (Self, Vec<mpsc::Receiver<Parcel>>) {
        let (lanes, queues) = (0..lanes).map(|_| mpsc::channel(1)).unzip();
        (Self { lanes }, queues)
    }

    /// Hands over a parcel, on the lane that this number falls to.
    ///
    /// # Cancel safety
    /// When dropped, the parcel is not sent.
    pub(crate) async fn send(&self, number: usize, parcel: Parcel) -> Result<(), Closed> {
        let lane = self
            .lanes
            .get(number % self.lanes.len().max(1))
            .ok_or(Closed)?;
        lane.send(parcel).await.map_err(|_| Closed)
    }
}

/// Runs a lane until it breaks, its peer ends it, or nothing can come any more from the queue.
pub(crate) async fn run_lane(
    lane: Lane,
    queue: mpsc::Receiver<Parcel>,
    confirmed: impl Fn(Confirm),
) -> Result<(), OutboxError> {
    let credit = Credit::default();
    tokio::select! {
        outcome = receive(lane.rx, &credit, confirmed) => outcome,
        outcome = send(lane.tx, &credit, queue) => outcome,
    }
}

/// The credit of a lane, given by one loop and spent by the other.
#[derive(Debug, Default)]
struct Credit {
    window: Mutex<Window>,
    opened: Notify,
}

impl Credit {
    fn with<T>(&self, act: impl FnOnce(&mut Window) -> T) -> T {
        act(&mut self.window.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn wait_open(&self) {
        while !self.with(|window| window.is_open()) {
            self.opened.notified().await;
        }
    }
}

async fn receive(
    mut lane: LaneRx,
    credit: &Credit,
    confirmed: impl Fn(Confirm),
) -> Result<(), OutboxError> {
    loop {
        match lane.recv().await?.ok_or(OutboxError::Ended)? {
            Frame::Credit(bytes) => {
                credit.with(|window| window.handle_credit(bytes));
                credit.opened.notify_one();
            }
            Frame::Confirm(confirm) => confirmed(confirm),
            Frame::Heartbeat => {}
            _ => return Err(OutboxError::Unexpected),
        }
    }
}

async fn send(
    lane: LaneTx,
    credit: &Credit,
    mut queue: mpsc::Receiver<Parcel>,
) -> Result<(), OutboxError> {
    loop {
        let waited = Instant::now();
        credit.wait_open().await;
        metrics::histogram!(CHANNEL_CREDIT_WAIT).record(waited.elapsed());
        let Some(Parcel {
            frames,
            raw_bytes,
            permit,
        }) = queue.recv().await
        else {
            return Ok(());
        };
        credit.with(|window| window.spend(raw_bytes));
        for frame in frames {
            if let Frame::Piece(piece) = &frame {
                metrics::counter!(CHANNEL_SENT).increment(piece.size_bytes() as u64);
            }
            lane.send(frame).await?;
        }
        drop(permit);
    }
}
