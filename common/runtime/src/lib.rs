//! What both agents run on: journal, tasks, budget, backoff, configuration, telemetry.

pub mod config;
pub mod journal;

pub use config::{Config, Secret};
pub use journal::{DiskJournal, Journal, MemoryJournal};
