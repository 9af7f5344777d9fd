//! Trust: TLS 1.3 with a certificate on both sides, and a list of the peers that may come in.
//!
//! Invariants:
//! - **Default deny.** A peer is let in if its certificate is valid, was signed by our CA for peers, and one rule of the list names
//!   it. There is no switch that turns any of this off.
//! - **The list names the peer, not the address.** The dialled host name plays no part: agents are dialled through NAT, proxies and
//!   bare addresses, so a name in the certificate would prove nothing that the list does not prove.
//! - **Every connection is judged anew**, by the certificates and the list of that moment: no session is resumed, no early data.
//! - **Both sides learn why.** The side that refuses knows all, and tells the other as much as an alert of TLS can hold.

pub(crate) mod certificate;
mod credentials;
mod error;
mod handshake;
mod identity;
mod secured;
mod socket;
mod standing;
mod terms;
mod verify;

pub(crate) use credentials::pem_cause;
pub use credentials::{CredentialPaths, CredentialsError, Trust};
pub use error::{TlsError, Verdict};
pub(crate) use handshake::{accept, connect};
pub(crate) use identity::Shown;
pub use identity::{Fingerprint, PeerIdentity};
pub(crate) use secured::{Secured, Trouble};
pub(crate) use socket::{Socket, buffered};
pub(crate) use terms::{Outcome, dialling, listening};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use std::sync::Arc;

/// Names the cryptography for libraries that take the process's own: several are compiled in, and rustls panics where it would have to
/// choose. Each program does this first of all.
pub fn name_provider() {
    // Refused where one was named before: then there is nothing to do.
    let _ = default_provider().install_default();
}

/// The cryptography, named in full: a process may hold several providers, and none is to be taken by chance. AES-128 comes first
/// since it costs the least on every processor with AES.
fn provider() -> Arc<CryptoProvider> {
    let cipher_suites = vec![
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    Arc::new(CryptoProvider {
        cipher_suites,
        ..default_provider()
    })
}

#[cfg(test)]
mod tests;
