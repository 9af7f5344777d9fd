//! Trust: TLS 1.3 with a certificate on both sides, and a list of the peers that may come in.
//!
//! Invariants:
//! - **Default deny.** A peer is let in if its certificate is valid, was signed by our CA for peers, and one rule of the list names
//!   it. There is no switch that turns any of this off.
//! - **The list names the peer, not the address.** The dialled host name plays no part: agents are dialled through NAT, proxies and
//!   bare addresses, so a name in the certificate would prove nothing that the list does not prove.
//! - **Every connection is judged anew**, by the certificates and the list of that moment: no session is resumed, no early data.

mod error;
mod identity;

pub use error::{TlsError, Verdict};
pub use identity::{Fingerprint, InvalidPeerId, PeerId, PeerIdentity, PeerRule};
