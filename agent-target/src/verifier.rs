//! Proves that the target is what the source is: rows by content, then the definition.
//!
//! Units are compared some at a time, each journaled when it is: a comparison that was cut off goes on behind them. Memory holds
//! the hashes of a few batches, whatever the collection's size.

mod definition;
mod found;
mod milvus_rows;
mod rows;
mod source_rows;
mod whole;

use crate::answers::Session;
use crate::records::{CollectionRecord, VERDICTS, Verdict, collection_key};
use crate::writer::schema;
use found::Found;
use futures::TryStreamExt;
use milvus_rows::MilvusTarget;
use model::job::Verify;
use model::report::CollectionReport;
use model::{Fault, JobSpec, KeyRange, UnitId, Verification};
use protocol::Note;
use protocol::call::CollectionPlan;
use rows::TargetRows;
use runtime::journal::Span;
use runtime::telemetry::metric_names::{VERIFIER_DIFFERENCES, VERIFIER_ROWS};
use source_rows::SourceAgent;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many units are compared at the same time.
const UNITS_AT_ONCE: usize = 4;

/// Compares a collection's rows, as the job asks.
pub(crate) async fn verify(
    session: &Session,
    spec: &JobSpec,
    mut record: CollectionRecord,
    plan: CollectionPlan,
    units: u32,
) -> Result<CollectionReport, Fault> {
    let source = SourceAgent {
        caller: &session.caller,
        job: &plan.job,
    };
    let report = match spec.verify {
        Verify::None => blank(&plan, Verification::NotRun),
        how => {
            let target = MilvusTarget::open(session, spec, &mut record, &plan).await?;
            let report = match how {
                _ if crate::writer::mapping::regenerates_keys(spec, &plan) => {
                    whole::compare(&source, &target, &plan, units).await?
                }
                Verify::Counts => counts(&source, &target, &plan).await?,
                _ => content(session, &source, &target, &plan, units).await?,
            };
            target.close(session, &mut record).await?;
            report
        }
    };
    record.plan = plan;
    record.report = Some(report.clone());
    session.agent.put_report(&record).await?;
    Ok(report)
}

/// Compares the definition, and adds what differs to the rows' report.
pub(crate) async fn compare_definitions(
    session: &Session,
    record: &mut CollectionRecord,
) -> Result<CollectionReport, Fault> {
    let milvus = &session.agent.milvus;
    let actual = milvus
        .in_database(&record.plan.target.database)
        .describe_collection(&record.plan.target.collection)
        .await?;
    let mut found = Found::default();
    let (wanted, actual) = (
        schema::comparable(milvus, record.expected.clone()),
        schema::comparable(milvus, actual),
    );
    definition::compare(&wanted, &actual)
        .into_iter()
        .for_each(|difference| found.add(difference));
    let mut report = record
        .report
        .take()
        .unwrap_or_else(|| blank(&record.plan, Verification::NotRun));
    let (named, total) = found.into_parts();
    report.differences.extend(named);
    report.differences_total += total;
    if total > 0 {
        report.outcome = Verification::Mismatched {
            differences: report.differences_total,
        };
    }
    record.report = Some(report.clone());
    session.agent.put_collection(record).await?;
    Ok(report)
}

async fn content(
    session: &Session,
    source: &SourceAgent<'_>,
    target: &MilvusTarget,
    plan: &CollectionPlan,
    units: u32,
) -> Result<CollectionReport, Fault> {
    let compared = AtomicU64::new(0);
    futures::stream::iter((0..units).map(Ok))
        .try_for_each_concurrent(UNITS_AT_ONCE, |number| {
            let (compared, source, target) = (&compared, source, target);
            async move {
                let unit = UnitId {
                    collection: plan.index,
                    number,
                };
                let verdict = match session.agent.verdict(&plan.job, unit)? {
                    Some(verdict) => verdict,
                    None => compare_one(session, source, target, plan, unit).await?,
                };
                let rows = compared.fetch_add(verdict.rows, Ordering::Relaxed) + verdict.rows;
                metrics::counter!(VERIFIER_ROWS).increment(verdict.rows);
                // A note that does not arrive is of a session that is over.
                let _ = session
                    .caller
                    .note(&Note::Verified {
                        job: plan.job.clone(),
                        index: plan.index,
                        rows,
                    })
                    .await;
                Ok::<_, Fault>(())
            }
        })
        .await?;
    collect(session, plan, units)
}

async fn compare_one(
    session: &Session,
    source: &SourceAgent<'_>,
    target: &MilvusTarget,
    plan: &CollectionPlan,
    unit: UnitId,
) -> Result<Verdict, Fault> {
    let theirs = source.digests(unit).await?;
    let mut found = Found::default();
    let rows = rows::compare_unit(source, target, &theirs, &mut found).await?;
    if theirs.unreadable > 0 {
        let detail = "rows of the source that count(*) sees and no query answers";
        found.add_uncounted(theirs.unreadable, &theirs.unit.partition, detail);
    }
    let (differences, differences_total) = found.into_parts();
    metrics::counter!(VERIFIER_DIFFERENCES).increment(differences_total);
    let verdict = Verdict {
        rows,
        source_duplicates: theirs.duplicates,
        source_duplicate_keys: theirs.duplicate_keys,
        differences,
        differences_total,
    };
    let points = session.agent.journal.points();
    points.pass("target.unit.verdict.before");
    session.agent.put_verdict(&plan.job, unit, &verdict).await?;
    points.pass("target.unit.verdict.after");
    Ok(verdict)
}

/// Adds up the verdicts of all units.
fn collect(
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

/// Compares the numbers of rows.
async fn counts(
    source: &SourceAgent<'_>,
    target: &MilvusTarget,
    plan: &CollectionPlan,
) -> Result<CollectionReport, Fault> {
    let (theirs, ours) = (
        source.count(plan.index).await?,
        target.count(None, &KeyRange::all()).await?,
    );
    let (Some(theirs), Some(ours)) = (theirs, ours) else {
        let reason = "one of the servers can't count its rows; `verify: content` needs no counting"
            .to_owned();
        return Ok(blank(plan, Verification::Blocked { reason }));
    };
    let mut report = CollectionReport {
        rows: ours,
        ranges: 1,
        ..blank(plan, Verification::Clean)
    };
    if ours != theirs {
        let mut found = Found::default();
        found.add_uncounted(
            ours.abs_diff(theirs),
            &None,
            &format!("rows' difference: {theirs} on the source, {ours} on the target"),
        );
        finish(&mut report, found);
    }
    Ok(report)
}

/// Puts what was found into the report.
fn finish(report: &mut CollectionReport, found: Found) {
    (report.differences, report.differences_total) = found.into_parts();
    if report.differences_total > 0 {
        report.outcome = Verification::Mismatched {
            differences: report.differences_total,
        };
    }
}

fn blank(plan: &CollectionPlan, outcome: Verification) -> CollectionReport {
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
