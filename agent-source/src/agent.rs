//! What every job of this agent works with: the source Milvus, the journal, the memory, the session, and the board that shows it all.

mod show;
mod store;

use crate::copying::Confirmations;
use crate::following::Followings;
use crate::reader::changes::Log;
use crate::session::Session;
use control::Board;
use model::{Fault, Incarnation, Scope, Tick};
use runtime::budget::{Budget, Permit};
use runtime::journal::Journal;
use runtime::rate::RateLimit;
use std::sync::Arc;
use tokio::sync::watch;

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
}

impl Agent {
    /// Waits until there is memory for another batch, and takes it.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn hold_batch(&self) -> Permit {
        self.budget.acquire(self.limits.batch_bytes as u64).await
    }

    /// The source's clock now; `None` where it does not tell it.
    pub(crate) async fn tick_now(&self) -> Result<Option<Tick>, Fault> {
        Ok(self.milvus.alloc_timestamp().await?.map(Tick::new))
    }

    /// Waits as long as reading so much must not be faster.
    pub(crate) async fn throttle(&self, rows: u64, bytes: u64) {
        self.rows_rate.take(rows).await;
        self.bytes_rate.take(bytes).await;
    }
}
