//! Puts the agent together, and takes it apart in order.

use crate::agent::Agent;
use crate::followings::Followings;
use crate::jobs::Operator;
use crate::ledgers::Ledgers;
use crate::owners::Owners;
use crate::session;
use crate::turns::Turns;
use crate::writer::pace::Pace;
use channel::Channel;
use control::{Board, Listener};
use model::{Fault, Incarnation, Scope};
use protocol::Role;
use runtime::Config;
use runtime::budget::Budget;
use runtime::config::{Reach, Renewals};
use runtime::journal::{CrashPoints, DiskJournal, Journal};
use runtime::shutdown::{Shutdown, Step};
use runtime::telemetry::Metrics;
use std::sync::Arc;
use storage::Storage;
use tokio::sync::watch;

/// How many sources may be linked at once, where this side listens.
const SESSIONS_AT_ONCE: usize = 4;

/// The part of the configured memory that is granted to the lanes of a session as credit. It is small: a lane may be a part of a batch
/// ahead of it, each part is held again as a request to Milvus, and there are buffers of connections and the program itself.
const BATCHES_SHARE: u64 = 64;

/// The part of it that rows may take which are read to be compared.
const READS_SHARE: u64 = 8;

/// Runs the agent until `shutdown`: sessions end, and what they began is found again the next time.
///
/// # Errors
/// What keeps the agent from starting.
pub async fn serve(config: Config, renewals: Renewals, shutdown: Shutdown) -> Result<(), Fault> {
    // First of all: what is counted before is lost.
    let metrics = Metrics::start()?;
    let incarnation = Incarnation::new(uuid::Uuid::now_v7().as_u128());
    let points = CrashPoints::from_environment().map_err(control::invalid_environment)?;
    let journal: Arc<dyn Journal> = Arc::new(DiskJournal::open(&config.agent.state_dir, points)?);
    let admin = Listener::bind(&config.admin).await?;
    let hello = channel::hello(Role::Target, &config, incarnation);
    let lanes = u64::from(hello.data_lanes);
    let Channel { transport, terms } = channel::open(&config, hello).await?;
    let Some(milvus) = milvus::connect_patiently(&config.milvus, shutdown.requested()).await?
    else {
        return Ok(());
    };
    let storage = config
        .storage
        .as_ref()
        .map(Storage::open_to_write)
        .transpose()?;
    let agent = Arc::new(Agent {
        milvus,
        ledgers: Ledgers::new(journal.clone()),
        followings: Followings::new(journal.clone()),
        journal,
        owners: Owners::default(),
        turns: Turns::default(),
        board: Board::default(),
        scope: Scope {
            allow: config.scope.include.clone(),
            deny: config.scope.exclude.clone(),
        },
        creating_database: tokio::sync::Mutex::default(),
        pace: Pace::new(usize::from(config.limits.writers)),
        storage,
        reads: Budget::new("verifier", config.limits.memory_bytes / READS_SHARE),
        lane_bytes: config.limits.memory_bytes / BATCHES_SHARE / lanes.max(1),
        caller: watch::Sender::new(None),
    });
    agent.post_all()?;
    agent.clear_all_staging().await?;
    let at_once = if matches!(config.channel.reach, Reach::Listen(_)) {
        SESSIONS_AT_ONCE
    } else {
        1
    };
    // Writes that are under way come to their end with their session, and are noted.
    let sessions = shutdown.tasks(Step::Confirm);
    sessions.spawn(
        "sessions",
        session::keep(agent.clone(), transport, at_once, sessions.stop_token()),
    );
    let renewing = shutdown.tasks(Step::Close);
    let operators = admin.operators();
    let take = move |config: &Config| {
        terms.take(config);
        operators.take(config);
    };
    renewing.spawn("renewals", renewals.take(renewing.stop_token(), take));
    control::attend(
        admin,
        Arc::new(Operator(agent)),
        metrics,
        &config,
        &shutdown,
    )
    .await
}
