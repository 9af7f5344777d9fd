//! What every session of this agent works with: the target Milvus, the journal, the units under way, and the board that shows it all.

mod store;

use crate::followings::Followings;
use crate::ledgers::Ledgers;
use crate::owners::Owners;
use crate::records::CollectionRecord;
use crate::turns::Turns;
use crate::writer::pace::Pace;
use crate::writer::staging::{self, Staging};
use control::Board;
use model::{Class, CollectionIndex, Fault, JobName, Scope, codes};
use runtime::budget::Budget;
use runtime::journal::Journal;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::Storage;

/// The agent's shared parts.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The target.
    pub(crate) milvus: milvus::Client,
    /// What survives a kill.
    pub(crate) journal: Arc<dyn Journal>,
    /// The units that are being written.
    pub(crate) ledgers: Ledgers,
    /// The collections whose changes are applied.
    pub(crate) followings: Followings,
    /// The sessions that own jobs.
    pub(crate) owners: Owners,
    /// Whose turn it is at each collection.
    pub(crate) turns: Turns,
    /// What operators see.
    pub(crate) board: Board,
    /// Which collections this side takes.
    pub(crate) scope: Scope,
    /// Held while a database is created: collections are created side by side.
    pub(crate) creating_database: tokio::sync::Mutex<()>,
    /// How many writes are under way.
    pub(crate) pace: Pace,
    /// The target's own storage, where files can be put for it to import.
    pub(crate) storage: Option<Storage>,
    /// What is held of rows that are read to be compared.
    pub(crate) reads: Budget,
    /// Bytes of batches that may be in memory on one lane.
    pub(crate) lane_bytes: u64,
    /// The session with the source, while there is one.
    pub(crate) caller: tokio::sync::watch::Sender<Option<channel::conversation::Caller>>,
}

impl Agent {
    /// Returns once the partitions of a collection that are to be dropped are, or the one that is asked for.
    ///
    /// # Errors
    /// Milvus's and the journal's.
    ///
    /// # Cancel safety
    /// As [`crate::drops::Drops::settle`].
    pub(crate) async fn settle_drops(
        &self,
        job: &JobName,
        index: CollectionIndex,
        only: Option<&str>,
    ) -> Result<(), Fault> {
        let drop = |partitions: BTreeSet<String>| async move {
            let target = self.begun_collection(job, index)?.plan.target;
            let milvus = self.milvus.in_database(&target.database);
            let points = self.journal.points();
            points.pass("target.partition.drop.before");
            milvus
                .drop_partitions(&target.collection, &partitions)
                .await?;
            points.pass("target.partition.drop.after");
            Ok(())
        };
        let drops = self.followings.drops(job, index);
        drops.settle(only, drop).await
    }

    /// Removes whatever is left of the files of a job that has ended. What can't be removed is looked at again when the agent starts.
    pub(crate) async fn clear_staging(&self, job: &JobName) {
        if let Some(storage) = &self.storage
            && let Err(error) = staging::remove_all(storage, job).await
        {
            tracing::warn!(%job, %error, "files that were to be imported are left");
        }
    }

    /// As [`Agent::clear_staging`], of every job that has ended.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) async fn clear_all_staging(&self) -> Result<(), Fault> {
        for record in self.jobs()? {
            let status = record.status.as_ref();
            if status.is_some_and(|status| status.phase.is_terminal()) {
                self.clear_staging(&record.spec.name).await;
            }
        }
        Ok(())
    }

    /// Where a collection's files wait to be imported.
    ///
    /// # Errors
    /// `storage_unusable` where there is no storage.
    pub(crate) fn staging<'a>(
        &'a self,
        record: &'a CollectionRecord,
    ) -> Result<Staging<'a>, Fault> {
        let storage = self.storage.as_ref().ok_or_else(|| {
            let name = &record.plan.target;
            let message = format!(
                "collection {name} is made of files, and the target's agent has no storage to put them in"
            );
            let hint = "give the target's agent its `storage` section again, and restart it";
            Fault::new(codes::STORAGE_UNUSABLE, Class::Operator, message, hint)
        })?;
        Ok(Staging::new(storage, record))
    }
}
