//! What is worth a line of its own between two statuses of a job. Pure.

use crate::cli::units;
use model::{CollectionPhase, CollectionStatus, Fault, JobStatus, Verification};

/// The lines that tell what has changed; with no status before, what there is.
pub(crate) fn between(before: Option<&JobStatus>, now: &JobStatus) -> Vec<String> {
    // What was done comes before the phase that follows from it.
    let mut lines = Vec::new();
    let known = before.map_or(0, |before| before.findings.len());
    lines.extend(
        now.findings
            .iter()
            .skip(known)
            .map(super::super::render::finding),
    );
    for (place, collection) in now.collections.iter().enumerate() {
        let earlier = before.and_then(|before| before.collections.get(place));
        lines.extend(of_collection(earlier, collection));
    }
    if before.is_none_or(|before| before.phase != now.phase) {
        lines.push(format!("job {}: {}", now.spec.name, now.phase));
    }
    let cause_before = before.and_then(|before| before.cause.as_ref());
    match (cause_before, &now.cause) {
        (Some(_), None) if !now.phase.is_terminal() => lines.push("goes on".to_owned()),
        (earlier, Some(cause)) if earlier != Some(cause) && !now.phase.is_terminal() => {
            lines.extend(waiting(cause))
        }
        _ => {}
    }
    lines
}

/// What a job waits for, and what helps.
fn waiting(cause: &Fault) -> Vec<String> {
    let mut lines = vec![format!("waiting: {} [{}]", cause.message, cause.code)];
    if !cause.hint.is_empty() {
        lines.push(format!("   hint: {}", cause.hint));
    }
    lines
}

fn of_collection(before: Option<&CollectionStatus>, now: &CollectionStatus) -> Vec<String> {
    use CollectionPhase::{Copying, Dropped, Skipped};
    let mut lines = Vec::new();
    let phase_before = before.map(|before| before.phase);
    let copied = now.phase > Copying && ![Skipped, Dropped].contains(&now.phase);
    if copied && phase_before.is_none_or(|phase| phase <= Copying) {
        let rows = units::counted(now.rows_copied, "row", "rows");
        lines.push(format!(
            "{}: {rows} copied ({})",
            now.target,
            units::bytes(now.bytes_copied)
        ));
    }
    if now.phase == Dropped && phase_before != Some(Dropped) {
        lines.push(format!("{}: dropped, as on the source", now.target));
    }
    if now.phase == Skipped && phase_before != Some(Skipped) {
        lines.push(format!(
            "{}: left out, for the target has it already",
            now.target
        ));
    }
    if before.is_none_or(|before| before.verification != now.verification) {
        let rows = units::counted(now.rows_verified, "row", "rows");
        match &now.verification {
            Verification::NotRun | Verification::Running | Verification::Rechecking { .. } => {}
            Verification::Clean => lines.push(format!("{}: equal, {rows} compared", now.target)),
            Verification::Mismatched { differences } => {
                let differences = units::counted(*differences, "difference", "differences");
                lines.push(format!("{}: {differences}, {rows} compared", now.target));
            }
            Verification::Blocked { reason } => {
                lines.push(format!("{}: not verified: {reason}", now.target))
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use model::{Phase, Severity};

    #[test]
    fn the_same_status_again_is_no_news() {
        let status = sample::status(Phase::Copying);
        assert!(between(Some(&status), &status).is_empty());
    }

    #[test]
    fn what_a_job_waits_for_is_told_once_with_its_hint_and_so_is_its_end() {
        let moving = sample::status(Phase::Copying);
        let waiting = JobStatus {
            cause: Some(sample::fault()),
            ..moving.clone()
        };
        let told = between(Some(&moving), &waiting);
        assert_eq!(told.len(), 2);
        assert!(
            told[0].contains("refused the connection [peer_unreachable]"),
            "{told:?}"
        );
        assert!(told[1].contains("hint: start agent-target"), "{told:?}");
        assert!(between(Some(&waiting), &waiting).is_empty());
        assert_eq!(between(Some(&waiting), &moving), ["goes on"]);
    }

    #[test]
    fn findings_are_told_as_they_come() {
        let before = sample::status(Phase::Preparing);
        let now = JobStatus {
            findings: vec![sample::finding(Severity::Changed)],
            ..before.clone()
        };
        let told = between(Some(&before), &now);
        assert_eq!(
            told,
            ["changed  docs.embedding: IVF_PQ becomes AUTOINDEX [index_mapped]"]
        );
    }

    #[test]
    fn a_collection_tells_when_it_is_copied_and_when_it_is_compared() {
        let before = sample::status(Phase::Copying);
        let mut now = sample::status(Phase::Completed);
        now.collections.truncate(1);
        now.collections[0].verification = Verification::Clean;
        now.collections[0].rows_verified = 1_500;
        assert_eq!(
            between(Some(&before), &now),
            [
                "acme.orders: 1,500 rows copied (3.0 MiB)",
                "acme.orders: equal, 1,500 rows compared",
                "job sales: completed"
            ]
        );
    }
}
