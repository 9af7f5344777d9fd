//! The channel over gRPC: HTTP/2 on our own TLS connections, one call of `Lane` for each lane.
//!
//! The control lane has a connection of its own, since lanes on one connection share its window and a stalled batch must not hold up a
//! sign of life. The data lanes are spread over a few others. All lanes of a session carry its id in their metadata, and must come
//! from the same certificate.
//!
//! ```text
//! dialler                                     listener
//!   TLS, connection for control ───────────────►  accept: bounded, limited in time
//!   Lane(session, 0) ──────────────────────────►  a session begins
//!   Hello ◄───────────────────────────────────►  Hello                (see handshake)
//!   TLS, connections for data ─────────────────►
//!   Lane(session, 1..=n) ──────────────────────►  complete: a Link on both sides
//! ```
//!
//! Not here: connecting again (the caller's), a proxy, and the renewal of a link's trust while it lives.

mod accept;
mod dial;
mod lane;
mod listen;
mod sessions;

pub use dial::GrpcDialer;
pub use listen::{GrpcListener, Refusal};

use std::time::Duration;

/// What may be set about the channel over gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrpcSettings {
    /// How many connections the data lanes are spread over; the dialling side's decides.
    pub data_connections: usize,
    /// How long all steps to a link may take together, from the connection to the last lane.
    pub link_limit: Duration,
    /// How long a stranger may take for the handshake of TLS.
    pub handshake_limit: Duration,
    /// How many strangers may be in that handshake at a time; one more, and the one that has been at it the longest is dropped.
    pub max_strangers: usize,
}

impl Default for GrpcSettings {
    fn default() -> Self {
        Self {
            data_connections: 2,
            link_limit: Duration::from_secs(20),
            handshake_limit: Duration::from_secs(10),
            max_strangers: 128,
        }
    }
}

/// The window of a lane: more than a receiver grants as credit, so that HTTP/2 is never what waits first.
const STREAM_WINDOW_BYTES: u32 = 16 << 20;

/// The window of a connection: that of all its lanes.
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;

/// The largest frame of HTTP/2: smaller ones cost more CPU for each gigabyte, larger ones more memory on every lane.
const HTTP2_FRAME_BYTES: u32 = 256 << 10;

/// How often a connection is tried, and how soon it must answer: proxies and NATs forget connections on which nothing moves.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_LIMIT: Duration = Duration::from_secs(10);

/// The most data lanes that a session may have.
const MAX_DATA_LANES: u32 = 64;

const SESSION_KEY: &str = "passage-session";
const LANE_KEY: &str = "passage-lane";

#[cfg(test)]
mod tests;
