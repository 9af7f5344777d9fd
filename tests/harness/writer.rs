//! Processes that write to a server while it is migrated: started, told to rest, and their record fetched.
//!
//! They are in Python, and share no code with Passage. What they wrote is known by their record alone.

use crate::process::Process;
use crate::{places, python, wait};
use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// How long the rows may take that are there before changes begin.
const READY_LIMIT: Duration = Duration::from_secs(300);

/// A writer whose server is away tries for two minutes; then it writes its record.
const STOP_LIMIT: Duration = Duration::from_secs(180);

/// A writer at work. It ends with this test process at the latest, and when it is dropped.
#[derive(Debug)]
pub struct Writer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    folder: PathBuf,
    rests_since: Option<u64>,
}

impl Writer {
    /// Starts a command of the testbed that writes, and returns when its changes begin.
    ///
    /// # Errors
    /// When it ends before that: with what it said.
    pub async fn start(words: &[&str]) -> Result<Self> {
        let folder = places::new_folder(words.first().context("a command")?)?;
        let mut command = python::command()?;
        command
            .args(words)
            .arg("--record")
            .arg(folder.join("record"))
            .arg("--stop-file")
            .arg(folder.join("stop"))
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("log"))?);
        let mut child = command.spawn()?;
        if let Some(process) = child.id().and_then(|pid| Process::of(pid).ok()) {
            process.end_with_us()?;
        }
        let out = child.stdout.take().context("its output is ours")?;
        let mut writer = Self {
            child,
            lines: BufReader::new(out).lines(),
            folder,
            rests_since: None,
        };
        let ready = wait::within("first rows of a writer", READY_LIMIT, writer.line()).await?;
        ensure!(ready["ready"] == true, "not ready, but {ready}");
        Ok(writer)
    }

    /// Its process.
    ///
    /// # Errors
    /// When it is gone.
    pub fn process(&self) -> Result<Process> {
        Process::of(self.child.id().context("the writer is gone")?)
    }

    /// Has it stop, and waits for its record. A writer whose server is away waits for it for two minutes.
    ///
    /// # Errors
    /// When it failed: with what it said.
    pub async fn stop<W: DeserializeOwned>(mut self) -> Result<W> {
        self.rest().await?;
        self.finish(STOP_LIMIT).await
    }

    /// Has it stop, and waits until it writes no more: when its last change was acknowledged, in milliseconds since 1970. Its record
    /// is still to come: [`Writer::finish`] waits for that.
    ///
    /// # Errors
    /// When it failed: with what it said.
    pub async fn rest(&mut self) -> Result<u64> {
        File::create(self.folder.join("stop"))?;
        wait::within("rest of a writer", STOP_LIMIT, self.rests()).await?;
        self.rests_since.context("a writer says when it rests")
    }

    /// Waits until it ends by itself, as one with `--seconds` does: what it did.
    ///
    /// # Errors
    /// When it failed, with what it said; or when it still writes after the limit.
    pub async fn finish<W: DeserializeOwned>(mut self, limit: Duration) -> Result<W> {
        let ended = wait::within("end of a writer", limit, async {
            self.rests().await?;
            Ok((self.line().await?, self.child.wait().await?))
        });
        let (done, status) = ended.await?;
        ensure!(status.success(), "writer: {status}\n{}", self.log());
        serde_json::from_value(done.clone()).with_context(|| done.to_string())
    }

    /// Waits until it says that it writes no more.
    async fn rests(&mut self) -> Result<()> {
        if self.rests_since.is_none() {
            let told = self.line().await?;
            let since = told["last_ack_unix_ms"].as_u64();
            self.rests_since = Some(since.with_context(|| format!("not at rest, but {told}"))?);
        }
        Ok(())
    }

    /// The next line that it prints.
    async fn line(&mut self) -> Result<Value> {
        match self.lines.next_line().await? {
            Some(line) => serde_json::from_str(&line).with_context(|| format!("writer: {line}")),
            None => bail!("writer: {}\n{}", self.child.wait().await?, self.log()),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}
