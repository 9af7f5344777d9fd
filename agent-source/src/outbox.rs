//! The sending end of the data lanes: batches and steps out as far as the credit goes, confirmations in.
//!
//! Invariants:
//! - a parcel that is handed over is sent whole, or given up, or the session ends: its parts follow each other on one lane, with nothing of
//!   another parcel between them;
//! - a lane takes a parcel only while it has credit, and a part is sent only while there is some left: a slow target stops the
//!   readers, a slow lane leaves the next parcel to the others, and nothing piles up here;
//! - the lane is read at all times, so that credit and confirmations are never stuck behind a parcel.

mod parts;

use channel::{Lane, LaneError, LaneRx, LaneTx};
use milvus::ColumnError;
use model::Batch;
use parts::parts;
use protocol::credit::Window;
use protocol::parcel::pack;
use protocol::{Confirm, Frame, Place, Whole};
use runtime::budget::Permit;
use runtime::telemetry::metric_names::{CHANNEL_CREDIT_WAIT, CHANNEL_SENT};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, mpsc};

/// A batch or a step that is sent. Its memory is given back when it is.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// What it holds: one portion at least.
    pub(crate) portions: Portions,
    /// Its share of this agent's memory, if it has rows.
    pub(crate) permit: Option<Permit>,
}

/// The portions of a parcel.
#[derive(Debug)]
pub(crate) enum Portions {
    /// All of them.
    Ready(Vec<Portion>),
    /// As they are read, each with whether it is the last. If none follows one that is not, the parcel was given up, and its receiver
    /// takes it for none.
    Coming(mpsc::Receiver<(Portion, bool)>),
}

/// Rows of a parcel that belong together. Cut into parts where they are many.
#[derive(Debug)]
pub(crate) struct Portion {
    /// What it is a part of.
    pub(crate) whole: Whole,
    /// The partition, where partitions are addressed.
    pub(crate) partition: Option<String>,
    /// The rows.
    pub(crate) rows: Batch,
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
    /// Rows that can't be cut.
    #[error(transparent)]
    Column(#[from] ColumnError),
}

/// The session is over: nothing more can be sent.
#[derive(Debug, thiserror::Error)]
#[error("the link to the target is gone")]
pub(crate) struct Closed;

/// The data lanes of a session.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(mpsc::Sender<Parcel>);

/// What the lanes of a session take their parcels from, each the next when it has room for one.
#[derive(Debug, Clone)]
pub(crate) struct Queue(Arc<tokio::sync::Mutex<mpsc::Receiver<Parcel>>>);

impl Outbox {
    /// An outbox, and the queue for [`run_lane`].
    pub(crate) fn new() -> (Self, Queue) {
        let (parcels, queue) = mpsc::channel(1);
        (
            Self(parcels),
            Queue(Arc::new(tokio::sync::Mutex::new(queue))),
        )
    }

    /// Hands over a parcel.
    ///
    /// # Cancel safety
    /// When dropped, nothing of the parcel is sent.
    pub(crate) async fn send(&self, parcel: Parcel) -> Result<(), Closed> {
        self.0.send(parcel).await.map_err(|_| Closed)
    }
}

/// Runs a lane until it breaks, its peer ends it, or nothing can come any more from the queue.
pub(crate) async fn run_lane(
    lane: Lane,
    queue: Queue,
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

async fn send(lane: LaneTx, credit: &Credit, queue: Queue) -> Result<(), OutboxError> {
    loop {
        let waited = Instant::now();
        credit.wait_open().await;
        metrics::histogram!(CHANNEL_CREDIT_WAIT).record(waited.elapsed());
        let next = queue.0.lock().await.recv().await;
        match next {
            Some(parcel) => send_parcel(&lane, credit, parcel).await?,
            None => return Ok(()),
        }
    }
}

async fn send_parcel(lane: &LaneTx, credit: &Credit, parcel: Parcel) -> Result<(), OutboxError> {
    let mut sent = 0;
    match parcel.portions {
        Portions::Ready(portions) => {
            let mut portions = portions.into_iter().peekable();
            while let Some(portion) = portions.next() {
                let is_last = portions.peek().is_none();
                send_portion(lane, credit, portion, is_last, &mut sent).await?;
            }
        }
        Portions::Coming(mut portions) => {
            while let Some((portion, is_last)) = portions.recv().await {
                send_portion(lane, credit, portion, is_last, &mut sent).await?;
            }
        }
    }
    drop(parcel.permit);
    Ok(())
}

async fn send_portion(
    lane: &LaneTx,
    credit: &Credit,
    portion: Portion,
    is_last: bool,
    sent: &mut u32,
) -> Result<(), OutboxError> {
    let mut parts = parts(&portion.rows);
    while let Some(part) = parts.next().transpose()? {
        let place = Place {
            whole: portion.whole.clone(),
            partition: portion.partition.clone(),
            part: *sent,
            is_last_part: is_last && parts.len() == 0,
        };
        send_part(lane, credit, place, part).await?;
        *sent += 1;
    }
    Ok(())
}

async fn send_part(
    lane: &LaneTx,
    credit: &Credit,
    place: Place,
    part: Batch,
) -> Result<(), OutboxError> {
    let raw_bytes = part.size_bytes() as u64;
    let frames = pack(place, part, channel::codec::encode);
    credit.wait_open().await;
    credit.with(|window| window.spend(raw_bytes));
    for frame in frames {
        if let Frame::Piece(piece) = &frame {
            metrics::counter!(CHANNEL_SENT).increment(piece.size_bytes() as u64);
        }
        lane.send(frame).await?;
    }
    Ok(())
}
