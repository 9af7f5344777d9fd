//! The fence of a cutover, where the job leaves it to the agent: the source's Milvus denies writes to the databases concerned.
//!
//! The journal knows of it first, so that it is lifted whatever happens: when the cutover is undone, or by the next agent after a crash.
//! A job that has cut over leaves it as it is, for the target has taken over. A database that denied writes before is left alone.

use super::Job;
use crate::records::CollectionRecord;
use milvus::Kind;
use model::{Class, CollectionPhase, Fault};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often a server is asked whether it denies writes by now: its proxies learn of it some seconds later.
const ASK_EVERY: Duration = Duration::from_millis(50);

impl Job {
    /// Has the source deny writes to the databases of the collections that are followed, and waits until it does.
    ///
    /// # Cancel safety
    /// What was ordered is in the journal: [`Self::lift_fence`] lifts it.
    pub(super) async fn set_fence(&self, collections: &[CollectionRecord]) -> Result<(), Fault> {
        let followed = collections
            .iter()
            .filter(|collection| collection.phase == CollectionPhase::Following)
            .map(|collection| &collection.plan.source.name);
        let mut record = self.agent.job(&self.name)?;
        let databases: BTreeSet<&String> = followed.clone().map(|name| &name.database).collect();
        for database in databases {
            if !self.agent.milvus.denies_writes(database).await? {
                record.fenced.push(database.clone());
            }
        }
        self.agent.put_job(&record).await?;
        for (index, database) in record.fenced.iter().enumerate() {
            tracing::warn!(job = %self.name, database, "the source is to deny writes");
            if let Err(error) = self.agent.milvus.deny_writes(database, true).await {
                // What was refused need not be lifted, nor could it be; what came before it is.
                if !error.is_outcome_unknown() {
                    record.fenced.truncate(index);
                    self.agent.put_job(&record).await?;
                }
                return Err(error.into());
            }
        }
        for name in followed {
            let milvus = self.agent.milvus.in_database(&name.database);
            while !milvus.refuses_writes(&name.collection).await? {
                tokio::time::sleep(ASK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Has the source take writes again that a cutover which was not made had it deny.
    ///
    /// # Errors
    /// What keeps it from that, for an operator to mend.
    pub(super) async fn lift_fence(&self) -> Result<(), Fault> {
        let mut record = self.agent.job(&self.name)?;
        if record.fenced.is_empty() {
            return Ok(());
        }
        for database in &record.fenced {
            match self.agent.milvus.deny_writes(database, false).await {
                Err(error) if error.kind() != Kind::DatabaseNotFound => {
                    return Err(not_lifted(error.into()));
                }
                _ => tracing::warn!(job = %self.name, database, "the source may take writes again"),
            }
        }
        record.fenced.clear();
        Ok(self.agent.put_job(&record).await?)
    }
}

fn not_lifted(fault: Fault) -> Fault {
    let hint = "the source still denies writes: mend this, and the job has it take them again; or set the database's property \
                database.force.deny.writing to false yourself";
    Fault::new(&fault.code, Class::Operator, fault.message, hint)
}
