//! Proves that the target is what the source is: rows by content, then the definition.
//!
//! Units are compared some at a time, each journaled when it is: a comparison that was cut off goes on behind them. Memory holds
//! the hashes of a few batches, whatever the collection's size.

mod comparable;
mod definition;
mod found;
mod milvus_rows;
pub(crate) mod of_keys;
mod report;
mod rows;
mod source_rows;
mod whole;

use crate::agent::Agent;
use crate::answers::Session;
use crate::records::{CollectionRecord, Step, Verdict};
use comparable::comparable;
use found::Found;
use futures::TryStreamExt;
use milvus_rows::{MilvusTarget, Opened};
use model::job::Verify;
use model::report::CollectionReport;
use model::{
    CollectionIndex, CollectionSpec, Fault, JobName, JobSpec, KeyRange, UnitId, Verification, codes,
};
use protocol::Note;
use protocol::call::CollectionPlan;
use report::{blank, collect, finish, missing, with};
use rows::TargetRows;
use runtime::telemetry::metric_names::{VERIFIER_DIFFERENCES, VERIFIER_ROWS};
use source_rows::SourceAgent;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many units are compared at the same time.
const UNITS_AT_ONCE: usize = 4;

/// What is to be compared of a collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Units {
    /// How many units there are.
    pub(crate) number: u32,
    /// Which verification of the job this is.
    pub(crate) round: u32,
    /// Whether changes are applied meanwhile.
    pub(crate) is_followed: bool,
}

/// Compares a collection's rows, as the job asks.
///
/// # Cancel safety
/// The units that were compared are not compared again; a collection that was loaded for it is released by the next verification,
/// or when the job is closed.
pub(crate) async fn verify(
    session: &Session,
    spec: &JobSpec,
    mut record: CollectionRecord,
    plan: CollectionPlan,
    units: Units,
) -> Result<CollectionReport, Fault> {
    let source = SourceAgent {
        caller: &session.caller,
        job: &plan.job,
        is_followed: units.is_followed,
    };
    let report = if spec.verify == Verify::None {
        blank(&plan, Verification::NotRun)
    } else {
        match MilvusTarget::open(session, spec, &mut record, &plan).await? {
            Opened::Missing => missing(blank(&plan, Verification::Clean)),
            Opened::Unreadable { reason } => blank(&plan, Verification::Blocked { reason }),
            Opened::Ready(target) => match spec.verify {
                _ if crate::writer::mapping::regenerates_keys(spec, &plan) => {
                    whole::compare(&source, target.as_ref(), &plan, units.number).await?
                }
                Verify::Counts => counts(&source, &target, &plan).await?,
                _ => content(session, &source, &target, &plan, units).await?,
            },
        }
    };
    if !units.is_followed {
        release_loaded(&session.agent, &mut record).await?;
    }
    record.plan = plan;
    record.report = Some(report.clone());
    session.agent.put_report(&record).await?;
    Ok(report)
}

/// Whether the rows are as they should be, so that the collection may get its aliases and its users.
pub(crate) fn may_seal(record: &CollectionRecord) -> bool {
    let outcome = record.report.as_ref().map(|report| &report.outcome);
    matches!(outcome, Some(Verification::Clean | Verification::NotRun))
}

/// Compares the definition, and adds what differs to the rows' report.
pub(crate) async fn compare_definitions(
    session: &Session,
    record: &mut CollectionRecord,
) -> Result<CollectionReport, Fault> {
    let report = record
        .report
        .take()
        .unwrap_or_else(|| blank(&record.plan, Verification::NotRun));
    let report = match definitions(&session.agent, record).await? {
        Some((wanted, mut actual)) => {
            if record.step < Step::Sealed {
                // Aliases and the load state come last, and only to rows that were proven.
                actual.aliases.clone_from(&wanted.aliases);
                actual.load = wanted.load;
            }
            with(report, definition::compare(&wanted, &actual))
        }
        None => missing(report),
    };
    record.report = Some(report.clone());
    session.agent.put_collection(record).await?;
    Ok(report)
}

