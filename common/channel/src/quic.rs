//! The channel over QUIC: each lane has streams of its own, so that a lost packet holds up one lane only.
//!
//! ```text
//! dialler                                     listener
//!   handshake, the first connection ───────────►  accept: bounded, limited in time
//!   stream: session, 0 ────────────────────────►  a session begins
//!   Hello ◄───────────────────────────────────►  Hello                (see handshake)
//!   handshakes, more connections ──────────────►
//!   streams: session, 1..=n ───────────────────►  complete: a Link on both sides
//! ```
//!
//! Frames, first words, trust and limits are those of the other transports. A data lane is [`DATA_STREAMS`] streams, opened one behind the
//! other, and the control lane is one. Each begins with the session's id (16 bytes) and the lane's number (4 bytes); then come frames in
//! both directions, each behind its length (4 bytes, the highest first): the first on the first stream, the next on the next, and so round
//! again. The end of a direction, where the next frame would be, is the end of its lane; a direction that is reset is lost.
//!
//! Invariants:
//! - **No lane holds up another.** A connection's window is that of all its lanes, and the control lane goes first.
//! - **Nothing is sent early.** No session of TLS is resumed, so that there is no 0-RTT.
//! - **Whoever leaves is gone.** A link that is dropped has [`FAREWELL_LIMIT`] to send what is left, then its connections end.
//!
//! Not here: connecting again (the caller's), and a proxy: UDP passes none.

mod dial;
mod lane;
mod listen;
mod socket;
mod trouble;

pub use dial::QuicDialer;
pub use listen::QuicListener;

/// What plain use of quinn is measured with beside the channel.
#[doc(hidden)]
pub mod plain {
    pub use super::socket::endpoint;
    pub use super::{DATA_STREAMS, transport_config};
}

use quinn::congestion::BbrConfig;
use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};
use std::sync::Arc;
use std::time::Duration;

/// What is spoken above TLS: the form of streams, and its version.
const ALPN: &[u8] = b"passage/1";

/// The window of a stream. quinn ends a connection in whose stream more than 1024 pieces are missing; a window of twice as many packets
/// can't have so many gaps. What one stream can't fill, several do.
const STREAM_WINDOW_BYTES: u32 = 2_900_000;

/// The streams of a data lane. At 1 Gbit/s, 50 ms and a loss of 1 %, four lanes of one stream each came to 0.67 of the line, of four to 0.95.
pub const DATA_STREAMS: u32 = 4;

/// How much of all lanes of a connection may be unacknowledged: a line of 1 Gbit/s and half a second is still filled.
const SEND_WINDOW_BYTES: u64 = 64 << 20;

/// An acknowledgement for so many packets spares a twentieth of the CPU or more, and no time.
const PACKETS_AN_ACK: u32 = 10;

/// How often a sign of life goes out, and after how long without any a connection is dead: NATs forget UDP within half a minute, and
/// a peer that was killed can't say so. What is sent over a cut line is sent again after waits that double: the longer a connection is
/// kept for the line's return, the later it notices that. Jobs are to go on within five seconds of it, so a new link is made first. The
/// conversation's own limit is longer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const IDLE_LIMIT_MILLIS: u32 = 6_000;

/// The first of such waits is three times this, before a connection has measured its line: a dial that meets a cut line says its first
/// words five times within its limit, the last time 2.4 s after the one before.
const GUESSED_ROUND_TRIP: Duration = Duration::from_millis(100);

/// How long a lane whose user has left may take to send what is left.
const FAREWELL_LIMIT: Duration = Duration::from_secs(10);

/// Control goes before data: streams of a higher priority are sent first.
fn priority(lane: u32) -> i32 {
    i32::from(lane == 0)
}

/// Of how many streams this lane is.
fn streams(lane: u32) -> u32 {
    if lane == 0 { 1 } else { DATA_STREAMS }
}

/// The streams of so many data lanes, and of control.
fn most_streams(data_lanes: u32) -> u32 {
    data_lanes.saturating_mul(DATA_STREAMS) + 1
}

/// What a connection is set to that may carry so many streams, of which the peer opens so many.
pub fn transport_config(streams: u32, peer_opens: u32) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(PACKETS_AN_ACK.into());
    config
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(VarInt::from_u32(
            STREAM_WINDOW_BYTES.saturating_mul(streams),
        ))
        .send_window(SEND_WINDOW_BYTES)
        // Frames are whole as soon as they can be.
        .send_fairness(false)
        .max_concurrent_bidi_streams(peer_opens.into())
        .max_concurrent_uni_streams(0u32.into())
        .datagram_receive_buffer_size(None)
        .initial_rtt(GUESSED_ROUND_TRIP)
        .keep_alive_interval(Some(KEEPALIVE_INTERVAL))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_LIMIT_MILLIS))))
        .ack_frequency_config(Some(acks))
        // Who chooses QUIC does so for a long or lossy line, and there the controller decides: at 1 Gbit/s, 50 ms and a loss of 0.1 to
        // 1 %, quinn's default (cubic) came to 1 to 14 MB/s and BBR to 78 to 105.
        .congestion_controller_factory(Arc::new(BbrConfig::default()));
    Arc::new(config)
}

#[cfg(test)]
mod tests;
