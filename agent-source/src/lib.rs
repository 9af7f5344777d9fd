//! The agent beside the source: reads, and never changes what it was not asked to.
//!
//! ```text
//!  source Milvus ─► reader ─┬─► (job/copy) ────────────────┬─► outbox ─► channel ─► …
//!  and its log         ▲    └─► (job/follow) ─► merging ───┘     │ confirmations
//!                   witness                              copying, following
//! ```
//! [`job`] carries out what was asked for, [`session`] keeps the link, [`jobs`] takes operators' words, [`agent`] holds what they
//! share. The reader and the outbox don't know each other: they meet in `job/copy` and `job/follow`.

mod agent;
mod app;
mod copying;
mod following;
mod job;
mod jobs;
mod merging;
mod outbox;
mod reader;
mod records;
mod session;
mod witness;

pub use app::serve;
