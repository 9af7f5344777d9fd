//! What may be set about links, whatever carries them.

use std::time::Duration;

/// What may be set about links, whatever carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSettings {
    /// How many connections the data lanes are spread over; the dialling side's decides.
    pub data_connections: usize,
    /// How long all steps to a link may take together, from the connection to the last lane.
    pub link_limit: Duration,
    /// How long an HTTP proxy may take to open the way, from the connection to its answer.
    pub proxy_limit: Duration,
    /// How long the handshake of TLS may take of a stranger that comes.
    pub handshake_limit: Duration,
    /// How long it may take with a peer that is dialled over QUIC; until then nobody can say whether one is there.
    pub dial_limit: Duration,
    /// How many strangers may be in that handshake at a time; one more, and the one that has been at it the longest is dropped.
    pub max_strangers: usize,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            data_connections: 2,
            link_limit: Duration::from_secs(20),
            proxy_limit: Duration::from_secs(10),
            handshake_limit: Duration::from_secs(10),
            dial_limit: Duration::from_secs(5),
            max_strangers: 128,
        }
    }
}
