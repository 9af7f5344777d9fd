//! Preflight: which collections, may they be given, can the target take them. Changes nothing on either side.

mod live;
mod readable;

use super::{Job, StepError};
use crate::reader::rows::MilvusRows;
use crate::records::{CollectionRecord, JobRecord};
use crate::session::Session;
use milvus::Kind;
use model::job::Mode;
use model::selection::Pattern;
use model::{
    Class, CollectionIndex, CollectionName, CollectionPhase, DatabaseSpec, Fault, Finding, JobName,
    KeyRange, LoadState, Phase, Severity, codes,
};
use protocol::call::CollectionPlan;
use protocol::{Answer, Call};
use readable::Readable;
use std::collections::BTreeMap;

impl Job {
    /// Finds and checks the job's collections. A job with a finding that blocks it does not start; a dry run ends here.
    #[tracing::instrument(name = "prepare", skip_all)]
    pub(super) async fn prepare(
        &self,
        session: &Session,
        record: &mut JobRecord,
    ) -> Result<(), StepError> {
        record.phase = Phase::Preparing;
        self.agent.put_job(record).await?;
        self.agent.post(&self.name)?;
        let mut findings = Vec::new();
        let mut collections = Vec::new();
        for plan in self.first_plans(record).await? {
            let checked = self.check(session, record, plan, &mut findings).await?;
            collections.push(checked);
        }
        let blocking = findings
            .iter()
            .find(|finding| finding.severity == Severity::Blocked)
            .cloned();
        record.findings = findings;
        match blocking {
            Some(finding) => {
                self.agent.put_job(record).await?;
                Err(blocked(record, &finding).into())
            }
            None => {
                record.phase = if record.spec.dry_run {
                    Phase::Completed
                } else {
                    Phase::Copying
                };
                record.ended_ms = record.spec.dry_run.then(runtime::clock::unix_ms);
                self.agent
                    .journal
                    .points()
                    .pass("source.job.prepared.before");
                self.agent.put_prepared(record, &collections).await?;
                self.agent
                    .journal
                    .points()
                    .pass("source.job.prepared.after");
                self.agent.post(&self.name)?;
                Ok(())
            }
        }
    }

    /// The collections that the job means from the first, in the order of their names.
    async fn first_plans(&self, record: &JobRecord) -> Result<Vec<CollectionPlan>, StepError> {
        let databases = self.agent.milvus.databases().await.map_err(Fault::from)?;
        let names = self.names(&databases).await?;
        if let Some(pattern) = record.spec.selection.idle_patterns(&names).first() {
            return Err(means_nothing(&self.name, pattern, &databases).into());
        }
        let plans = self.plans(record, &databases, names).await?;
        refuse_clashes(&plans)?;
        Ok(plans)
    }

    /// The names of all collections of the source, in their order.
    pub(super) async fn names(
        &self,
        databases: &[DatabaseSpec],
    ) -> Result<Vec<CollectionName>, Fault> {
        let mut names = Vec::new();
        for DatabaseSpec { name: database, .. } in databases {
            let milvus = self.agent.milvus.in_database(database);
            let found = milvus.list_collections().await?;
            names.extend(
                found
                    .into_iter()
                    .map(|name| CollectionName::new(database, name)),
            );
        }
        names.sort();
        Ok(names)
    }

    /// The collections of these names that the job means.
    pub(super) async fn plans(
        &self,
        record: &JobRecord,
        databases: &[DatabaseSpec],
        names: Vec<CollectionName>,
    ) -> Result<Vec<CollectionPlan>, Fault> {
        let selection = &record.spec.selection;
        let mut plans = Vec::new();
        for name in names.into_iter().filter(|name| selection.means(name)) {
            self.agent.scope.admit(&name)?;
            let milvus = self.agent.milvus.in_database(&name.database);
            let source = match milvus.describe_collection(&name.collection).await {
                // Dropped since it was listed.
                Err(error) if error.kind() == Kind::CollectionNotFound => continue,
                described => described?,
            };
            let index = CollectionIndex::new(plans.len() as u32);
            let Some(database) = databases
                .iter()
                .find(|database| database.name == name.database)
                .cloned()
            else {
                continue;
            };
            plans.push(CollectionPlan {
                job: self.name.clone(),
                index,
                database,
                source,
                target: selection.target_name(&name),
            });
        }
        Ok(plans)
    }

