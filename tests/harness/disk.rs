//! The disk of an agent, filled up and barred while it runs: below one folder, for the agent alone. Milvus, which may write there too, is
//! not touched.

use crate::agents::Agent;
use crate::preload;
use anyhow::Result;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The disk of one agent.
#[derive(Debug)]
pub struct Disk {
    told: File,
}

impl Disk {
    /// What lies below this folder, for an agent that is not started yet: at first, with all the room that there is.
    ///
    /// # Errors
    /// When there is no C compiler, or it fails.
    pub async fn of(agent: &mut Agent, below: &Path) -> Result<Self> {
        let variables = [("PASSAGE_TESTS_DISK_BELOW", below)];
        let told = preload::load(agent, "disk", &variables).await?;
        let disk = Self { told };
        disk.leave_room(None)?;
        disk.bar(false)?;
        Ok(disk)
    }

    /// So many more bytes can be written, or as many as the machine's disk takes.
    ///
    /// # Errors
    /// The file system's.
    pub fn leave_room(&self, bytes: Option<u32>) -> Result<()> {
        let room = bytes.map_or(-1, i64::from);
        Ok(self.told.write_all_at(&room.to_ne_bytes(), 0)?)
    }

    /// Whether the agent may not open files.
    ///
    /// # Errors
    /// The file system's.
    pub fn bar(&self, is_barred: bool) -> Result<()> {
        let barred = i64::from(is_barred);
        Ok(self.told.write_all_at(&barred.to_ne_bytes(), 8)?)
    }
}
