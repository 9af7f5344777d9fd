//! The wall clock of an agent, set forward and back while it runs.
//!
//! The machine's own clock is nobody's to set here: a small library that is preloaded moves what the process is told. Servers are beyond
//! it, for Go asks the kernel itself.

use crate::agents::Agent;
use crate::{places, preload};
use anyhow::Result;
use std::fs::{File, OpenOptions};
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
        let folder = places::new_folder("clock")?;
        let told = folder.join("offset");
        let options = OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(&told)?;
        let clock = Self { offset: options };
        clock.set(0)?;
        let variables = [("PASSAGE_TESTS_CLOCK", told.as_path())];
        preload::load(agent, "clock", &folder, &variables).await?;
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
