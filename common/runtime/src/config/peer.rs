//! Who a peer is: what its certificate must say.

use super::section::Section;
use super::values;
use std::fmt;
use std::str::FromStr;

/// An identity that a certificate proves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerId {
    /// A URI among the certificate's alternative names, such as `spiffe://acme.example/passage/source`.
    Spiffe(String),
    /// A DNS name among the certificate's alternative names; written `dns:agent.example`, in small letters.
    Dns(String),
    /// The SHA-256 of the certificate itself (DER); written `sha256:` and 64 hexadecimal digits, with or without colons.
    Fingerprint([u8; 32]),
}

/// Why a text is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be spiffe://<domain>/<path>, dns:<name> or sha256:<64 hexadecimal digits>, and is {given:?}"
)]
pub struct InvalidPeerId {
    given: String,
}

impl FromStr for PeerId {
    type Err = InvalidPeerId;

    fn from_str(text: &str) -> Result<Self, InvalidPeerId> {
        let found = if let Some(rest) = text.strip_prefix("spiffe://") {
            let named = rest
                .split_once('/')
                .is_some_and(|(domain, path)| !domain.is_empty() && !path.is_empty());
            (named
                && rest
                    .chars()
                    .all(|c| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '*')))
            .then(|| Self::Spiffe(text.to_owned()))
        } else if let Some(name) = text.strip_prefix("dns:") {
            let fits = !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
            fits.then(|| Self::Dns(name.to_ascii_lowercase()))
        } else {
            text.strip_prefix("sha256:")
                .and_then(fingerprint)
                .map(Self::Fingerprint)
        };
        found.ok_or_else(|| InvalidPeerId {
            given: text.to_owned(),
        })
    }
}

fn fingerprint(digits: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    if digits.len() == 64 {
        bytes.try_into().ok()
    } else {
        None
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spiffe(uri) => f.write_str(uri),
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Fingerprint(bytes) => {
                f.write_str("sha256:")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// A peer that may speak with this agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What it is called here, in logs and reports.
    pub name: String,
    /// What its certificate must prove.
    pub id: PeerId,
}

/// The peers under `key`: at least one, each named once.
pub(super) fn peers(section: &mut Section<'_>, key: &'static str) -> Vec<Peer> {
    let mut given = 0;
    let mut seen: Vec<Peer> = Vec::new();
    section.each(key, |peer| {
        given += 1;
        let name = peer.required("name", values::text);
        let id = peer.required("id", |text| {
            text.parse::<PeerId>().map_err(|error| error.to_string())
        });
        let peer_read = Peer {
            name: name?,
            id: id?,
        };
        if seen.iter().any(|other| other.name == peer_read.name) {
            peer.refuse("name", format!("{:?} stands twice", peer_read.name));
        }
        if seen.iter().any(|other| other.id == peer_read.id) {
            peer.refuse("id", format!("{} stands twice", peer_read.id));
        }
        seen.push(peer_read);
        Some(())
    });
    if given == 0 {
        section.refuse(key, "must name at least one peer; nobody else may connect");
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_as_it_is_written() {
        let digits = "0123456789abcdef".repeat(4);
        for text in [
            "spiffe://acme.example/passage/source",
            "dns:agent.example",
            &format!("sha256:{digits}"),
        ] {
            assert_eq!(text.parse::<PeerId>().unwrap().to_string(), *text);
        }
        let colons: Vec<_> = digits
            .to_uppercase()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8(pair.to_vec()).unwrap())
            .collect();
        assert_eq!(
            format!("sha256:{}", colons.join(":")).parse(),
            format!("sha256:{digits}").parse::<PeerId>()
        );
    }

    #[test]
    fn what_could_mean_more_than_one_peer_is_refused() {
        for text in [
            "*",
            "dns:*.example",
            "dns:",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a/*",
            "sha256:12",
            "agent.example",
        ] {
            assert!(text.parse::<PeerId>().is_err(), "{text}");
        }
    }
}
