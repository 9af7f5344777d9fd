//! What every job of this agent works with: the source Milvus, the journal, the memory, the session, and the board that shows it all.

mod show;
mod store;

use crate::copying::Confirmations;
use crate::following::{Following, Followings};
use crate::reader::changes::spool::Spool;
use crate::reader::changes::{Log, Queue};
use crate::reader::segments::Proofs;
use crate::records::CollectionRecord;
use crate::session::Session;
use control::Board;
use model::{
    CollectionName, CollectionPhase, CollectionSpec, Fault, Incarnation, JobName, Scope, Tick,
};
use runtime::budget::{Budget, Permit};
use runtime::journal::Journal;
use runtime::rate::RateLimit;
use std::sync::Arc;
use std::time::Duration;
use storage::Storage;
use tokio::sync::{Semaphore, watch};

/// How long one flush of the source may take.
const FLUSH_LIMIT: Duration = Duration::from_secs(300);

/// The agent's shared parts.
#[derive(Debug)]
pub(crate) struct Agent {
    /// This process.
    pub(crate) incarnation: Incarnation,
    /// The source.
    pub(crate) milvus: milvus::Client,
    /// What survives a kill.
    pub(crate) journal: Arc<dyn Journal>,
    /// What operators see.
    pub(crate) board: Board,
    /// Which collections this side gives.
    pub(crate) scope: Scope,
    /// How much may be done at once.
    pub(crate) limits: Limits,
    /// Memory for rows between reading and sending.
    pub(crate) budget: Budget,
    /// Bytes that may be read in a second.
    pub(crate) bytes_rate: RateLimit,
    /// Rows that may be read in a second.
    pub(crate) rows_rate: RateLimit,
    /// The source's log, where changes can be followed.
    pub(crate) log: Option<Arc<Log>>,
    /// The source's own storage, where its files can be read.
    pub(crate) storage: Option<Storage>,
    /// What segments say of the collections that are being compared with them.
    pub(crate) proofs: Proofs,
    /// Places for files of segments that are in memory, never closed.
    pub(crate) segment_places: Semaphore,
    /// The collections that await confirmations of batches.
    pub(crate) confirmations: Confirmations,
    /// The collections whose changes are followed.
    pub(crate) followings: Followings,
    /// The session with the target, while there is one.
    pub(crate) sessions: watch::Sender<Option<Session>>,
    /// Why there is none, as far as it is known.
    pub(crate) no_link: watch::Sender<Fault>,
}

/// Bounds on what is done at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Units of one collection that are read at the same time.
    pub(crate) readers: usize,
    /// Bytes of values that a batch should have.
    pub(crate) batch_bytes: usize,
    /// Bytes that what is remembered of a collection's segments may take.
    pub(crate) segment_bytes: usize,
    /// About how many bytes of files are imported at once.
    pub(crate) import_bytes: u64,
}

impl Agent {
    /// Waits until there is memory for another batch, and takes it.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn hold_batch(&self) -> Permit {
        self.budget.acquire(self.limits.batch_bytes as u64).await
    }

    /// Has the source write a collection's rows to files, and waits until it has.
    pub(crate) async fn flush(&self, name: &CollectionName) -> Result<(), Fault> {
        let milvus = self.milvus.in_database(&name.database);
        let flush = milvus.flush(&name.collection).await?;
        let written = milvus.wait_for_flush(&name.collection, &flush, FLUSH_LIMIT);
        Ok(written.await?)
    }

    /// The source's clock now; `None` where it does not tell it.
    pub(crate) async fn tick_now(&self) -> Result<Option<Tick>, Fault> {
        Ok(self.milvus.alloc_timestamp().await?.map(Tick::new))
    }

    /// What a job has followed is not followed any more.
    pub(crate) fn end_following(&self, job: &JobName) {
        self.followings.end(job);
        if let Some(spool) = self.spool() {
            spool.forget(job, None);
        }
    }

    /// Keeps the messages of the log that jobs of an earlier run of this agent go on with, and no others.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) fn keep_spool(&self) -> Result<(), Fault> {
        let Some(spool) = self.spool() else {
            return Ok(());
        };
        for job in self.jobs()? {
            let is_followed = |found: &CollectionRecord| found.phase <= CollectionPhase::Following;
            if !job.phase.is_terminal() {
                let collections = self.collections(&job.spec.name)?;
                for CollectionRecord { plan, start, .. } in
                    collections.into_iter().filter(is_followed)
                {
                    spool.want(&plan.job, plan.index, &start);
                }
            }
        }
        spool.sweep();
        Ok(())
    }

    /// What is kept of the log on this machine, where anything is.
    pub(crate) fn spool(&self) -> Option<&Spool<Queue>> {
        self.log.as_ref()?.spool()
    }

    /// Looks how far the log of a followed collection goes back, unless nothing depends on it.
    pub(crate) async fn look_at_log(&self, source: &CollectionSpec, following: &Following) {
        let Some(log) = self.log.as_ref().filter(|log| log.spool().is_none()) else {
            return;
        };
        match log.begins(&source.channels).await {
            Ok(tick) => following.handle_log_begin(tick),
            // Whoever follows it tells of it.
            Err(fault) => {
                tracing::debug!(error = %fault, "it is not known how far the log goes back")
            }
        }
    }

    /// Waits as long as reading so much must not be faster.
    pub(crate) async fn throttle(&self, rows: u64, bytes: u64) {
        self.rows_rate.take(rows).await;
        self.bytes_rate.take(bytes).await;
    }
}
