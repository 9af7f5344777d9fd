//! A writer that changes a collection while it is migrated, and the check of a target against what was acknowledged to it.
//!
//! It is a process of its own, in Python, and shares no code with Passage. What it wrote is known by its record alone.

use crate::process::Process;
use crate::servers::Server;
use crate::{places, python, wait};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// How long the base rows may take.
const READY_LIMIT: Duration = Duration::from_secs(300);

/// A writer whose server is away tries for two minutes; then it writes its record.
const STOP_LIMIT: Duration = Duration::from_secs(180);

/// How long a check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(600);

/// What to write.
#[derive(Debug, Clone)]
pub struct ChurnPlan<'a> {
    /// The collection to make, as `name` or `database.name`.
    pub collection: &'a str,
    /// Every choice follows from it.
    pub seed: u64,
    /// Rows written and keys deleted, per second.
    pub rate: u32,
    /// Rows that are there before the changes begin.
    pub base: u64,
    /// More flags of `testbed churn`.
    pub flags: &'a [&'a str],
}

/// A writer at work. It ends with this test process at the latest, and when it is dropped.
#[derive(Debug)]
pub struct Churn {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    folder: PathBuf,
    rests_since: Option<u64>,
}

/// What a writer did after its base rows, as far as the server acknowledged it.
#[derive(Debug, Clone, Deserialize)]
pub struct Written {
    /// Rows inserted and upserted, and keys deleted.
    pub changes: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows upserted.
    pub upserted: u64,
    /// Keys deleted that had a row.
    pub deleted: u64,
    /// Partitions made.
    pub partitions_created: u64,
    /// Partitions dropped, with their rows.
    pub partitions_dropped: u64,
    /// Requests that got no answer.
    pub failed_requests: u64,
    /// How long the changes went on.
    pub seconds: f64,
    /// For how much of that nothing was acknowledged, because the server was away.
    pub outage_seconds: f64,
    /// Changes per second reached.
    pub per_second: f64,
    /// When the last change was acknowledged, in milliseconds since 1970.
    pub last_ack_unix_ms: u64,
    /// What each key holds.
    pub record: PathBuf,
}

/// How a collection differs from a record.
#[derive(Debug, Clone, Deserialize)]
pub struct ChurnVerdict {
    /// No difference.
    pub equal: bool,
    /// Rows read.
    pub rows: u64,
    /// Keys whose acknowledged row is not there.
    pub lost: u64,
    /// Keys that have a row, though they were deleted or never written.
    pub extra: u64,
    /// Keys that have several rows.
    pub duplicated: u64,
    /// Keys whose values are not those acknowledged last.
    pub differing: u64,
    /// Keys whose row lies in another partition.
    pub misplaced: u64,
    /// Partitions that should be there.
    pub partitions_missing: Vec<String>,
    /// Partitions that should not be there.
    pub partitions_extra: Vec<String>,
    /// The first differences.
    pub examples: Vec<Value>,
}

impl Churn {
    /// Starts a writer, and returns when its base rows are there and the changes begin.
    ///
    /// # Errors
    /// When it ends before that: with what it said.
    pub async fn start(server: &Server, plan: &ChurnPlan<'_>) -> Result<Self> {
        let folder = places::new_folder("churn")?;
        let mut command = python::command()?;
        command
            .arg("churn")
            .args(place(server, plan.collection))
            .args(["--seed", &plan.seed.to_string()])
            .args(["--rate", &plan.rate.to_string()])
            .args(["--base", &plan.base.to_string()])
            .arg("--record")
            .arg(folder.join("record"))
            .arg("--stop-file")
            .arg(folder.join("stop"))
            .args(plan.flags)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("log"))?);
        let mut child = command.spawn()?;
        if let Some(process) = child.id().and_then(|pid| Process::of(pid).ok()) {
            process.end_with_us()?;
        }
        let out = child.stdout.take().context("its output is ours")?;
        let mut churn = Self {
            child,
            lines: BufReader::new(out).lines(),
            folder,
            rests_since: None,
        };
        let ready = wait::within("base rows of a churn", READY_LIMIT, churn.line()).await?;
        ensure!(ready["ready"] == true, "not ready, but {ready}");
        Ok(churn)
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
    pub async fn stop(mut self) -> Result<Written> {
        self.rest().await?;
        self.finish(STOP_LIMIT).await
    }

    /// Has it stop, and waits until it writes no more: when its last change was acknowledged, in milliseconds since 1970. Its record
    /// is still to come: [`Churn::finish`] waits for that.
    ///
    /// # Errors
    /// When it failed: with what it said.
    pub async fn rest(&mut self) -> Result<u64> {
        File::create(self.folder.join("stop"))?;
        wait::within("rest of a churn", STOP_LIMIT, self.rests()).await?;
        self.rests_since.context("a churn says when it rests")
    }

    /// Waits until it ends by itself, as one with `--seconds` does.
    ///
    /// # Errors
    /// When it failed, with what it said; or when it still writes after the limit.
    pub async fn finish(mut self, limit: Duration) -> Result<Written> {
        let ended = wait::within("end of a churn", limit, async {
            self.rests().await?;
            Ok((self.line().await?, self.child.wait().await?))
        });
        let (done, status) = ended.await?;
        ensure!(status.success(), "churn: {status}\n{}", self.log());
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
            Some(line) => serde_json::from_str(&line).with_context(|| format!("churn: {line}")),
            None => bail!("churn: {}\n{}", self.child.wait().await?, self.log()),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// Reads a whole collection (`name` or `database.name`), and holds it against what was written.
///
/// # Errors
/// When it can't be read, or changes while it is.
pub async fn check(server: &Server, collection: &str, written: &Written) -> Result<ChurnVerdict> {
    let record = written.record.display().to_string();
    let place = place(server, collection);
    let mut words = vec!["churn-check", "--record", &record];
    words.extend(place.iter().map(String::as_str));
    let answer = python::testbed(&words, CHECK_LIMIT).await?;
    serde_json::from_value(answer.json.clone()).with_context(|| answer.json.to_string())
}

impl ChurnVerdict {
    /// Makes sure that there is no difference.
    ///
    /// # Errors
    /// Shows the counts and the first differences.
    pub fn assert_equal(&self) -> Result<()> {
        ensure!(self.equal, "not what was acknowledged: {self:#?}");
        Ok(())
    }
}

/// The flags that name a collection of a server.
fn place(server: &Server, collection: &str) -> [String; 6] {
    let (database, name) = collection
        .split_once('.')
        .unwrap_or(("default", collection));
    [
        "--uri",
        server.uri(),
        "--db",
        database,
        "--collection",
        name,
    ]
    .map(str::to_owned)
}
