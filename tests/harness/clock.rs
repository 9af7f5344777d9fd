//! The wall clock of an agent, set forward and back while it runs.
//!
//! The machine's own clock is nobody's to set here: a small library that is preloaded moves what the process is told. Servers are beyond
//! it, for Go asks the kernel itself.

use crate::agents::Agent;
use crate::{places, wait};
use anyhow::{Result, ensure};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// How long the compiler may take.
const COMPILE_LIMIT: Duration = Duration::from_secs(60);

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
        let (library, told) = (folder.join("clock.so"), folder.join("offset"));
        compile(&library).await?;
        let options = OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(&told)?;
        let clock = Self { offset: options };
        clock.set(0)?;
        for (name, path) in [("LD_PRELOAD", &library), ("PASSAGE_TESTS_CLOCK", &told)] {
            let path = path.display().to_string();
            agent.environment.push((name.to_owned(), path));
        }
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

async fn compile(library: &Path) -> Result<()> {
    let source = places::repository().join("tests/harness/clock.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
    compiler.arg(library).arg(source);
    let built = wait::within("a C compiler", COMPILE_LIMIT, async {
        Ok(compiler.output().await?)
    })
    .await?;
    ensure!(
        built.status.success(),
        "cc: {}",
        String::from_utf8_lossy(&built.stderr)
    );
    Ok(())
}
