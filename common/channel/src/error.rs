//! What goes wrong on a lane, and on the way to a link.

use crate::proxy::ProxyError;
use crate::tls::TlsError;
use model::{Class, Fault, codes};
use std::time::Duration;

/// Why a lane carries nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// The connection is gone, or the other side let go of the lane.
    #[error("the lane to the peer is lost: {0}")]
    Lost(String),
    /// The peer sent what the protocol does not allow.
    #[error("the peer broke the protocol: {0}")]
    Violation(String),
    /// The peer was let in, and would not be now.
    #[error("the link is ended: {0}")]
    Distrusted(TlsError),
}

impl LaneError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Lost(_) => Class::Transient,
            Self::Violation(_) => Class::Bug,
            Self::Distrusted(error) => error.class(),
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Lost(_) => {
                "the agents connect again by themselves; if it happens often, look at the network between them".into()
            }
            Self::Violation(_) => {
                "install the same release of Passage on both sides, and make sure that nothing else speaks to this port".into()
            }
            Self::Distrusted(error) => error.hint(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Lost(_) => codes::PEER_UNREACHABLE,
            Self::Violation(_) => codes::PROTOCOL_VIOLATION,
            Self::Distrusted(error) => error.code(),
        }
    }
}

impl From<LaneError> for Fault {
    fn from(error: LaneError) -> Self {
        Self::new(error.code(), error.class(), error.to_string(), error.hint())
    }
}

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The peer's address can't be resolved or connected to.
    #[error("the peer at {address} can't be reached: {cause}")]
    Unreachable {
        /// The address, as it was configured.
        address: String,
        /// What the system says.
        cause: String,
    },
    /// There is no way through the HTTP proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Nothing answers by UDP: the peer does not run, or speaks gRPC, or UDP is blocked on the way. Which of them can't be told.
    #[error("nothing answers by UDP at {address} within {} s", limit.as_secs())]
    NoAnswer {
        /// The address, as it was configured.
        address: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A stranger was dropped: it took the longest of too many.
    #[error(
        "more than {most} strangers were in the handshake of TLS, and this one had taken the longest"
    )]
    Crowded {
        /// How many may be.
        most: usize,
    },
    /// The address to listen on can't be used.
    #[error("can't listen on {address}: {cause}")]
    Bind {
        /// The address, as it was configured.
        address: String,
        /// What the system says.
        cause: String,
    },
    /// The TLS handshake failed: one side does not trust the other.
    #[error("{peer}: {error}")]
    Tls {
        /// The peer's address.
        peer: String,
        /// Why.
        error: TlsError,
    },
    /// A step before the link's completion took too long.
    #[error("the peer did not finish within {} s: {step}", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        step: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// A lane broke before the link was complete.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The peer's first words are not acceptable to us; the peer was told.
    #[error("{}", .0.message)]
    Refused(Fault),
    /// The peer told us that ours are not acceptable to it.
    #[error("the peer refuses this agent: {}", .0.message)]
    RefusedByPeer(Fault),
    /// This transport was shut down.
    #[error("the channel is closed")]
    Closed,
}

impl LinkError {
    /// Whose turn it is. A link may be asked for again, later and later, whatever the class; an operator's turn is worth a louder log.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Crowded { .. }
            | Self::TimedOut { .. } => Class::Transient,
            Self::Proxy(error) => error.class(),
            Self::Bind { .. } => Class::Operator,
            Self::Tls { error, .. } => error.class(),
            Self::Lane(error) => error.class(),
            Self::Refused(fault) | Self::RefusedByPeer(fault) => fault.class,
            Self::Closed => Class::Permanent,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "check channel.dial, that the other agent runs with channel.listen on this port and the same channel.transport, and the firewalls between them".into()
            }
            Self::Proxy(error) => error.hint(),
            Self::NoAnswer { .. } => {
                "check channel.dial, that the other agent runs with channel.listen on this port and channel.transport: quic, and that the firewalls between them let UDP through both ways; where they do not, set channel.transport: grpc on both sides".into()
            }
            Self::Crowded { .. } => {
                "see who connects to this port; a peer that was meant dials again by itself".into()
            }
            Self::Bind { .. } => {
                "check channel.listen: the address must be this machine's and the port free".into()
            }
            Self::TimedOut { .. } => {
                "check that the peer is a Passage agent of the other role, and the network between them".into()
            }
            Self::Tls { error, .. } => error.hint(),
            Self::Lane(error) => error.hint(),
            Self::Refused(fault) | Self::RefusedByPeer(fault) => fault.hint.clone(),
            Self::Closed => String::new(),
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Crowded { .. }
            | Self::TimedOut { .. }
            | Self::Closed => codes::PEER_UNREACHABLE,
            Self::Proxy(error) => error.code(),
            Self::Bind { .. } => codes::CONFIG_INVALID,
            Self::Tls { error, .. } => error.code(),
            Self::Lane(error) => error.code(),
            Self::Refused(fault) | Self::RefusedByPeer(fault) => &fault.code,
        }
    }
}

impl From<LinkError> for Fault {
    fn from(error: LinkError) -> Self {
        Self::new(error.code(), error.class(), error.to_string(), error.hint())
    }
}
