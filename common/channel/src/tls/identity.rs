//! Who a peer is, by its certificate, and who it may be, by the list.

use runtime::config::PeerId;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// The SHA-256 of a certificate's DER form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate, given in DER form.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate_der);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// What the rule that let the peer in calls it.
    pub name: String,
    /// The certificate's URIs.
    pub uris: Vec<String>,
    /// The certificate's DNS names, in lower case.
    pub dns_names: Vec<String>,
    /// The certificate itself.
    pub fingerprint: Fingerprint,
    /// When the certificate expires.
    pub not_after: SystemTime,
    /// What it showed.
    pub(crate) shown: Shown,
}

/// What a peer showed in its handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    /// Its certificate, and the intermediate ones behind it.
    pub(crate) chain: Arc<[CertificateDer<'static>]>,
    /// Whether it was the one that listens.
    pub(crate) listens: bool,
}

impl PeerIdentity {
    /// Whether this is the peer that a rule means.
    #[must_use]
    pub fn is(&self, id: &PeerId) -> bool {
        match id {
            PeerId::Spiffe(uri) => self.uris.contains(uri),
            PeerId::Dns(name) => self
                .dns_names
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name)),
            PeerId::Fingerprint(bytes) => self.fingerprint.0 == *bytes,
        }
    }

    /// Every way in which a rule could name this peer, as it would be written there.
    #[must_use]
    pub fn ids(&self) -> Vec<PeerId> {
        let uris = self.uris.iter().cloned().map(PeerId::Spiffe);
        let names = self.dns_names.iter().cloned().map(PeerId::Dns);
        uris.chain(names)
            .chain([PeerId::Fingerprint(self.fingerprint.0)])
            .collect()
    }
}
