//! Collections that are made while a live job runs, and that it means: they join it.

use super::cutover::Live;
use super::{Job, StepError};
use crate::records::JobRecord;
use crate::session::Session;
use model::{CollectionIndex, CollectionName, CollectionPhase, Fault, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often it is looked for new ones. Their messages are in topics that nobody need read yet.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Job {
    /// Takes up every collection that joins, until the job has cut over.
    pub(super) async fn let_join(
        &self,
        session: &Session,
        record: &JobRecord,
        live: &Live,
    ) -> Result<(), StepError> {
        loop {
            tokio::select! {
                () = live.wait_committed() => break,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            match self.take_up(session, record, live).await {
                Err(fault) if fault.may_pass() => {
                    tracing::debug!(error = %fault, "it is not looked for new collections");
                }
                outcome => outcome?,
            }
        }
        *live.joining.lock().await = None;
        Ok(())
    }

    /// Takes up the collections that are new, and notes what keeps others from joining.
    pub(super) async fn take_up(
        &self,
        session: &Session,
        record: &JobRecord,
        live: &Live,
    ) -> Result<(), Fault> {
        let joining = live.joining.lock().await;
        let Some(joining) = joining.as_ref() else {
            return Ok(());
        };
        let databases = self.agent.milvus.databases().await?;
        let mut names = self.names(&databases).await?;
        // Whether a name still means the collection that it did, others find out.
        let known = self.agent.collections(&self.name)?;
        let there: BTreeSet<&CollectionName> = known
            .iter()
            .filter(|known| known.phase != CollectionPhase::Dropped)
            .map(|known| &known.plan.source.name)
            .collect();
        names.retain(|name| !there.contains(name));
        let mut left_out = BTreeMap::new();
        for mut plan in self.plans(record, &databases, names).await? {
            let known = self.agent.collections(&self.name)?;
            let ids: BTreeSet<i64> = known.iter().map(|known| known.plan.source.id).collect();
            if ids.contains(&plan.source.id) {
                continue;
            }
            let name = plan.source.name.clone();
            let mut there = known
                .iter()
                .filter(|known| known.phase != CollectionPhase::Dropped);
            if there.any(|known| known.plan.target == plan.target) {
                let text = format!("can't join: another collection is called {}", plan.target);
                left_out.insert(name, text);
                continue;
            }
            plan.index = CollectionIndex::new(known.len() as u32);
            let mut findings = Vec::new();
            let newcomer = self.check(session, record, plan, &mut findings).await;
            let newcomer = newcomer.map_err(StepError::into_fault)?;
            findings.retain(|found| found.severity == Severity::Blocked);
            if let Some(finding) = findings.first() {
                left_out.insert(name, format!("can't join: {}", finding.text));
                continue;
            }
            tracing::info!(collection = %name, "it is new, and joins");
            self.agent.put_collection(&newcomer).await?;
            // Nobody takes it any more when the session is over: the next one finds it in the journal.
            let _ = joining.send(newcomer).await;
        }
        live.set_left_out(left_out);
        Ok(())
    }
}
