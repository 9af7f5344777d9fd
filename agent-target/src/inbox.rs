//! One data lane's receiving end: frames in, parts out, credit and confirmations back.
//!
//! Invariants:
//! - what is in memory is at most what was granted, plus one part;
//! - credit for a part is granted again only when it has left the memory, whatever became of it;
//! - a frame that breaks the protocol ends the lane, and nothing of its part is written.
//!
//! The inbox knows nothing of Milvus: what becomes of a part is the business of the [`Deliver`] that it is given.

use channel::{Lane, LaneError};
use model::{Batch, Class, Fault, codes};
use protocol::credit::Grants;
use protocol::parcel::{Assembly, ParcelError};
use protocol::{Confirm, Frame, PartHead, Place};
use runtime::telemetry::metric_names::{CHANNEL_RECEIVED, INBOX_HELD};
use std::future::Future;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The most bytes of one part: more than any answer of Milvus holds (64 MiB to 100 MiB).
const MAX_BATCH_BYTES: u64 = 128 << 20;

/// Why a lane ended, other than by its peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboxError {
    /// The channel broke.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The peer's frames make no batch.
    #[error(transparent)]
    Parcel(#[from] ParcelError),
    /// A frame that has no place here.
    #[error("a frame arrived that has no place on a data lane")]
    Unexpected,
}

impl InboxError {
    /// As it is told to the peer and to the operator.
    pub(crate) fn into_fault(self) -> Fault {
        let code = match self {
            Self::Lane(_) => codes::PEER_UNREACHABLE,
            Self::Parcel(_) | Self::Unexpected => codes::PROTOCOL_VIOLATION,
        };
        Fault::new(
            code,
            Class::Transient,
            self.to_string(),
            "the session is begun anew; if this repeats, look at the network and at both releases",
        )
    }
}

/// What a lane does with the parts of batches and steps that arrive on it, in the order in which they do.
pub(crate) trait Deliver: Send {
    /// Takes a part. The future delivers it, beside others, and gives the confirmation to send if that made the whole durable. It
    /// ends early, without effect on the journal, when the session ends.
    fn deliver(
        &mut self,
        place: Place,
        part: Batch,
    ) -> impl Future<Output = Option<Confirm>> + Send + 'static;
}

/// Runs a lane until its peer ends it or the session is over; then waits for what was delivered to come to its end.
pub(crate) async fn run(
    mut lane: Lane,
    room_bytes: u64,
    deliver: impl Deliver,
    over: CancellationToken,
) -> Result<(), InboxError> {
    let mut work = JoinSet::new();
    let outcome = tokio::select! {
        outcome = receive(&mut lane, Grants::new(room_bytes), deliver, &mut work) => outcome,
        () = over.cancelled() => Ok(()),
    };
    over.cancel();
    while let Some(delivered) = work.join_next().await {
        let freed = delivered.map_or(0, |(freed, _)| freed);
        metrics::gauge!(INBOX_HELD).decrement(freed as f64);
    }
    outcome
}

/// What came out of a delivery: the bytes that it frees, and the confirmation.
type Delivered = (u64, Option<Confirm>);

async fn receive(
    lane: &mut Lane,
    mut grants: Grants,
    mut deliver: impl Deliver,
    work: &mut JoinSet<Delivered>,
) -> Result<(), InboxError> {
    let mut arriving: Option<Arriving> = None;
    loop {
        if let Some(credit) = grants.poll_credit() {
            lane.tx.send(Frame::Credit(credit)).await?;
        }
        tokio::select! {
            frame = lane.rx.recv() => match frame? {
                None => return Ok(()),
                Some(frame) => arriving = handle_frame(frame, arriving)?,
            },
            Some(delivered) = work.join_next() => {
                let Ok((freed, confirm)) = delivered else { continue };
                grants.handle_freed(freed);
                metrics::gauge!(INBOX_HELD).decrement(freed as f64);
                if let Some(confirm) = confirm {
                    lane.tx.send(Frame::Confirm(confirm)).await?;
                }
            }
        }
        if let Some(arrived) = arriving.take_if(|arriving| arriving.assembly.is_complete()) {
            let freed = arrived.raw_bytes;
            metrics::gauge!(INBOX_HELD).increment(freed as f64);
            let (place, part) = arrived.assembly.into_batch(channel::codec::decode)?;
            let delivery = deliver.deliver(place, part);
            work.spawn(async move { (freed, delivery.await) });
        }
    }
}

/// A part of which the head has come.
struct Arriving {
    assembly: Assembly,
    raw_bytes: u64,
}

impl Arriving {
    fn begin(head: PartHead) -> Result<Self, ParcelError> {
        let raw_bytes = head.raw_bytes();
        Ok(Self {
            assembly: Assembly::begin(head, MAX_BATCH_BYTES)?,
            raw_bytes,
        })
    }
}

fn handle_frame(frame: Frame, arriving: Option<Arriving>) -> Result<Option<Arriving>, InboxError> {
    match (frame, arriving) {
        (Frame::Heartbeat, arriving) => Ok(arriving),
        (Frame::PartStart(head), None) => Ok(Some(Arriving::begin(head)?)),
        (Frame::Piece(piece), Some(mut arriving)) => {
            metrics::counter!(CHANNEL_RECEIVED).increment(piece.size_bytes() as u64);
            arriving.assembly.handle_piece(piece)?;
            Ok(Some(arriving))
        }
        _ => Err(InboxError::Unexpected),
    }
}
