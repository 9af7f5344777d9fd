//! Having Milvus import what was shipped.
//!
//! Milvus imports the same files as often as it is told to. So before an order goes out, one for the same files is looked for; and where
//! an earlier process, or a call without an answer, may have given one a moment ago, that is looked for twice, with a pause between. By
//! jobs, Milvus tells what an import is of only once it has looked at its files: one that is not told yet may be ours, and is waited for.
//!
//! Milvus forgets imports. So the time of an order is noted beside the files before it goes out; where none is found then, and so much time
//! has passed that it may have been forgotten, nothing is ordered again.

mod clock;
mod obstacle;

pub(crate) use obstacle::{imports, obstacle};

use crate::agent::Agent;
use crate::records::CollectionRecord;
use crate::writer::staging::{Staged, Staging};
use milvus::{Client, Import, ImportOrder, ImportState, ImportWay};
use model::{Class, CollectionName, Fault, codes};
use protocol::Cargo;
use std::time::{Duration, SystemTime};

/// How much earlier than Milvus does we believe that it has forgotten an import.
const FORGETS_EARLY: Duration = Duration::from_mins(10);

/// How long an order that was given and not answered takes at most until it is listed.
const LISTED_WITHIN: Duration = Duration::from_secs(5);

/// Imports the cargoes of one collection.
#[derive(Debug)]
pub(crate) struct Importer<'a> {
    agent: &'a Agent,
    milvus: Client,
    staging: Staging<'a>,
    target: &'a CollectionName,
    way: ImportWay,
}

impl<'a> Importer<'a> {
    /// For a collection that was created.
    ///
    /// # Errors
    /// `storage_unusable` where the agent has no storage any more; `import_failed` where its Milvus can't import any more.
    pub(crate) fn new(agent: &'a Agent, record: &'a CollectionRecord) -> Result<Self, Fault> {
        let target = &record.plan.target;
        let way = agent.milvus.capabilities().import;
        let no_way = || {
            let version = agent.milvus.version();
            let message =
                format!("collection {target}: files were shipped, and {version} can't import them");
            let hint = "run a Milvus that preflight allowed; or cancel the job, and create it anew";
            Fault::new(codes::IMPORT_FAILED, Class::Operator, message, hint)
        };
        Ok(Self {
            agent,
            milvus: agent.milvus.in_database(&target.database),
            staging: agent.staging(record)?,
            target,
            way: way.ok_or_else(no_way)?,
        })
    }

    /// Imports a cargo, all files of which are there: its rows are to be seen when this succeeds.
    ///
    /// # Cancel safety
    /// The next call finds the order that was given.
    ///
    /// # Errors
    /// `import_failed` with Milvus's reason, after which nothing of it is there and it may be tried again; `import_incomplete`;
    /// `import_unknown`; `clock_behind`; those of the storage and of Milvus.
    pub(crate) async fn import(
        &self,
        partition: Option<&str>,
        cargo: Cargo,
        is_in_doubt: bool,
    ) -> Result<u64, Fault> {
        let staged = self.ensure_staged(cargo).await?;
        if cargo.rows == 0 {
            return Ok(0);
        }
        let mut import = self.find(cargo.number, is_in_doubt).await?;
        if import.is_none() && is_in_doubt {
            tokio::time::sleep(LISTED_WITHIN).await;
            import = self.find(cargo.number, is_in_doubt).await?;
        }
        if import.is_none() && is_in_doubt {
            self.ensure_remembered(cargo.number).await?;
        }
        let import = match import {
            Some(import) => import,
            None => self.order(partition, cargo, staged).await?,
        };
        self.wait(import, cargo).await
    }

    async fn ensure_staged(&self, cargo: Cargo) -> Result<Staged, Fault> {
        let staged = self.staging.look(cargo.number).await?;
        if (staged.files, staged.bytes) == (cargo.files, cargo.bytes) {
            return Ok(staged);
        }
        let message = format!(
            "collection {}: {} has {} files of {} bytes, and {} of {} were shipped",
            self.target,
            self.staging.rows_for_milvus(cargo.number),
            staged.files,
            staged.bytes,
            cargo.files,
            cargo.bytes
        );
        let hint = "see who else writes to the folder `passage` of the target's storage; then cancel the job and create it anew";
        Err(Fault::new(
            codes::IMPORT_INCOMPLETE,
            Class::Permanent,
            message,
            hint,
        ))
    }

    /// The latest order to import a cargo, but for those that failed. In doubt, those that may be ours are waited for until that is told.
    async fn find(&self, cargo: u32, is_in_doubt: bool) -> Result<Option<Import>, Fault> {
        let mark = self.staging.mark(cargo);
        loop {
            let imports = self.milvus.imports(&self.target.collection).await?;
            let ours = latest(&imports, &mark);
            let is_clear = !is_in_doubt || !imports.iter().any(may_be_anyones);
            if ours.is_some() || is_clear {
                return Ok(ours.cloned());
            }
            tokio::time::sleep(self.look_every()).await;
        }
    }

