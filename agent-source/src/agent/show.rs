//! What operators see of the jobs, on this side and, through notes, on the other.

use super::Agent;
use crate::copying::Arrived;
use crate::following::NEAR;
use crate::job::StepError;
use crate::records::{CollectionRecord, JobRecord};
use model::report::CollectionReport;
use model::{
    ChangesStatus, CollectionPhase, CollectionStatus, Difference, Fault, JobName, JobStatus, Phase,
    Verification, VerifyReport,
};
use protocol::call::CollectionPlan;
use runtime::journal::JournalError;
use runtime::telemetry::metric_names::{CHANGES_HEADROOM, CHANGES_LAG, CHANGES_UNPROVEN};
use std::time::Duration;
use tokio::sync::watch;

/// How often progress is shown while rows arrive.
const SHOW_EVERY: Duration = Duration::from_millis(200);

impl Agent {
    /// Puts up a job's status as the journal has it.
    pub(crate) fn post(&self, job: &JobName) -> Result<(), Fault> {
        let record = self.job(job)?;
        let collections = self.collections(job)?;
        self.board.post(status(record, &collections));
        Ok(())
    }

    /// Shows what a job waits for; `None` when it goes on.
    pub(crate) fn show_cause(&self, job: &JobName, cause: Option<Fault>) {
        self.board.change(job, |status| {
            if !status.phase.is_terminal() {
                status.cause = cause;
            }
        });
    }

    /// Shows a collection, and the job's phase that follows from all of them.
    pub(super) fn show_collection(&self, record: &CollectionRecord) {
        self.board.change(&record.plan.job, |status| {
            let place = record.plan.index.number() as usize;
            let shown = collection_status(record);
            match status.collections.get_mut(place) {
                Some(former) => *former = shown,
                // It joins the job; others that do follow in the order of their indexes.
                None => status.collections.push(shown),
            }
            status.phase = shown_phase(status.phase, &status.collections);
        });
    }

    /// Shows rows as they arrive, for as long as it is polled.
    pub(crate) async fn show_arrivals(
        &self,
        plan: &CollectionPlan,
        mut arrivals: watch::Receiver<Arrived>,
    ) {
        loop {
            let Arrived { rows, bytes, .. } = *arrivals.borrow_and_update();
            self.change_collection(plan, |shown| {
                (shown.rows_copied, shown.bytes_copied) = (rows, bytes)
            });
            if arrivals.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(SHOW_EVERY).await;
        }
    }

    /// Shows a comparison as running while it does, and its outcome.
    pub(crate) async fn showing_verification(
        &self,
        plan: &CollectionPlan,
        comparison: impl Future<Output = Result<CollectionReport, StepError>>,
    ) -> Result<CollectionReport, StepError> {
        self.change_collection(plan, |shown| shown.verification = Verification::Running);
        let report = comparison.await?;
        self.change_collection(plan, |shown| {
            shown.verification = report.outcome.clone();
            shown.rows_verified = report.rows;
        });
        Ok(report)
    }

    /// Shows how a collection's changes are followed, and the job's phase that follows from that.
    pub(crate) fn show_following(
        &self,
        plan: &CollectionPlan,
        changes: ChangesStatus,
        verification: Verification,
        cuts_over: bool,
    ) {
        let labels = labels(plan);
        if let Some(lag_ms) = changes.lag_ms {
            metrics::gauge!(CHANGES_LAG, &labels).set(lag_ms as f64 / 1e3);
        }
        if let Some(headroom_ms) = changes.headroom_ms {
            metrics::gauge!(CHANGES_HEADROOM, &labels).set(headroom_ms as f64 / 1e3);
        }
        metrics::gauge!(CHANGES_UNPROVEN, &labels).set(changes.unproven as f64);
        self.board.change(&plan.job, |status| {
            if let Some(shown) = status.collections.get_mut(plan.index.number() as usize) {
                shown.changes = Some(changes);
                shown.verification = verification;
            }
            status.phase = match shown_phase(status.phase, &status.collections) {
                Phase::CatchingUp | Phase::Syncing if cuts_over => Phase::CuttingOver,
                phase => phase,
            };
        });
    }

    /// Shows that a collection is followed no longer: nothing is behind, and the log may be gone.
    pub(crate) fn show_followed(&self, plan: &CollectionPlan) {
        let labels = labels(plan);
        metrics::gauge!(CHANGES_LAG, &labels).set(0.0);
        metrics::gauge!(CHANGES_UNPROVEN, &labels).set(0.0);
        metrics::gauge!(CHANGES_HEADROOM, &labels).set(f64::INFINITY);
    }

