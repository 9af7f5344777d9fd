//! What the listening sides of all transports share: strangers at the door, refusals, and sessions on their way to a link.
//!
//! Whatever a stranger does ends within a limit, and only so many are looked at. When one more comes, the one that has been at
//! it the longest goes: a peer that is what it says is through in a few round trips, so that a crowd which never finishes does
//! not keep it out.

mod sessions;
mod telling;

pub(crate) use sessions::{LaneAt, SessionId, Sessions, Unwelcome};

use crate::error::LinkError;
use crate::tls::PeerIdentity;
use model::Fault;
use runtime::telemetry::metric_names::CHANNEL_REFUSED;
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use telling::Telling;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The most data lanes that a session may have.
pub(crate) const MAX_DATA_LANES: u32 = 64;

/// How many refusals are kept for those who look at them late.
const REFUSALS_KEPT: usize = 64;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Arc<PeerIdentity>,
    pub(crate) address: Option<SocketAddr>,
}

/// A peer, or a stranger, that was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where it came from.
    pub address: Option<SocketAddr>,
    /// Why.
    pub fault: Fault,
}

/// Where refusals are told. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Refusals {
    sender: broadcast::Sender<Refusal>,
    telling: Arc<Mutex<Telling>>,
}

impl Refusals {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(REFUSALS_KEPT),
            telling: Arc::default(),
        }
    }

    /// Counts and tells a refusal, and logs it unless there are too many.
    pub(crate) fn note(&self, address: impl Into<Option<SocketAddr>>, error: LinkError) {
        let refusal = Refusal {
            address: address.into(),
            fault: error.into(),
        };
        let Fault {
            code,
            message,
            hint,
            ..
        } = &refusal.fault;
        metrics::counter!(CHANNEL_REFUSED, "code" => code.clone()).increment(1);
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(untold) = telling.handle_refusal(code, Instant::now()) {
            tracing::warn!(address = ?refusal.address, code, hint, untold, "a peer was refused: {message}");
        }
        drop(telling);
        self.sender.send(refusal).ok();
    }

    /// Who is refused from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Refusal> {
        self.sender.subscribe()
    }
}

/// The strangers that are looked at, the one that has been at it the longest first.
#[derive(Debug)]
pub(crate) struct Crowd {
    most: usize,
    refusals: Refusals,
    strangers: VecDeque<(SocketAddr, AbortHandle)>,
}

impl Crowd {
    pub(crate) fn new(most: usize, refusals: Refusals) -> Self {
        Self {
            most,
            refusals,
            strangers: VecDeque::new(),
        }
    }

    /// How many are in it.
    pub(crate) fn len(&mut self) -> usize {
        self.strangers.retain(|(_, meeting)| !meeting.is_finished());
        self.strangers.len()
    }

    /// Looks at one more; where there is no room, at the oldest no longer.
    pub(crate) fn admit(
        &mut self,
        address: SocketAddr,
        meeting: impl Future<Output = ()> + Send + 'static,
    ) {
        if self.len() >= self.most
            && let Some((oldest, meeting)) = self.strangers.pop_front()
        {
            meeting.abort();
            self.refusals
                .note(oldest, LinkError::Crowded { most: self.most });
        }
        let meeting = tokio::spawn(meeting).abort_handle();
        self.strangers.push_back((address, meeting));
    }
}
