//! A job's status as text, to the letter.

use super::*;
use crate::sample;

#[test]
fn a_list_without_jobs_says_so() {
    assert_eq!(jobs(&[]), ["no jobs"]);
}

#[test]
fn the_list_shows_what_a_job_waits_for_only_while_it_waits() {
    let waiting = JobStatus {
        cause: Some(sample::fault()),
        ..sample::status(Phase::Copying)
    };
    let failed = JobStatus {
        cause: Some(sample::fault()),
        ..sample::status(Phase::Failed)
    };
    let shown = jobs(&[waiting, failed]);
    assert_eq!(
        shown[0],
        "NAME   PHASE    COLLECTIONS   ROWS  VERIFIED  CREATED               WAITS FOR"
    );
    assert_eq!(
        shown[1],
        "sales  copying            2  3,000  -         2026-11-20 09:30:00Z  peer_unreachable"
    );
    assert_eq!(
        shown[2],
        "sales  failed             2  3,000  -         2026-11-20 09:30:00Z"
    );
}

#[test]
fn a_job_in_full_names_cause_hint_findings_and_both_names_of_a_collection() {
    let mut status = sample::status(Phase::Copying);
    status.cause = Some(sample::fault());
    status.findings = vec![sample::finding(Severity::Blocked)];
    status.collections[1].rows_total = None;
    assert_eq!(
        job(&status),
        [
            "job sales: copying",
            "created 2026-11-20 09:30:00Z",
            "waits for: globex.example:7443 refused the connection [peer_unreachable]",
            "hint: start agent-target, and open its port",
            "",
            "BLOCKED  docs.embedding: IVF_PQ becomes AUTOINDEX [index_mapped]",
            "",
            "SOURCE        TARGET        PHASE    COPIED  OF ROWS    BYTES  COMPARED  VERIFICATION",
            "sales.orders  acme.orders   copying   1,500    6,000  3.0 MiB         0  -",
            "default.docs  default.docs  copying   1,500        ?  3.0 MiB         0  -",
        ]
    );
}

#[test]
fn one_collection_with_differences_spoils_the_whole() {
    let mut status = sample::status(Phase::Completed);
    status.collections[0].verification = Verification::Clean;
    status.collections[1].verification = Verification::Mismatched { differences: 1 };
    let shown = outcome(&status);
    assert_eq!(shown[0], "job sales completed after 3m 12s");
    assert_eq!(
        shown[1],
        "2 collections, 3,000 rows, 6.0 MiB; verification: 1 difference"
    );
}

#[test]
fn what_the_log_did_not_tell_is_told() {
    let mut status = sample::status(Phase::Syncing);
    status.collections[0].changes = Some(ChangesStatus {
        repaired: 1,
        gaps: 2,
        ..ChangesStatus::default()
    });
    let told = job(&status);
    let last = told.last().map(String::as_str);
    let name = &status.collections[0].source;
    let expected = format!(
        "{name}: the log had lost changes 2 times, and every row was compared again; 1 row repaired"
    );
    assert_eq!(last, Some(expected.as_str()));
}

#[test]
fn a_log_that_is_too_short_for_the_lag_is_told() {
    let mut status = sample::status(Phase::Syncing);
    let name = status.collections[0].source.clone();
    let mut last = |lag_ms, headroom_ms| {
        status.collections[0].changes = Some(ChangesStatus {
            lag_ms: Some(lag_ms),
            headroom_ms: Some(headroom_ms),
            ..ChangesStatus::default()
        });
        job(&status).pop()
    };
    let expected = format!(
        "{name}: the log may lose changes that are not applied yet: it goes back 2m 00s before them"
    );
    assert_eq!(last(180_000, 120_000), Some(expected.clone()));
    assert_ne!(last(180_000, 180_000), Some(expected.clone()));
    assert_ne!(last(50_000, 1_000), Some(expected));
}
