//! The mutually authenticated channel between two agents.
//!
//! A [`Transport`] gives [`Link`]s, by dialling or by listening, whatever the agents' roles, over gRPC ([`grpc`]) or QUIC ([`quic`]). A link is one session with one peer: a
//! control lane, on which [`conversation`] asks and answers, and data lanes, which carry batches one way and credit and
//! confirmations the other.
//!
//! Invariants:
//! - **No link without trust.** Whoever holds a [`Link`] knows that its peer's certificate and name were accepted ([`tls`]) and
//!   that both sides speak the same protocol. Once the peer would not be accepted any more, its link ends ([`guarded`]).
//! - **Bounded.** No frame beyond [`protocol::frame::MAX_FRAME_BYTES`] is read, none of more items than a collection has columns is
//!   decoded, no queue holds more than a few frames, no wait before
//!   a link is complete is without a limit, and strangers hold a bounded number of connections.
//! - **In order, at least once, or over.** A lane carries its frames in order until it is lost; it never skips one and goes on.
//! - **The generated types stay in.** Frames are parsed where they arrive; what is malformed never gets past [`LaneRx`].
//!
//! Not here: what a batch is made of and when it may be sent (the agents, by [`protocol`]), and any knowledge of Milvus.

pub mod certs;
pub mod codec;
mod configured;
pub mod conversation;
mod error;
pub mod grpc;
pub mod guarded;
mod handshake;
pub mod limited;
mod link;
mod listening;
pub mod memory;
pub mod proxy;
pub mod quic;
mod redial;
pub mod secure;
mod settings;
pub mod tcp;
pub mod tls;
mod wire;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use configured::{Channel, Terms, hello, open, trust};
pub use error::{LaneError, LinkError};
pub use link::{Lane, LaneRx, LaneTx, Link, Transport};
pub use listening::Refusal;
pub use redial::Redial;
pub use settings::LinkSettings;
#[doc(hidden)]
pub use wire::{decode, encode};
