//! Who a peer is, by its certificate, and who it may be, by the list.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

/// The SHA-256 of a certificate's DER form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

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

/// How a rule names a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerId {
    /// A URI among the certificate's alternative names, compared as a whole.
    Spiffe(String),
    /// A DNS name among the certificate's alternative names; case does not count, and no wildcard is followed.
    Dns(String),
    /// This very certificate.
    Sha256(Fingerprint),
}

/// Why a text does not name a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} does not name a peer: write spiffe://<trust domain>/<path>, or a DNS name, or sha256:<64 hex digits>"
)]
pub struct InvalidPeerId {
    given: String,
}

impl FromStr for PeerId {
    type Err = InvalidPeerId;

    fn from_str(text: &str) -> Result<Self, InvalidPeerId> {
        let invalid = || InvalidPeerId {
            given: text.to_owned(),
        };
        if let Some(rest) = text.strip_prefix("spiffe://") {
            let domain = rest.split('/').next().unwrap_or_default();
            let blank = text.chars().any(|c| c.is_whitespace() || c.is_control());
            return if domain.is_empty() || blank {
                Err(invalid())
            } else {
                Ok(Self::Spiffe(text.to_owned()))
            };
        }
        if let Some(digits) = text.strip_prefix("sha256:") {
            return fingerprint(digits).map(Self::Sha256).ok_or_else(invalid);
        }
        if is_dns_name(text) {
            Ok(Self::Dns(text.to_ascii_lowercase()))
        } else {
            Err(invalid())
        }
    }
}

/// Reads hex digits, with or without colons between the bytes, as openssl prints them.
fn fingerprint(digits: &str) -> Option<Fingerprint> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| *digit != b':').collect();
    let mut bytes = [0u8; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(Fingerprint(bytes))
}

fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spiffe(uri) => f.write_str(uri),
            Self::Dns(name) => f.write_str(name),
            Self::Sha256(fingerprint) => write!(f, "sha256:{fingerprint}"),
        }
    }
}

/// One line of the list of peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRule {
    /// What the operator calls the peer: in logs, metrics and answers.
    pub name: String,
    /// Who it must be.
    pub id: PeerId,
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
            PeerId::Sha256(fingerprint) => self.fingerprint == *fingerprint,
        }
    }

    /// Every way in which a rule could name this peer, as it would be written there.
    #[must_use]
    pub fn ids(&self) -> Vec<PeerId> {
        let uris = self.uris.iter().cloned().map(PeerId::Spiffe);
        let names = self.dns_names.iter().cloned().map(PeerId::Dns);
        uris.chain(names)
            .chain([PeerId::Sha256(self.fingerprint)])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_is_written() {
        let pinned = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "spiffe://globex.example/passage/target",
            "agent.globex.example",
            &pinned,
        ] {
            assert_eq!(text.parse::<PeerId>().unwrap().to_string(), text);
        }
        assert_eq!(
            "A.Example".parse::<PeerId>().unwrap(),
            PeerId::Dns("a.example".into())
        );
        let colons = format!("sha256:{}0A", "0A:".repeat(31));
        assert_eq!(colons.parse::<PeerId>().unwrap().to_string(), pinned);
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for text in [
            "",
            "spiffe://",
            "spiffe:///x",
            "sha256:0a",
            "https://x.example",
            "*.example",
            "a b",
        ] {
            let refusal = text.parse::<PeerId>().unwrap_err().to_string();
            assert!(
                refusal.contains("spiffe://<trust domain>"),
                "{text}: {refusal}"
            );
        }
    }
}
