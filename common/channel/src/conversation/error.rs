//! How calls and conversations end otherwise than hoped.

use crate::error::LaneError;
use model::{Class, Fault, codes};
use std::time::Duration;

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The peer, or this side on its behalf, did not do what was asked.
    #[error("{0}")]
    Refused(Fault),
    /// The conversation ended before the answer came. The call may have been carried out; it may be made again in the next link.
    #[error("the link to the peer ended before it answered")]
    Disconnected,
}

impl CallError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(fault) => fault.class,
            Self::Disconnected => Class::Transient,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused(fault) => &fault.hint,
            Self::Disconnected => "the agents connect again by themselves",
        }
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(fault) => fault,
            CallError::Disconnected => Self::new(
                codes::PEER_UNREACHABLE,
                error.class(),
                error.to_string(),
                error.hint(),
            ),
        }
    }
}

/// Why a conversation is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// This side let go of it.
    #[error("this agent ended the session")]
    Left,
    /// The peer let go of it.
    #[error("the peer ended the session")]
    PeerLeft,
    /// This side said why it ends, and told the peer.
    #[error("this agent ended the session: {0}")]
    Refused(Fault),
    /// The peer said why it ends.
    #[error("the peer ended the session: {0}")]
    RefusedByPeer(Fault),
    /// The connection is gone, or the peer broke the protocol (and was told so).
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// Nothing came from the peer, or it took nothing, for this long.
    #[error("the peer gave no sign of life for {} s", .0.as_secs())]
    Silent(Duration),
    /// This side left a request untaken for this long.
    #[error("this agent did not take up a request for {} s", .0.as_secs())]
    Neglected(Duration),
}

impl Ending {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(fault) | Self::RefusedByPeer(fault) => fault.class,
            Self::Lane(error) => error.class(),
            Self::Neglected(_) => Class::Bug,
            Self::Left | Self::PeerLeft | Self::Silent(_) => Class::Transient,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Refused(fault) | Self::RefusedByPeer(fault) => fault.hint.clone(),
            Self::Lane(error) => error.hint(),
            Self::Silent(_) => {
                "look at the peer's machine and the network; the agents connect again by themselves"
                    .into()
            }
            Self::Left | Self::PeerLeft | Self::Neglected(_) => {
                "the agents connect again by themselves".into()
            }
        }
    }
}

impl From<Ending> for Fault {
    fn from(ending: Ending) -> Self {
        let code = match ending {
            Ending::Refused(fault) | Ending::RefusedByPeer(fault) => return fault,
            Ending::Lane(error) => return error.into(),
            Ending::Neglected(_) => codes::BUG,
            Ending::Left | Ending::PeerLeft | Ending::Silent(_) => codes::PEER_UNREACHABLE,
        };
        Self::new(code, ending.class(), ending.to_string(), ending.hint())
    }
}
