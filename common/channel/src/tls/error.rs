//! Why two agents did not trust each other.

use model::{Class, codes};
use runtime::config::PeerId;

/// Why a TLS handshake failed, from where this agent stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The peer's certificate is valid, and no rule names it.
    #[error("the peer is not on this agent's list; its certificate says: {}", list(.ids))]
    NotAllowed {
        /// Who it is.
        ids: Vec<PeerId>,
    },
    /// The peer's certificate was signed by another CA.
    #[error("the peer's certificate was not signed by this agent's peer_ca; it says: {}", list(.ids))]
    OtherAuthority {
        /// Who it claims to be.
        ids: Vec<PeerId>,
    },
    /// The peer's certificate is out of its time.
    #[error("the peer's certificate {when}; it says: {}", list(.ids))]
    Expired {
        /// "expired …" or "is not valid before …".
        when: String,
        /// Who it was.
        ids: Vec<PeerId>,
    },
    /// The peer's CA has revoked its certificate.
    #[error("the peer's certificate was revoked; it says: {}", list(.ids))]
    Revoked {
        /// Who it was.
        ids: Vec<PeerId>,
    },
    /// The peer's certificate is not fit for another cause.
    #[error("the peer's certificate is not accepted: {0}")]
    Unfit(String),
    /// The peer showed no certificate.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// What the peer speaks is not TLS.
    #[error("the peer does not speak TLS")]
    Plaintext,
    /// The peer speaks no TLS 1.3.
    #[error("the peer speaks no TLS 1.3, and nothing older is accepted")]
    OldVersion,
    /// The peer speaks TLS 1.3, and not what Passage speaks above it.
    #[error("the peer speaks another protocol than Passage's above TLS")]
    OtherProtocol,
    /// The peer did not accept our certificate.
    #[error("the peer refused this agent's certificate: {verdict}; the certificate says: {}", list(.ours))]
    RefusedByPeer {
        /// What the peer says.
        verdict: Verdict,
        /// Who we claimed to be.
        ours: Vec<PeerId>,
    },
    /// The connection ended before either side could judge the other.
    #[error("the connection was lost in the TLS handshake: {0}")]
    Lost(String),
    /// Anything else.
    #[error("the TLS handshake failed: {0}")]
    Other(String),
}

/// What a peer says of our certificate. TLS leaves it no more than one word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// It is valid, and no rule of the peer names it.
    #[error("it is not on the peer's list")]
    NotAllowed,
    /// The peer does not know the CA that signed it.
    #[error("the peer's peer_ca did not sign it")]
    OtherAuthority,
    /// A list of the peer's has it as revoked.
    #[error("it was revoked")]
    Revoked,
    /// It is out of its time, by the peer's clock.
    #[error("it has expired, or is not valid yet")]
    Expired,
    /// Another word.
    #[error("{0}")]
    Other(String),
}

fn list(ids: &[PeerId]) -> String {
    let ids: Vec<String> = ids.iter().map(PeerId::to_string).collect();
    if ids.is_empty() {
        "nothing readable".into()
    } else {
        ids.join(", ")
    }
}

impl TlsError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. }
            | Self::RefusedByPeer {
                verdict: Verdict::NotAllowed,
                ..
            } => codes::PEER_NOT_ALLOWED,
            Self::Expired { .. }
            | Self::RefusedByPeer {
                verdict: Verdict::Expired,
                ..
            } => codes::CERTIFICATE_EXPIRED,
            Self::Revoked { .. }
            | Self::RefusedByPeer {
                verdict: Verdict::Revoked,
                ..
            } => codes::CERTIFICATE_REVOKED,
            Self::Unfit(_) => codes::CERTIFICATE_INVALID,
            Self::Lost(_) => codes::PEER_UNREACHABLE,
            _ => codes::PEER_UNTRUSTED,
        }
    }

    /// Whose turn it is: trust is always an operator's matter, a lost connection is nobody's.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Lost(_) => Class::Transient,
            _ => Class::Operator,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotAllowed { ids } => match ids.first() {
                Some(id) => format!("if this peer is meant, add to channel.peers: {{ name: <name>, id: \"{id}\" }} (for the admin API, to admin.peers)"),
                None => "give the peer a certificate with a SPIFFE URI or DNS name".into(),
            },
            Self::OtherAuthority { .. } => "set channel.tls.peer_ca (for the admin API, admin.tls.peer_ca) to the CA that signed the peer's certificate".into(),
            Self::Expired { .. } => "renew the peer's certificate, and compare the clocks of both machines".into(),
            Self::Revoked { .. } => "give the peer a new certificate; who revoked this one says why".into(),
            Self::Unfit(_) => "make the peer's certificate anew: X.509 v3, for client and server authentication".into(),
            Self::NoCertificate => "set channel.tls.cert and channel.tls.key on the peer".into(),
            Self::Plaintext | Self::OldVersion => {
                "only a Passage agent with the same channel.transport belongs on this port; look for a proxy in between that ends TLS".into()
            }
            Self::OtherProtocol => {
                "install the same release of Passage on both sides, and make sure that nothing else answers on this port".into()
            }
            Self::RefusedByPeer { verdict, ours } => refused_hint(verdict, ours),
            Self::Lost(_) => {
                "if it goes on, see whether something else answers in the peer's place: a relay or balancer whose agent is not running".into()
            }
            Self::Other(_) => "see the peer's log of the same moment".into(),
        }
    }
}

fn refused_hint(verdict: &Verdict, ours: &[PeerId]) -> String {
    match (verdict, ours.first()) {
        (Verdict::NotAllowed, Some(id)) => {
            format!("ask the peer's operator to add to channel.peers: {{ name: <name>, id: \"{id}\" }}")
        }
        (Verdict::OtherAuthority, _) => {
            "ask the peer's operator to set channel.tls.peer_ca to the CA that signed this agent's certificate".into()
        }
        (Verdict::Revoked, _) => "give this agent a new certificate; who revoked this one says why".into(),
        (Verdict::Expired, _) => "renew this agent's certificate, and compare the clocks of both machines".into(),
        _ => "see the peer's log of the same moment".into(),
    }
}
