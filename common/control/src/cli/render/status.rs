//! A job's status as text.

use super::Table;
use crate::cli::units::{bytes, count, counted, duration, moment};
use model::{ChangesStatus, CollectionStatus, Finding, JobStatus, Phase, Severity, Verification};
use std::time::Duration;

/// A job that is no further behind needs no more of the log than any log has.
const FAR_BEHIND_MS: u64 = 60_000;

/// One line for what preflight found.
pub(crate) fn finding(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Note => "note",
        Severity::Changed => "changed",
        Severity::Blocked => "BLOCKED",
    };
    format!("{severity:<7}  {finding}")
}

/// The list of jobs.
pub(crate) fn jobs(jobs: &[JobStatus]) -> Vec<String> {
    if jobs.is_empty() {
        return vec!["no jobs".to_owned()];
    }
    let mut table = Table::new(&[
        "NAME",
        "PHASE",
        ">COLLECTIONS",
        ">ROWS",
        "VERIFIED",
        "CREATED",
        "WAITS FOR",
    ]);
    for job in jobs {
        let ended = job.phase.is_terminal();
        let waits = job
            .cause
            .as_ref()
            .filter(|_| !ended)
            .map_or("", |cause| cause.code.as_str());
        table.row(vec![
            job.spec.name.to_string(),
            job.phase.to_string(),
            count(job.collections.len() as u64),
            count(
                job.collections
                    .iter()
                    .map(|collection| collection.rows_copied)
                    .sum(),
            ),
            verified(job),
            moment(job.created_ms),
            waits.to_owned(),
        ]);
    }
    table.lines(0)
}

/// One job in full.
pub(crate) fn job(status: &JobStatus) -> Vec<String> {
    let mut lines = vec![format!("job {}: {}", status.spec.name, status.phase)];
    lines.push(format!("created {}", moment(status.created_ms)));
    if let Some(ended_ms) = status.ended_ms {
        let took = Duration::from_millis(ended_ms.saturating_sub(status.created_ms));
        lines.push(format!(
            "ended   {} (after {})",
            moment(ended_ms),
            duration(took)
        ));
    }
    if let Some(cause) = &status.cause {
        let what = if status.phase.is_terminal() {
            "cause"
        } else {
            "waits for"
        };
        lines.push(format!("{what}: {} [{}]", cause.message, cause.code));
        if !cause.hint.is_empty() {
            lines.push(format!("hint: {}", cause.hint));
        }
    }
    if !status.findings.is_empty() {
        lines.push(String::new());
        lines.extend(status.findings.iter().map(finding));
    }
    if !status.collections.is_empty() {
        lines.push(String::new());
        lines.extend(collections(&status.collections));
        lines.extend(status.collections.iter().filter_map(amends));
        lines.extend(status.collections.iter().filter_map(short_log));
    }
    lines
}

/// What the log did not tell of a followed collection, and was found by comparing it.
fn amends(collection: &CollectionStatus) -> Option<String> {
    let changes = collection.changes?;
    let mut told = Vec::new();
    if changes.gaps > 0 {
        let times = counted(changes.gaps.into(), "time", "times");
        told.push(format!(
            "the log had lost changes {times}, and every row was compared again"
        ));
    }
    if changes.repaired > 0 {
        told.push(format!(
            "{} repaired",
            counted(changes.repaired, "row", "rows")
        ));
    }
    (!told.is_empty()).then(|| format!("{}: {}", collection.source, told.join("; ")))
}

/// That a log may soon lose changes that are not applied yet: the job is further behind than the log goes back before them.
fn short_log(collection: &CollectionStatus) -> Option<String> {
    let changes = collection.changes?;
    let (lag_ms, headroom_ms) = (changes.lag_ms?, changes.headroom_ms?);
    (lag_ms > FAR_BEHIND_MS && headroom_ms < lag_ms).then(|| {
        let left = duration(Duration::from_millis(headroom_ms));
        format!(
            "{}: the log may lose changes that are not applied yet: it goes back {left} before them",
            collection.source
        )
    })
}

