//! What a verification found, put together.

use super::found::Found;
use crate::answers::Session;
use crate::records::{VERDICTS, collection_key};
use model::report::CollectionReport;
use model::{Difference, DifferenceKind, Fault, Verification};
use protocol::call::CollectionPlan;
use runtime::journal::Span;

/// Adds up the verdicts of all units.
pub(super) fn collect(
    session: &Session,
    plan: &CollectionPlan,
    units: u32,
) -> Result<CollectionReport, Fault> {
    let mut report = blank(plan, Verification::Clean);
    let mut found = Found::default();
    let view = session.agent.journal.view()?;
    for entry in view.scan(
        VERDICTS,
        &Span::under(&collection_key(&plan.job, plan.index)),
    )? {
        let (_, verdict) = entry?;
        report.ranges += 1;
        report.rows += verdict.rows;
        report.source_duplicates += verdict.source_duplicates;
        let room = CollectionReport::MAX_DUPLICATES - report.source_duplicate_keys.len();
        let named = verdict.source_duplicate_keys.into_iter().take(room);
        report.source_duplicate_keys.extend(named);
        found.merge(verdict.differences, verdict.differences_total);
    }
    debug_assert_eq!(report.ranges, u64::from(units), "every unit has a verdict");
    finish(&mut report, found);
    Ok(report)
}

/// The report of a collection that the target lacks.
pub(super) fn missing(report: CollectionReport) -> CollectionReport {
    let is_missing = |found: &Difference| found.kind == DifferenceKind::Collection;
    if report.differences.iter().any(is_missing) {
        return report;
    }
    let detail = format!("collection {} is missing on the target", report.target);
    let difference = of_collection(DifferenceKind::Collection, detail);
    with(report, vec![difference])
}

/// The report with more differences.
pub(super) fn with(mut report: CollectionReport, mut found: Vec<Difference>) -> CollectionReport {
    if found.is_empty() {
        return report;
    }
    if let Verification::Blocked { reason } = report.outcome {
        found.push(of_collection(DifferenceKind::NotCompared, reason));
    }
    report.differences_total += found.len() as u64;
    report.outcome = Verification::Mismatched {
        differences: report.differences_total,
    };
    report.differences.extend(found);
    report
}

fn of_collection(kind: DifferenceKind, detail: String) -> Difference {
    Difference {
        kind,
        partition: None,
        key: None,
        field: None,
        detail,
    }
}

/// Puts what was found into the report.
pub(super) fn finish(report: &mut CollectionReport, found: Found) {
    (report.differences, report.differences_total) = found.into_parts();
    if report.differences_total > 0 {
        report.outcome = Verification::Mismatched {
            differences: report.differences_total,
        };
    }
}

/// A report in which nothing is found.
pub(super) fn blank(plan: &CollectionPlan, outcome: Verification) -> CollectionReport {
    CollectionReport {
        source: plan.source.name.clone(),
        target: plan.target.clone(),
        outcome,
        rows: 0,
        ranges: 0,
        source_duplicates: 0,
        source_duplicate_keys: vec![],
        differences: vec![],
        differences_total: 0,
    }
}
