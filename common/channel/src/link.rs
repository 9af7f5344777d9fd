//! A link and its lanes, whatever carries them.

use crate::error::{LaneError, LinkError};
use crate::tls::PeerIdentity;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use protocol::{Agreed, Frame};
use runtime::RateLimit;
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How many frames wait between a lane's user and its transport. More gains no speed, and every one may hold a megabyte.
pub(crate) const QUEUE_FRAMES: usize = 2;

/// A way to get links to the other agent, by dialling or by listening.
pub trait Transport: Send + Sync + fmt::Debug {
    /// The next link: a dialling transport dials once, a listening one waits until a peer has opened a complete set of lanes.
    ///
    /// The peer is authenticated and the protocol agreed on. A listening transport stays silent about peers that it refused:
    /// it tells them, logs it, and waits for the next.
    ///
    /// # Errors
    /// Why this attempt failed. The transport stays usable; when to try again is the caller's choice.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the attempt: a dialled peer sees its lanes end. A listener loses no link.
    fn next_link(&self) -> BoxFuture<'_, Result<Link, LinkError>>;
}

/// One session with an authenticated peer. Ends when its lanes are dropped.
#[derive(Debug)]
pub struct Link {
    /// Who the peer is, by its certificate.
    pub peer: PeerIdentity,
    /// What both sides may rely on.
    pub agreed: Agreed,
    /// Carries calls, notes and signs of life; see [`crate::conversation`].
    pub control: Lane,
    /// Carry batches; at least one, in the same order on both sides.
    pub data: Vec<Lane>,
}

/// Frames both ways, in order.
#[derive(Debug)]
pub struct Lane {
    /// To the peer.
    pub tx: LaneTx,
    /// From the peer.
    pub rx: LaneRx,
}

/// The way to the peer. The peer sees the lane's end when every clone is dropped and what they sent has arrived.
#[derive(Debug, Clone)]
pub struct LaneTx {
    frames: mpsc::Sender<Frame>,
    rate: Option<RateLimit>,
    _last: Option<Arc<DropGuard>>,
}

impl LaneTx {
    pub(crate) fn new(frames: mpsc::Sender<Frame>) -> Self {
        Self {
            frames,
            rate: None,
            _last: None,
        }
    }

    /// As [`LaneTx::new`], for a transport that must know when the last clone is dropped while it waits for something else: the
    /// token is cancelled then.
    pub(crate) fn watched(frames: mpsc::Sender<Frame>) -> (Self, CancellationToken) {
        let dropped = CancellationToken::new();
        let _last = Some(Arc::new(dropped.clone().drop_guard()));
        let rate = None;
        (
            Self {
                frames,
                rate,
                _last,
            },
            dropped,
        )
    }

    /// The same lane, whose batches are sent no faster than this; see [`crate::limited`].
    pub(crate) fn limited(self, rate: RateLimit) -> Self {
        Self {
            rate: Some(rate),
            ..self
        }
    }

    /// Hands a frame to the lane; waits while the peer is slow, and a piece of a batch while its rate is used up. Nothing is known of its
    /// arrival.
    ///
    /// # Errors
    /// [`LaneError::Lost`] when the lane is over; the receiving half knows why.
    ///
    /// # Cancel safety
    /// A frame whose sending was dropped is not sent, and the lane stays usable.
    pub async fn send(&self, frame: Frame) -> Result<(), LaneError> {
        let gone = |_| LaneError::Lost("the lane is over".into());
        if let (Some(rate), Frame::Piece(piece)) = (&self.rate, &frame) {
            rate.take(piece.size_bytes() as u64).await;
        }
        self.frames.send(frame).await.map_err(gone)
    }
}

/// The way from the peer.
pub struct LaneRx {
    frames: BoxStream<'static, Result<Frame, LaneError>>,
}

impl LaneRx {
    pub(crate) fn new(frames: BoxStream<'static, Result<Frame, LaneError>>) -> Self {
        Self { frames }
    }

    /// The next frame; `None` once the peer has ended the lane and every frame was taken.
    ///
    /// # Errors
    /// When the lane is lost, or the peer sent what is not a frame. Nothing more comes after an error.
    ///
    /// # Cancel safety
    /// Dropping the future loses no frame.
    pub async fn recv(&mut self) -> Result<Option<Frame>, LaneError> {
        self.frames.next().await.transpose()
    }
}

impl fmt::Debug for LaneRx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneRx").finish_non_exhaustive()
    }
}