fn collections(collections: &[CollectionStatus]) -> Vec<String> {
    let mut head = vec![
        "SOURCE",
        "TARGET",
        "PHASE",
        ">COPIED",
        ">OF ROWS",
        ">BYTES",
        ">COMPARED",
        "VERIFICATION",
    ];
    let is_live = collections
        .iter()
        .any(|collection| collection.changes.is_some());
    if is_live {
        head.extend([">UPSERTS", ">DELETES", ">LAG"]);
    }
    let mut table = Table::new(&head);
    for collection in collections {
        let mut row = vec![
            collection.source.to_string(),
            collection.target.to_string(),
            collection.phase.to_string(),
            count(collection.rows_copied),
            collection.rows_total.map_or_else(|| "?".to_owned(), count),
            bytes(collection.bytes_copied),
            count(collection.rows_verified),
            verification(&collection.verification),
        ];
        if is_live {
            let changes = collection.changes.unwrap_or_default();
            row.extend([
                count(changes.upserts),
                count(changes.deletes),
                lag(&changes),
            ]);
        }
        table.row(row);
    }
    table.lines(0)
}

/// How far a target is behind.
pub(crate) fn lag(changes: &ChangesStatus) -> String {
    match changes.lag_ms {
        None => "?".to_owned(),
        Some(millis) if millis < 10_000 => format!("{millis} ms"),
        Some(millis) => duration(Duration::from_millis(millis)),
    }
}

/// What is known about one collection being equal.
pub(crate) fn verification(verification: &Verification) -> String {
    match verification {
        Verification::NotRun => "-".to_owned(),
        Verification::Running => "running".to_owned(),
        Verification::Rechecking { rows } => {
            format!(
                "equal but for {} looked at again",
                counted(*rows, "row", "rows")
            )
        }
        Verification::Clean => "equal".to_owned(),
        Verification::Mismatched { differences } => {
            counted(*differences, "difference", "differences")
        }
        Verification::Blocked { reason } => format!("not possible: {reason}"),
    }
}

/// What is known about all collections of a job being equal: the worst of them.
fn verified(status: &JobStatus) -> String {
    let all = || {
        status
            .collections
            .iter()
            .map(|collection| &collection.verification)
    };
    let differences: u64 = all()
        .map(|v| {
            if let Verification::Mismatched { differences } = v {
                *differences
            } else {
                0
            }
        })
        .sum();
    let is_running =
        |v: &Verification| matches!(v, Verification::Running | Verification::Rechecking { .. });
    if all().any(is_running) {
        "running".to_owned()
    } else if differences > 0 {
        counted(differences, "difference", "differences")
    } else if all().any(|v| matches!(v, Verification::Blocked { .. })) {
        "not possible".to_owned()
    } else if all().any(|v| *v == Verification::NotRun) || status.collections.is_empty() {
        "-".to_owned()
    } else {
        "equal".to_owned()
    }
}

/// How a job ended, in a few lines: the last word of a command that waited for it.
pub(crate) fn outcome(status: &JobStatus) -> Vec<String> {
    let rows = status
        .collections
        .iter()
        .map(|collection| collection.rows_copied)
        .sum();
    let size = status
        .collections
        .iter()
        .map(|collection| collection.bytes_copied)
        .sum();
    let took = status
        .ended_ms
        .map(|ended| Duration::from_millis(ended.saturating_sub(status.created_ms)));
    let took = took.map_or_else(String::new, |took| format!(" after {}", duration(took)));
    let mut lines = vec![format!("job {} {}{took}", status.spec.name, status.phase)];
    if status.spec.dry_run {
        lines.push("nothing was changed: this was a dry run".to_owned());
    } else {
        let collections = counted(status.collections.len() as u64, "collection", "collections");
        let rows = counted(rows, "row", "rows");
        lines.push(format!(
            "{collections}, {rows}, {}; verification: {}",
            bytes(size),
            verified(status)
        ));
    }
    if let Some(cause) = status
        .cause
        .as_ref()
        .filter(|_| status.phase != Phase::Completed)
    {
        lines.push(format!("cause: {} [{}]", cause.message, cause.code));
        if !cause.hint.is_empty() {
            lines.push(format!("hint: {}", cause.hint));
        }
    }
    lines
}

#[cfg(test)]
mod tests;
