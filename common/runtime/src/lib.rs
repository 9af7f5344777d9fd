//! What both agents run on: journal, tasks, budget, backoff, configuration, telemetry.

pub mod journal;

pub use journal::{DiskJournal, Journal, MemoryJournal};
