//! Collections that come and go, with their aliases, while a job moves what it means by a pattern; and the check of a target against
//! what was acknowledged.

use crate::python;
use crate::servers::Server;
use crate::writer::Writer;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long a check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(300);

/// A storm.
#[derive(Debug)]
pub struct Storm(Writer);

/// What a storm did, as far as the server acknowledged it.
#[derive(Debug, Clone, Deserialize)]
pub struct Stormed {
    /// How often what was done.
    pub acts: BTreeMap<String, u64>,
    /// The collections that it left.
    pub collections: Vec<String>,
    /// What it left, in full.
    pub record: PathBuf,
}

impl Storm {
    /// Begins to make, fill, name and drop collections whose names begin with `prefix` and a `_`.
    ///
    /// # Errors
    /// When it ends at once: with what it said.
    pub async fn start(server: &Server, prefix: &str, seed: u64) -> Result<Self> {
        let seed = seed.to_string();
        let words = [
            "storm",
            "--uri",
            server.uri(),
            "--prefix",
            prefix,
            "--seed",
            &seed,
        ];
        Ok(Self(Writer::start(&words).await?))
    }

    /// As [`Writer::stop`].
    ///
    /// # Errors
    /// When it failed: with what it said.
    pub async fn stop(self) -> Result<Stormed> {
        self.0.stop().await
    }
}

/// Makes sure that a server has the collections, rows and aliases that a storm left, and no others of its names.
///
/// # Errors
/// Shows what differs.
pub async fn assert_left(server: &Server, stormed: &Stormed) -> Result<()> {
    let record = stormed.record.display().to_string();
    let words = ["storm-check", "--uri", server.uri(), "--record", &record];
    let verdict = python::testbed(&words, CHECK_LIMIT).await?.json;
    let equal = verdict["equal"].as_bool().context("a verdict")?;
    ensure!(equal, "not what the storm left: {verdict:#}");
    ensure!(
        verdict["rows"].as_u64() > Some(0),
        "no row was compared: {verdict:#}"
    );
    Ok(())
}
