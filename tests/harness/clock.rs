//! The wall clock of an agent, set forward and back while it runs.
//!
//! The machine's own clock is nobody's to set here: a small library that is preloaded moves what the process is told. Servers are beyond
//! it, for Go asks the kernel itself.

use crate::agents::Agent;
use crate::preload;
use anyhow::Result;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The clock of one agent.
#[derive(Debug)]
pub struct Clock {
    offset: File,
}

impl Clock {
    /// A clock for an agent that is not started yet: at first, the machine's.
    ///
    /// # Errors
    /// When there is no C compiler, or it fails.
    pub async fn of(agent: &mut Agent) -> Result<Self> {
        let offset = preload::load(agent, "clock", &[]).await?;
        let clock = Self { offset };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it to so many seconds after the machine's clock, or before it.
    ///
    /// # Errors
    /// The file system's.
    pub fn set(&self, seconds: i64) -> Result<()> {
        Ok(self.offset.write_all_at(&seconds.to_ne_bytes(), 0)?)
    }
}
