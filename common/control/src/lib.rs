//! The operator's side of both agents: the admin API, and the command line that speaks it.
//!
//! Both agents have the same one: `agent-source job list` and `agent-target job list` differ in their name and nothing else. So
//! it is a room of its own rather than a module in each agent, which would be two ways to do one thing; an agent adds its
//! [`Jobs`] and a function that serves, and is a program with [`run`].
//!
//! Invariants:
//! - **One language.** What the command line can do, another program can do over the API, and sees the same codes.
//! - **The operator alone.** The API is served on a unix socket that only the agent's user can open, or with certificates on both
//!   sides; there is no third way.
//! - **Nothing made up.** A rate is measured over the last seconds, a remaining time stands only where the rows were counted; what
//!   is not known is shown as unknown.
//! - **No values.** Differences are named by key and field. No row's value and no secret is in any output.
//! - Generated types stand in no public signature.
//!
//! Not here: what a job does (the agents), how configuration is read (`runtime`), what a certificate must hold (`channel`).

mod address;
mod attend;
mod board;
mod cli;
mod client;
#[cfg(test)]
mod fake;
mod jobs;
mod program;
#[cfg(test)]
mod sample;
mod server;
mod wire;

pub use address::{Address, InvalidAddress};
pub use attend::{attend, invalid_environment};
pub use board::{Board, not_found, paused};
pub use cli::run;
pub use client::{Client, Operator};
pub use jobs::Jobs;
pub use program::Program;
pub use server::{Listener, Operators, serve_admin};
