//! A writer that changes a collection while it is migrated, and the check of a target against what was acknowledged to it.

use crate::process::Process;
use crate::python;
use crate::servers::Server;
use crate::writer::Writer;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

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

/// A writer at work, as [`Writer`] is.
#[derive(Debug)]
pub struct Churn(Writer);

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
        let place = place(server, plan.collection);
        let [seed, rate, base] = [plan.seed, plan.rate.into(), plan.base].map(|n| n.to_string());
        let mut words = vec!["churn"];
        words.extend(place.iter().map(String::as_str));
        words.extend(["--seed", &seed, "--rate", &rate, "--base", &base]);
        words.extend(plan.flags);
        Ok(Self(Writer::start(&words).await?))
    }

    /// Its process.
    ///
    /// # Errors
    /// When it is gone.
    pub fn process(&self) -> Result<Process> {
        self.0.process()
    }

    /// As [`Writer::stop`].
    ///
    /// # Errors
    /// When it failed: with what it said.
    pub async fn stop(self) -> Result<Written> {
        self.0.stop().await
    }

    /// As [`Writer::rest`].
    ///
    /// # Errors
    /// When it failed: with what it said.
    pub async fn rest(&mut self) -> Result<u64> {
        self.0.rest().await
    }

    /// As [`Writer::finish`].
    ///
    /// # Errors
    /// When it failed, with what it said; or when it still writes after the limit.
    pub async fn finish(self, limit: Duration) -> Result<Written> {
        self.0.finish(limit).await
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