    /// Looks at one collection from both sides.
    pub(super) async fn check(
        &self,
        session: &Session,
        record: &JobRecord,
        plan: CollectionPlan,
        findings: &mut Vec<Finding>,
    ) -> Result<CollectionRecord, StepError> {
        let Answer::Checked {
            findings: theirs,
            skip,
            no_import,
            imports,
        } = session.ask(Call::CheckCollection(plan.clone())).await?
        else {
            return Err(Fault::new(
                codes::PROTOCOL_VIOLATION,
                Class::Permanent,
                "the target did not answer a check",
                "",
            )
            .into());
        };
        let Readable {
            is_empty,
            from_segments,
            is_shipped,
            ships_grouped,
            findings: found,
        } = self
            .readable(record, &plan.source, no_import, imports)
            .await?;
        findings.extend(found);
        findings.extend(live::check(&self.agent, record, &plan.source, is_empty).await);
        findings.extend(theirs);
        let rows_total = match (is_empty, plan.source.load) {
            (true, _) => Some(0),
            // Reading the files counts them.
            (false, LoadState::Loaded { .. }) if !from_segments => {
                MilvusRows::new(&self.agent, &plan.source, false)
                    .await?
                    .count(None, &KeyRange::all())
                    .await?
            }
            (false, _) => None,
        };
        if record.spec.mode == Mode::Live && !skip {
            let found = live::check_retention(&self.agent, &plan.source, rows_total).await?;
            findings.extend(found);
        }
        let phase = if skip {
            CollectionPhase::Skipped
        } else {
            CollectionPhase::Waiting
        };
        Ok(CollectionRecord {
            plan,
            phase,
            start: vec![],
            beginning: 0,
            from_segments,
            is_shipped,
            ships_grouped,
            is_divided: false,
            is_listed: false,
            next_listed: (0, 0),
            rows_total,
            copied: (0, 0),
            loaded_for_job: false,
            is_empty,
            report: None,
        })
    }
}

/// A pattern means no collection: for want of the database, of the one collection that it names, or of any that fits.
fn means_nothing(job: &JobName, pattern: &Pattern, databases: &[DatabaseSpec]) -> Fault {
    let is_there = |name: &str| databases.iter().any(|database| database.name == name);
    let (code, what) = match (pattern.database(), pattern.collection()) {
        (Some(database), _) if !is_there(database) => (
            codes::DATABASE_NOT_FOUND,
            format!("the source has no database {database}"),
        ),
        (Some(_), Some(_)) => (
            codes::COLLECTION_NOT_FOUND,
            format!("the source has no collection {pattern}"),
        ),
        _ => (
            codes::SELECTION_EMPTY,
            format!("{pattern} means no collection of the source"),
        ),
    };
    let hint = "check the spelling of database and collection, and that Milvus's user may see them";
    Fault::new(code, Class::Permanent, format!("job {job}: {what}"), hint)
}

fn refuse_clashes(plans: &[CollectionPlan]) -> Result<(), Fault> {
    let mut taken: BTreeMap<&CollectionName, &CollectionName> = BTreeMap::new();
    for plan in plans {
        if let Some(other) = taken.insert(&plan.target, &plan.source.name) {
            let message = format!(
                "collections {other} and {} would both be called {} on the target",
                plan.source.name, plan.target
            );
            return Err(Fault::new(
                codes::NAME_CLASH,
                Class::Permanent,
                message,
                "change the rules under `rename` in the job file",
            ));
        }
    }
    Ok(())
}

fn blocked(record: &JobRecord, finding: &Finding) -> Fault {
    let others = record
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Blocked)
        .count()
        - 1;
    let more = if others == 0 {
        String::new()
    } else {
        format!(" (and {others} more)")
    };
    let message = format!(
        "job {} can't start: {}: {}{more}",
        record.spec.name, finding.subject, finding.text
    );
    Fault::new(
        &finding.code,
        Class::Permanent,
        message,
        "`job show` lists everything that preflight found; nothing was changed",
    )
}
