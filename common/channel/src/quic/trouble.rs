//! What an error of QUIC means.

use crate::error::LaneError;
use crate::listening::Unwelcome;
use crate::tls::{Outcome, TlsError};
use quinn::{ConnectionError, ReadError, VarInt};
use rustls::AlertDescription;

/// A lane's user left before all was sent.
pub(super) const ABANDONED: VarInt = VarInt::from_u32(1);

/// TLS's alerts, among the codes of QUIC (RFC 9001, section 4.8).
const ALERTS: std::ops::Range<u64> = 0x100..0x200;

/// What the listener says of a lane that it does not take.
const UNWELCOME: [(Unwelcome, u32); 5] = [
    (Unwelcome::NoSession, 16),
    (Unwelcome::AnotherPeer, 17),
    (Unwelcome::SessionExists, 18),
    (Unwelcome::TooManyLanes, 19),
    (Unwelcome::TooManySessions, 20),
];

/// The code for a lane that is not taken.
pub(super) fn code(unwelcome: Unwelcome) -> VarInt {
    let found = UNWELCOME.iter().find(|(known, _)| *known == unwelcome);
    found.map_or(ABANDONED, |(_, code)| VarInt::from_u32(*code))
}

/// What a stream's end by such a code means.
fn words(code: VarInt) -> String {
    let found = UNWELCOME
        .iter()
        .find(|(_, known)| VarInt::from_u32(*known) == code);
    match found {
        Some((unwelcome, _)) => unwelcome.to_string(),
        None => "the peer gave the lane up".into(),
    }
}

/// Why nothing more can be read from a lane.
pub(super) fn lane_error(error: &ReadError) -> LaneError {
    LaneError::Lost(match error {
        ReadError::Reset(code) => words(*code),
        ReadError::ConnectionLost(error) => plain(error),
        other => other.to_string(),
    })
}

/// Why a connection ended, in a few words.
pub(super) fn plain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(_) => "the peer closed the connection".into(),
        ConnectionError::TimedOut => format!(
            "nothing came from the peer for {} s",
            super::IDLE_LIMIT_MILLIS / 1000
        ),
        ConnectionError::Reset => "the peer does not know the connection any more".into(),
        ConnectionError::LocallyClosed => "the connection was closed here".into(),
        other => other.to_string(),
    }
}

/// Where TLS is why a connection ended, what it says.
pub(super) fn of_tls(error: &ConnectionError, outcome: &Outcome) -> Option<TlsError> {
    if let Some(found) = outcome.refusal() {
        return Some(found);
    }
    match error {
        ConnectionError::TransportError(error) => {
            let alert = alert(error.code.into())?;
            Some(match alert {
                AlertDescription::CertificateRequired => TlsError::NoCertificate,
                AlertDescription::NoApplicationProtocol => TlsError::OtherProtocol,
                AlertDescription::ProtocolVersion => TlsError::OldVersion,
                _ => TlsError::Other(error.reason.clone()),
            })
        }
        ConnectionError::ConnectionClosed(close) => {
            Some(outcome.told(alert(close.error_code.into())?))
        }
        ConnectionError::VersionMismatch => Some(TlsError::OtherProtocol),
        _ => None,
    }
}

fn alert(code: u64) -> Option<AlertDescription> {
    let number = ALERTS.contains(&code).then(|| code - ALERTS.start)?;
    Some(AlertDescription::from(u8::try_from(number).ok()?))
}