    /// Makes sure that an import which is not found was not ordered, rather than forgotten.
    async fn ensure_remembered(&self, cargo: u32) -> Result<(), Fault> {
        let Some(ordered) = self.staging.ordered_at(cargo).await? else {
            return Ok(());
        };
        let now = SystemTime::now();
        if !is_forgotten(self.way, ordered, now) {
            return Ok(());
        }
        let message = format!(
            "collection {}: {} may have been imported already, longer ago than Milvus remembers imports",
            self.target,
            self.staging.rows_for_milvus(cargo)
        );
        let hint = "cancel the job, and create it anew with `on_conflict: replace`";
        Err(Fault::new(
            codes::IMPORT_UNKNOWN,
            Class::Permanent,
            message,
            hint,
        ))
    }

    /// How often an import is looked at. A job's progress costs Milvus a look at all its segments.
    fn look_every(&self) -> Duration {
        match self.way {
            ImportWay::Calls => Duration::from_millis(250),
            ImportWay::Jobs => Duration::from_millis(500),
        }
    }

    async fn order(
        &self,
        partition: Option<&str>,
        cargo: Cargo,
        staged: Staged,
    ) -> Result<Import, Fault> {
        if self.way == ImportWay::Jobs {
            clock::ensure_behind(&self.milvus, self.target, &self.staging, cargo).await?;
        }
        let rows = self.staging.rows_for_milvus(cargo.number);
        let deletes = self.staging.deletes_for_milvus(cargo.number);
        let order = ImportOrder {
            collection: &self.target.collection,
            partition,
            rows: &rows,
            deletes: staged.has_deletes.then_some(deletes.as_str()),
            is_grouped: cargo.is_grouped,
        };
        self.staging
            .note_order(cargo.number, SystemTime::now())
            .await?;
        let points = self.agent.journal.points();
        points.pass("target.import.order.before");
        let ordered = self.milvus.import(&order).await?;
        points.pass("target.import.order.after");
        let Some(id) = ordered else {
            return Err(failed(
                self.target,
                "Milvus took the order and gave it no number",
            ));
        };
        tracing::info!(collection = %self.target, files = rows, "import is ordered");
        Ok(self.milvus.import_state(id).await?)
    }

    async fn wait(&self, mut import: Import, cargo: Cargo) -> Result<u64, Fault> {
        loop {
            match &import.state {
                ImportState::Completed => break,
                ImportState::Failed { reason } => {
                    let fault = failed(self.target, reason);
                    // Nothing of it is there, however long ago it was ordered.
                    let now = SystemTime::now();
                    self.staging.note_order(cargo.number, now).await?;
                    return Err(fault);
                }
                ImportState::Pending | ImportState::Started | ImportState::Persisted => {}
            }
            tokio::time::sleep(self.look_every()).await;
            import = self.milvus.import_state(import.id).await?;
        }
        if import.rows == cargo.rows {
            tracing::info!(collection = %self.target, cargo = cargo.number, rows = cargo.rows, "imported");
            return Ok(import.rows);
        }
        let message = format!(
            "collection {}: Milvus made {} rows of files that hold {}",
            self.target, import.rows, cargo.rows
        );
        let hint = "cancel the job, and create it anew with `copy: rows`";
        Err(Fault::new(
            codes::IMPORT_INCOMPLETE,
            Class::Permanent,
            message,
            hint,
        ))
    }
}

/// The latest of the imports of files with this mark in their paths, but for those that failed.
fn latest<'a>(imports: &'a [Import], mark: &str) -> Option<&'a Import> {
    let is_ours = |import: &&Import| {
        let files = import.files.as_deref();
        files.is_some_and(|files| files.contains(mark)) && !has_failed(import)
    };
    imports
        .iter()
        .filter(is_ours)
        .max_by_key(|import| import.id)
}

/// Whether an import is under way of files that are not told yet.
fn may_be_anyones(import: &Import) -> bool {
    let is_under_way = !matches!(
        import.state,
        ImportState::Completed | ImportState::Failed { .. }
    );
    import.files.is_none() && is_under_way
}

fn has_failed(import: &Import) -> bool {
    matches!(import.state, ImportState::Failed { .. })
}

/// Whether an import that was ordered then may be forgotten now.
fn is_forgotten(way: ImportWay, ordered: SystemTime, now: SystemTime) -> bool {
    let passed = now.duration_since(ordered).unwrap_or_default();
    passed + FORGETS_EARLY >= way.remembered()
}

fn failed(collection: &CollectionName, reason: &str) -> Fault {
    let message =
        format!("collection {collection}: the target could not import its files: {reason}");
    let hint = "look into the target's log for the cause; it is tried again, and `copy: rows` in a new job does without importing";
    Fault::new(codes::IMPORT_FAILED, Class::Operator, message, hint)
}

#[cfg(test)]
mod tests;