/// What the target is to have and what it has, each as far as it can be compared; `None` where it has no such collection.
pub(crate) async fn definitions(
    agent: &Agent,
    record: &CollectionRecord,
) -> Result<Option<(CollectionSpec, CollectionSpec)>, Fault> {
    let wanted = comparable(&agent.milvus, record.expected.clone());
    let actual = describe(agent, &record.plan).await?;
    Ok(actual.map(|actual| (wanted, comparable(&agent.milvus, actual))))
}

/// Releases a collection that is loaded only to be compared: a comparison that was cut off has left it so. A release that fails is
/// logged, and no matter of the job.
pub(crate) async fn release(
    agent: &Agent,
    job: &JobName,
    index: CollectionIndex,
) -> Result<(), Fault> {
    let mut record = agent.begun_collection(job, index)?;
    let outcome = release_loaded(agent, &mut record).await;
    if let Err(error) = outcome {
        tracing::warn!(collection = %record.plan.target, %error, "a collection that was loaded to be compared is still loaded");
    }
    Ok(())
}

/// Releases a collection that is loaded only to be compared.
pub(crate) async fn release_loaded(
    agent: &Agent,
    record: &mut CollectionRecord,
) -> Result<(), Fault> {
    if !record.loaded_to_verify {
        return Ok(());
    }
    let target = &record.plan.target;
    let milvus = agent.milvus.in_database(&target.database);
    match milvus
        .release(&target.collection)
        .await
        .map_err(Fault::from)
    {
        Err(fault) if !is_gone(&fault) => return Err(fault),
        _ => {}
    }
    record.loaded_to_verify = false;
    agent.put_collection(record).await?;
    Ok(())
}

/// The target's definition as it is now; `None` if the collection, or its database, is not there.
async fn describe(agent: &Agent, plan: &CollectionPlan) -> Result<Option<CollectionSpec>, Fault> {
    let milvus = agent.milvus.in_database(&plan.target.database);
    let described = milvus.describe_collection(&plan.target.collection).await;
    match described.map_err(Fault::from) {
        Ok(actual) => Ok(Some(actual)),
        Err(fault) if is_gone(&fault) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// There is no such collection, or not even its database.
fn is_gone(fault: &Fault) -> bool {
    [codes::COLLECTION_NOT_FOUND, codes::DATABASE_NOT_FOUND].contains(&fault.code.as_str())
}

async fn content(
    session: &Session,
    source: &SourceAgent<'_>,
    target: &MilvusTarget,
    plan: &CollectionPlan,
    units: Units,
) -> Result<CollectionReport, Fault> {
    let compared = AtomicU64::new(0);
    futures::stream::iter((0..units.number).map(Ok))
        .try_for_each_concurrent(UNITS_AT_ONCE, |number| {
            let (compared, source, target) = (&compared, source, target);
            async move {
                let unit = UnitId {
                    collection: plan.index,
                    number,
                };
                let known = session.agent.verdict(&plan.job, unit)?;
                let verdict = match known.filter(|verdict| verdict.round == units.round) {
                    Some(verdict) => verdict,
                    None => {
                        let verdict = compare_one(source, target, unit, units.round).await?;
                        keep(session, &plan.job, unit, &verdict).await?;
                        verdict
                    }
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
    collect(session, plan, units.number)
}

async fn compare_one(
    source: &SourceAgent<'_>,
    target: &MilvusTarget,
    unit: UnitId,
    round: u32,
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
    Ok(Verdict {
        round,
        rows,
        source_duplicates: theirs.duplicates,
        source_duplicate_keys: theirs.duplicate_keys,
        differences,
        differences_total,
    })
}

/// Journals what came out of comparing a unit.
async fn keep(
    session: &Session,
    job: &JobName,
    unit: UnitId,
    verdict: &Verdict,
) -> Result<(), Fault> {
    let points = session.agent.journal.points();
    points.pass("target.unit.verdict.before");
    session.agent.put_verdict(job, unit, verdict).await?;
    points.pass("target.unit.verdict.after");
    Ok(())
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