    /// Shows the rows of a followed collection that differ as its report, until none does.
    pub(crate) fn show_differences(&self, plan: &CollectionPlan, differences: Vec<Difference>) {
        self.board.change(&plan.job, |status| {
            let reports = status.report.get_or_insert_default();
            let name = &plan.source.name;
            reports.collections.retain(|report| report.source != *name);
            if let Some(shown) = status.collections.get(plan.index.number() as usize)
                && !differences.is_empty()
            {
                reports.collections.push(CollectionReport {
                    source: name.clone(),
                    target: plan.target.clone(),
                    outcome: shown.verification.clone(),
                    rows: shown.rows_verified,
                    ranges: 0,
                    source_duplicates: 0,
                    source_duplicate_keys: vec![],
                    differences_total: differences.len() as u64,
                    differences: first(differences),
                });
            }
            let place = |report: &CollectionReport| {
                let mut all = status.collections.iter();
                all.position(|shown| shown.source == report.source)
            };
            reports.collections.sort_by_key(place);
            if reports.collections.is_empty() {
                status.report = None;
            }
        });
    }

    /// Changes what is shown of one collection.
    pub(crate) fn change_collection(
        &self,
        plan: &CollectionPlan,
        change: impl FnOnce(&mut CollectionStatus),
    ) {
        self.board.change(&plan.job, |status| {
            if let Some(shown) = status.collections.get_mut(plan.index.number() as usize) {
                change(shown);
            }
        });
    }

    /// Shows that a job waits for the link, and why there is none.
    pub(crate) fn show_no_link(&self, job: &JobName) {
        let cause = self.no_link.borrow().clone();
        self.show_cause(job, Some(cause));
    }

    /// Puts up every job that the journal has.
    pub(crate) fn post_all(&self) -> Result<Vec<JobRecord>, JournalError> {
        let records = self.jobs()?;
        for record in &records {
            let collections = self.collections(&record.spec.name)?;
            self.board.post(status(record.clone(), &collections));
        }
        Ok(records)
    }
}

/// As many as a report names.
fn first(mut differences: Vec<Difference>) -> Vec<Difference> {
    differences.truncate(CollectionReport::MAX_NAMED);
    differences
}

fn status(record: JobRecord, collections: &[CollectionRecord]) -> JobStatus {
    let mut shown: Vec<_> = collections.iter().map(collection_status).collect();
    let phase = if record.verifying_again {
        Phase::Verifying
    } else {
        record.phase
    };
    if phase.is_terminal() {
        // A job that ended before its time compares nothing any more.
        for collection in &mut shown {
            if collection.verification == Verification::Running {
                collection.verification = Verification::NotRun;
            }
        }
    }
    let reports: Vec<_> = collections
        .iter()
        .filter_map(|collection| collection.report.clone())
        .collect();
    JobStatus {
        phase: shown_phase(phase, &shown),
        spec: record.spec,
        cause: record.cause,
        created_ms: record.created_ms,
        ended_ms: record.ended_ms,
        findings: record.findings,
        collections: shown,
        report: (!reports.is_empty()).then_some(VerifyReport {
            collections: reports,
        }),
    }
}

fn collection_status(record: &CollectionRecord) -> CollectionStatus {
    let verification = match (&record.report, record.phase) {
        (Some(report), CollectionPhase::Done) => report.outcome.clone(),
        (_, CollectionPhase::Verifying) => Verification::Running,
        _ => Verification::NotRun,
    };
    CollectionStatus {
        source: record.plan.source.name.clone(),
        target: record.plan.target.clone(),
        phase: record.phase,
        rows_copied: record.copied.0,
        rows_total: record.rows_total,
        bytes_copied: record.copied.1,
        rows_verified: record.report.as_ref().map_or(0, |report| report.rows),
        verification,
        changes: None,
    }
}

/// The phase of a job of which every collection is followed, or further.
fn following_phase(collections: &[CollectionStatus]) -> Phase {
    let is_near = |shown: &CollectionStatus| {
        let lag = shown.changes.and_then(|changes| changes.lag_ms);
        shown.phase != CollectionPhase::Following
            || lag.is_some_and(|lag| u128::from(lag) <= NEAR.as_millis())
    };
    if collections.iter().all(is_near) {
        Phase::Syncing
    } else {
        Phase::CatchingUp
    }
}

/// The phase of a job under way is that of the collection that is least far.
fn shown_phase(journaled: Phase, collections: &[CollectionStatus]) -> Phase {
    if journaled.is_terminal() || journaled < Phase::Copying {
        return journaled;
    }
    match collections.iter().map(|collection| collection.phase).min() {
        Some(CollectionPhase::Waiting | CollectionPhase::Copying) | None => Phase::Copying,
        // What is left of a job of which all was dropped still looks out for collections that join.
        Some(CollectionPhase::Dropped) => Phase::Syncing,
        Some(CollectionPhase::Finishing) => Phase::Finishing,
        Some(CollectionPhase::Following) => following_phase(collections),
        Some(CollectionPhase::Verifying | CollectionPhase::Done | CollectionPhase::Skipped) => {
            Phase::Verifying
        }
    }
}

fn labels(plan: &CollectionPlan) -> [(&'static str, String); 2] {
    [
        ("job", plan.job.to_string()),
        ("collection", plan.source.name.to_string()),
    ]
}
