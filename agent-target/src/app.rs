//! Puts the agent together, and takes it apart in order.

use crate::agent::Agent;
use crate::jobs::Operator;
use crate::ledgers::Ledgers;
use crate::owners::Owners;
use crate::session;
use crate::writer::pace::Pace;
use control::{Board, Listener};
use model::{Fault, Incarnation, Scope};
use protocol::Role;
use runtime::Config;
use runtime::config::Reach;
use runtime::journal::{CrashPoints, DiskJournal, Journal};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How many sources may be linked at once, where this side listens.
const SESSIONS_AT_ONCE: usize = 4;

/// The part of the configured memory that batches of one session may take; the rest is for requests on their way to Milvus, buffers
/// of connections, and the program itself.
const BATCHES_SHARE: u64 = 4;

/// Runs the agent until `shutdown`: sessions end, and what they began is found again the next time.
///
/// # Errors
/// What keeps the agent from starting.
pub async fn serve(config: Config, shutdown: CancellationToken) -> Result<(), Fault> {
    let incarnation = Incarnation::new(uuid::Uuid::now_v7().as_u128());
    let points = CrashPoints::from_environment().map_err(control::invalid_environment)?;
    let journal: Arc<dyn Journal> = Arc::new(DiskJournal::open(&config.agent.state_dir, points)?);
    let admin = Listener::bind(&config.admin).await?;
    let hello = channel::hello(Role::Target, &config, incarnation);
    let lanes = u64::from(hello.data_lanes);
    let transport = channel::transport(&config.channel, hello).await?;
    let Some(milvus) = milvus::connect_patiently(&config.milvus, &shutdown).await? else {
        return Ok(());
    };
    let agent = Arc::new(Agent {
        milvus,
        ledgers: Ledgers::new(journal.clone()),
        journal,
        owners: Owners::default(),
        board: Board::default(),
        scope: Scope {
            allow: config.scope.include.clone(),
            deny: config.scope.exclude.clone(),
        },
        pace: Pace::new(usize::from(config.limits.writers)),
        lane_bytes: config.limits.memory_bytes / BATCHES_SHARE / lanes.max(1),
        caller: watch::Sender::new(None),
    });
    agent.post_all()?;
    let at_once = if matches!(config.channel.reach, Reach::Listen(_)) {
        SESSIONS_AT_ONCE
    } else {
        1
    };
    let linked = tokio::spawn(session::keep(
        agent.clone(),
        transport,
        at_once,
        shutdown.clone(),
    ));
    let outcome =
        control::attend(admin, Arc::new(Operator(agent)), &config, shutdown.clone()).await;
    shutdown.cancel();
    // A session ends with its tasks; a task that panicked has said so.
    let _ = linked.await;
    outcome
}
