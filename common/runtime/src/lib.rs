//! What both agents run on: journal, tasks, budget, backoff, configuration, telemetry.
//!
//! Knows the nouns of `model` and nothing of Milvus, of the channel, or of how a migration goes.

pub mod backoff;
pub mod budget;
pub mod clock;
pub mod config;
pub mod journal;
pub mod notify;
pub mod rate;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;

pub use backoff::{Backoff, Jitter};
pub use budget::{Budget, Permit};
pub use config::{Config, Secret};
pub use journal::{DiskJournal, Journal, MemoryJournal};
pub use rate::RateLimit;
pub use shutdown::Shutdown;
pub use tasks::Tasks;
pub use telemetry::Telemetry;
