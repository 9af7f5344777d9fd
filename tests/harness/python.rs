//! Calls into the Python side: servers, seeds, planted differences, the oracle.

use crate::{places, wait};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// What a command answered: its exit code, and the JSON that it printed.
#[derive(Debug, Clone)]
pub struct Answer {
    /// 0 for done; the others are the command's own.
    pub code: i32,
    /// What it printed.
    pub json: Value,
    /// What it said beside that.
    told: String,
}

/// The interpreter that provisioning made.
///
/// # Errors
/// When it is not there.
pub fn interpreter() -> Result<PathBuf> {
    let file = places::testbed_home().join("venv/bin/python");
    ensure!(
        file.exists(),
        "{} is missing: run `make testbed` first",
        file.display()
    );
    Ok(file)
}

/// `python -m testbed`, without words yet. It ends when it is dropped.
pub(crate) fn command() -> Result<Command> {
    let mut command = Command::new(interpreter()?);
    command
        .args(["-m", "testbed"])
        .env("PYTHONPATH", folder())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Runs `python -m testbed <words>` to its end.
///
/// # Errors
/// When it prints no JSON, is ended by a signal, or takes longer than the limit.
pub async fn testbed(words: &[&str], limit: Duration) -> Result<Answer> {
    let what = format!("testbed {}", words.join(" "));
    let mut command = command()?;
    command.args(words);
    let output = wait::within(&what, limit, async { Ok(command.output().await?) }).await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout);
    let (Some(line), Some(code)) = (printed.lines().last(), output.status.code()) else {
        bail!("{what}: {}\n{printed}\n{told}", output.status)
    };
    let json = serde_json::from_str(line).with_context(|| format!("{what}: {line}\n{told}"))?;
    Ok(Answer { code, json, told })
}

/// As [`testbed`], for commands that must succeed.
///
/// # Errors
/// Also when the exit code is not 0.
pub async fn testbed_done(words: &[&str], limit: Duration) -> Result<Value> {
    let answer = testbed(words, limit).await?;
    ensure!(
        answer.code == 0,
        "testbed {}: exit code {}: {}\n{}",
        words.join(" "),
        answer.code,
        answer.json,
        answer.told
    );
    Ok(answer.json)
}

/// Runs a script of ours with the provisioned interpreter; what it prints last is JSON.
///
/// # Errors
/// When it fails, prints no JSON, or takes longer than the limit.
pub async fn script(file: &str, words: &[&str], limit: Duration) -> Result<Value> {
    let mut command = Command::new(interpreter()?);
    command
        .arg(places::repository().join(file))
        .args(words)
        .env("PYTHONPATH", folder());
    command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let output = wait::within(file, limit, async { Ok(command.output().await?) }).await?;
    ensure!(output.status.success(), "{file}: {}", output.status);
    let printed = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(printed.lines().last().unwrap_or_default())
        .with_context(|| format!("{file}: {printed}"))
}

/// Starts the testbed's watcher of two processes: `owner`, its ticks, `pid`, its ticks.
pub(crate) fn watcher(numbers: &[String; 4]) -> Result<()> {
    let mut command = std::process::Command::new(interpreter()?);
    command
        .args(["-m", "testbed.processes"])
        .args(numbers)
        .env("PYTHONPATH", folder())
        .current_dir("/");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // It outlives us on purpose, and ends by itself; whoever ends first, nobody waits for it.
    let mut child = command.spawn()?;
    std::thread::spawn(move || child.wait());
    Ok(())
}

fn folder() -> PathBuf {
    places::repository().join("tests/python")
}
