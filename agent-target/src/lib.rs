//! The agent beside the target: writes, and proves that what it wrote is what the source has.
//!
//! ```text
//!  … ─► channel ─► inbox ─► (pipeline) ─► writer ─► target Milvus
//!                    ▲          │                        │
//!             credit, confirm ledgers,                verifier
//!                             followings, drops
//! ```
//! [`answers`] does what the source asks, [`session`] keeps the link, [`jobs`] takes operators' words, [`agent`] holds what they share.
//! The inbox and the writer don't know each other: they meet in [`pipeline`].

mod agent;
mod answers;
mod app;
mod drops;
mod followings;
mod inbox;
mod jobs;
mod ledgers;
mod owners;
mod pipeline;
mod records;
mod session;
mod turns;
mod verifier;
mod writer;

pub use app::serve;
