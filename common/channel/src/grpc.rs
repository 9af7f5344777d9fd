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
//! Not here: connecting again (the caller's), the way through an HTTP proxy (see [`crate::proxy`]), and whether a peer is still trusted while its link lives (see [`crate::guarded`]).

mod accept;
mod dial;
mod lane;
mod listen;
mod service;

pub use dial::GrpcDialer;
pub use listen::GrpcListener;

/// What plain use of tonic is measured with beside the channel.
#[doc(hidden)]
pub mod plain {
    pub use super::{CONNECTION_WINDOW_BYTES, HTTP2_FRAME_BYTES, STREAM_WINDOW_BYTES};
}

use std::time::Duration;

/// The window of a lane: more than a receiver grants as credit, so that HTTP/2 is never what waits first.
pub const STREAM_WINDOW_BYTES: u32 = 16 << 20;

/// The window of a connection: that of all its lanes.
pub const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;

/// The largest frame of HTTP/2: smaller ones cost more CPU for each gigabyte, larger ones more memory on every lane.
pub const HTTP2_FRAME_BYTES: u32 = 256 << 10;

/// How often a connection is tried, and how soon it must answer: proxies and NATs forget connections on which nothing moves.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_LIMIT: Duration = Duration::from_secs(10);

const SESSION_KEY: &str = "passage-session";
const LANE_KEY: &str = "passage-lane";

#[cfg(test)]
mod tests;
