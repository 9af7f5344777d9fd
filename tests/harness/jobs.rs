//! Jobs, driven as an operator drives them: by the command line, with JSON for its output.

use crate::agents::{Agent, Told};
use crate::wait;
use anyhow::{Context, Result, bail, ensure};
use model::{
    CollectionPhase, CollectionStatus, Fault, JobStatus, Phase, Verification, VerifyReport,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How many differences are shown where none are expected.
const SHOWN: usize = 20;

/// A job of these collections with every default; add keys as the job file has them.
#[must_use]
pub fn spec(name: &str, collections: &[&str]) -> Value {
    json!({ "name": name, "collections": collections })
}

/// Creates a job and waits for its end: how it ended.
///
/// # Errors
/// When the job is refused, or has not ended within the limit.
pub async fn run(agent: &Agent, spec: &Value, limit: Duration) -> Result<JobStatus> {
    let told = create(agent, spec, &["--watch"], limit).await?;
    status_of(&told)
}

/// As [`run`], for jobs that must complete, proven equal.
///
/// # Errors
/// When the job ends otherwise: with its cause, findings and differences.
pub async fn run_to_completion(agent: &Agent, spec: &Value, limit: Duration) -> Result<JobStatus> {
    let status = run(agent, spec, limit).await?;
    ensure_completed(agent, &status).await?;
    Ok(status)
}

/// Asks what a job would do, without doing it.
///
/// # Errors
/// When the job is refused, or preflight does not end within the limit.
pub async fn dry_run(agent: &Agent, spec: &Value, limit: Duration) -> Result<JobStatus> {
    let told = create(agent, spec, &["--dry-run"], limit).await?;
    status_of(&told)
}

/// Creates a job, and does not wait.
///
/// # Errors
/// When the job is refused.
pub async fn begin(agent: &Agent, spec: &Value) -> Result<JobStatus> {
    let told = create(agent, spec, &[], Duration::from_secs(30)).await?;
    status_of(&told)
}

/// Waits for a job's end: how it ended.
///
/// # Errors
/// When it has not ended within the limit.
pub async fn wait(agent: &Agent, name: &str, limit: Duration) -> Result<JobStatus> {
    status_of(&agent.tell_within(&["job", "watch", name], limit).await?)
}

/// Waits until a job has ended, or says what it waits for.
///
/// # Errors
/// When it does neither within the limit.
pub async fn stuck(agent: &Agent, name: &str, limit: Duration) -> Result<JobStatus> {
    wait::until(&format!("cause of job {name}"), limit, || async {
        let status = show(agent, name).await?;
        Ok((status.cause.is_some() || status.phase.is_terminal()).then_some(status))
    })
    .await
}

/// As [`stuck`], until what it waits for, or ended with, has this code.
///
/// # Errors
/// When that does not come within the limit.
pub async fn stuck_with(
    agent: &Agent,
    name: &str,
    code: &str,
    limit: Duration,
) -> Result<JobStatus> {
    let what = format!("code {code} of job {name}");
    let stuck = wait::until(&what, limit, || async {
        let status = show(agent, name).await?;
        let told = status
            .cause
            .iter()
            .map(|cause| &cause.code)
            .chain(status.findings.iter().map(|found| &found.code));
        Ok(told.into_iter().any(|told| told == code).then_some(status))
    });
    match stuck.await {
        Ok(status) => Ok(status),
        Err(error) => Err(error.context(format!("{:#?}", show(agent, name).await?))),
    }
}

/// The job as it is now.
///
/// # Errors
/// When there is none.
pub async fn show(agent: &Agent, name: &str) -> Result<JobStatus> {
    status_of(&agent.tell(&["job", "show", name]).await?)
}

/// Waits until a live job follows changes as they come, and has compared every row once.
///
/// # Errors
/// When it does not within the limit: with its status.
pub async fn syncs(agent: &Agent, name: &str, limit: Duration) -> Result<JobStatus> {
    let what = format!("job {name} syncs");
    let synced = wait::until(&what, limit, || async {
        let status = show(agent, name).await?;
        let is_there = status.phase == Phase::Syncing && status.collections.iter().all(is_proven);
        Ok((is_there || status.phase.is_terminal()).then_some(status))
    });
    match synced.await {
        Ok(status) => Ok(status),
        Err(error) => Err(error.context(format!("{:#?}", show(agent, name).await?))),
    }
}

/// Waits until every row of these collections of a live job was compared once, whatever is still to be done for others.
///
/// # Errors
/// When it does not within the limit, or the job has ended: with its status.
pub async fn proves(
    agent: &Agent,
    name: &str,
    collections: &[&str],
    limit: Duration,
) -> Result<()> {
    wait::until(&format!("{collections:?} proven"), limit, || async {
        let status = show(agent, name).await?;
        ensure!(!status.phase.is_terminal(), "{status:#?}");
        let proven = collections.iter().all(|wanted| {
            let mut shown = status.collections.iter();
            shown.any(|shown| shown.source.collection == *wanted && is_proven(shown))
        });
        Ok(proven.then_some(()))
    })
    .await
}

fn is_proven(collection: &CollectionStatus) -> bool {
    collection.phase == CollectionPhase::Dropped
        || matches!(
            collection.verification,
            Verification::Clean | Verification::Rechecking { .. }
        )
}

/// Waits until a live job has compared every row once, and some differ.
///
/// # Errors
/// When it does not within the limit.
pub async fn differs(agent: &Agent, name: &str, limit: Duration) -> Result<JobStatus> {
    wait::until(&format!("job {name} differs"), limit, || async {
        let status = show(agent, name).await?;
        let differs = |shown: &CollectionStatus| {
            matches!(shown.verification, Verification::Mismatched { .. })
        };
        Ok(status.collections.iter().any(differs).then_some(status))
    })
    .await
}

/// Tells a live job to cut over, and waits for the outcome.
///
/// # Errors
/// When the command can't be run.
pub async fn cut_over(agent: &Agent, name: &str, flags: &[&str]) -> Result<Told> {
    let words = [&["job", "cutover", name], flags].concat();
    agent.tell_within(&words, Duration::from_secs(120)).await
}

/// The job as a command that succeeded left it.
///
/// # Errors
/// When it printed no status.
pub fn status_told(told: &Told) -> Result<JobStatus> {
    status_of(told)
}

/// Verifies a job's collections again, and waits for the end of it.
///
/// # Errors
/// When that is refused, or does not end within the limit.
pub async fn verify(agent: &Agent, name: &str, limit: Duration) -> Result<JobStatus> {
    status_of(
        &agent
            .tell_within(&["job", "verify", name, "--watch"], limit)
            .await?,
    )
}

/// What the last verification found.
///
/// # Errors
/// When there is no such job.
pub async fn report(agent: &Agent, name: &str) -> Result<VerifyReport> {
    let told = agent.tell(&["job", "report", name]).await?;
    serde_json::from_str(&told.out).with_context(|| format!("{told:?}"))
}

/// Makes sure that a job completed and that nothing differs.
///
/// # Errors
/// With the job's cause, findings and differences.
pub async fn ensure_completed(agent: &Agent, status: &JobStatus) -> Result<()> {
    let name = status.spec.name.as_str();
    let told = agent.tell(&["job", "report", name]).await?;
    // A job that failed early has none.
    let report: VerifyReport = serde_json::from_str(&told.out).unwrap_or_default();
    if status.phase == Phase::Completed && report.is_clean() && !report.collections.is_empty() {
        return Ok(());
    }
    let found = || report.collections.iter();
    let differences: Vec<_> = found()
        .flat_map(|one| &one.differences)
        .take(SHOWN)
        .collect();
    let outcomes: Vec<_> = found()
        .map(|one| format!("{}: {:?}", one.source, one.outcome))
        .collect();
    let cause = status
        .cause
        .as_ref()
        .map(Fault::to_string)
        .unwrap_or_default();
    let findings: Vec<_> = status.findings.iter().map(ToString::to_string).collect();
    bail!(
        "job {name} is {}: {cause}\nfindings: {findings:#?}\noutcomes: {outcomes:#?}\ndifferences: {differences:#?}\n{}",
        status.phase,
        agent.log_tail()
    );
}

/// The fault that a command ended with.
///
/// # Errors
/// When it did not end with one.
pub fn fault_of(told: &Told) -> Result<Fault> {
    let line = told
        .err
        .lines()
        .find_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = line.with_context(|| format!("no fault in {told:?}"))?;
    Ok(serde_json::from_value(line["error"].clone())?)
}

/// Runs `job create` with these flags.
///
/// # Errors
/// When the command can't be run.
pub async fn create(agent: &Agent, spec: &Value, flags: &[&str], limit: Duration) -> Result<Told> {
    let file = file_of(agent, spec)?;
    let file = file.display().to_string();
    let words = [&["job", "create", "--file", &file], flags].concat();
    agent.tell_within(&words, limit).await
}

fn file_of(agent: &Agent, spec: &Value) -> Result<PathBuf> {
    let name = spec["name"].as_str().unwrap_or("unnamed");
    let file = agent.folder().join(format!("job-{name}.yaml"));
    std::fs::write(&file, serde_json::to_string_pretty(spec)?)?;
    Ok(file)
}

/// The last status that a command printed.
fn status_of(told: &Told) -> Result<JobStatus> {
    ensure!(!told.out.is_empty(), "nothing was printed: {told:?}");
    let line = told.out.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("no status: {told:?}"))
}
