//! Puts the agent together, and takes it apart in order.

use crate::agent::{Agent, Limits};
use crate::copying::Confirmations;
use crate::following::Followings;
use crate::jobs::{Operator, Registry};
use crate::reader::changes::kafka::Kafka;
use crate::reader::changes::nats::Nats;
use crate::reader::changes::pulsar::Pulsar;
use crate::reader::changes::rocksmq::RocksMq;
use crate::reader::changes::{Log, Queue};
use crate::reader::segments::Proofs;
use crate::session;
use channel::Channel;
use control::{Board, Listener};
use model::{Fault, Incarnation, Scope};
use protocol::Role;
use runtime::Config;
use runtime::budget::Budget;
use runtime::config::{QueueSection, Renewals, SpoolSection};
use runtime::journal::{CrashPoints, DiskJournal};
use runtime::rate::RateLimit;
use runtime::shutdown::{Shutdown, Step};
use runtime::telemetry::Metrics;
use std::sync::Arc;
use storage::Storage;
use tokio::sync::{Semaphore, watch};

/// The part of the configured memory that a batch should have, and the most bytes of it: every query costs the source a walk over
/// whole segments, so that a batch should be large; several must fit into the memory, and into the server's patience.
const BATCH_SHARE: u64 = 128;
const MOST_BATCH_BYTES: u64 = 8 << 20;

/// The part of the memory that all batches may take at most; the rest is for what is cut, compressed and encoded of them, buffers of
/// connections, and the program itself.
const ROWS_SHARE: u64 = 4;

/// The part of the memory for what is remembered of one collection's segments: deleted keys above all. And how many files' rows are in
/// memory at a time: of 16 MiB each, where Milvus is left as it comes.
const SEGMENTS_SHARE: u64 = 4;
const SEGMENT_PLACES: usize = 2;

/// Runs the agent until `shutdown`: no new work is begun then, the session ends, and jobs go on from their journal the next time.
///
/// # Errors
/// What keeps the agent from starting.
pub async fn serve(config: Config, renewals: Renewals, shutdown: Shutdown) -> Result<(), Fault> {
    // First of all: what is counted before is lost.
    let metrics = Metrics::start()?;
    let incarnation = Incarnation::new(uuid::Uuid::now_v7().as_u128());
    let points = CrashPoints::from_environment().map_err(control::invalid_environment)?;
    let journal = Arc::new(DiskJournal::open(&config.agent.state_dir, points)?);
    let admin = Listener::bind(&config.admin).await?;
    let hello = channel::hello(Role::Source, &config, incarnation);
    let Channel { transport, terms } = channel::open(&config, hello).await?;
    let Some(milvus) = milvus::connect_patiently(&config.milvus, shutdown.requested()).await?
    else {
        return Ok(());
    };
    let log = open_log(&config).await?;
    let storage = config.storage.as_ref().map(Storage::open).transpose()?;
    let readers = usize::from(config.limits.readers);
    // One for each reader: who has read a batch reads the next when that is sent.
    let batches = readers as u64;
    let memory_bytes = config.limits.memory_bytes;
    let batch_bytes = (memory_bytes / BATCH_SHARE)
        .min(memory_bytes / ROWS_SHARE / batches)
        .min(MOST_BATCH_BYTES);
    let agent = Arc::new(Agent {
        incarnation,
        milvus,
        journal,
        board: Board::default(),
        scope: Scope {
            allow: config.scope.include.clone(),
            deny: config.scope.exclude.clone(),
        },
        limits: Limits {
            readers,
            batch_bytes: batch_bytes as usize,
            segment_bytes: (memory_bytes / SEGMENTS_SHARE) as usize,
            import_bytes: config.limits.import_bytes,
        },
        budget: Budget::new("source", batches * batch_bytes),
        bytes_rate: RateLimit::per_second(config.limits.bytes_per_second),
        rows_rate: RateLimit::per_second(config.limits.rows_per_second),
        log,
        storage,
        proofs: Proofs::default(),
        segment_places: Semaphore::new(SEGMENT_PLACES),
        confirmations: Confirmations::default(),
        followings: Followings::default(),
        sessions: watch::Sender::new(None),
        no_link: watch::Sender::new(session::no_link()),
    });
    let jobs = shutdown.tasks(Step::Finish);
    let operator = Operator(Arc::new(Registry::new(agent.clone(), jobs.clone())));
    agent.keep_spool()?;
    operator.0.resume_all()?;
    jobs.spawn(
        "session",
        session::keep(
            agent.clone(),
            operator.clone(),
            transport,
            jobs.stop_token(),
        ),
    );
    let renewing = shutdown.tasks(Step::Close);
    let (bytes_rate, rows_rate) = (agent.bytes_rate.clone(), agent.rows_rate.clone());
    let operators = admin.operators();
    let take = move |config: &Config| {
        terms.take(config);
        operators.take(config);
        bytes_rate.change(config.limits.bytes_per_second);
        rows_rate.change(config.limits.rows_per_second);
    };
    renewing.spawn("renewals", renewals.take(renewing.stop_token(), take));
    control::attend(admin, Arc::new(operator), metrics, &config, &shutdown).await
}

/// Opens Milvus's log, where one is configured.
async fn open_log(config: &Config) -> Result<Option<Arc<Log>>, Fault> {
    let Some(section) = &config.log else {
        return Ok(None);
    };
    let queue = match &section.queue {
        QueueSection::RocksMq { path, library } => {
            let scratch = config.agent.state_dir.join("log");
            Queue::RocksMq(RocksMq::open(path, library.as_deref(), &scratch).await?)
        }
        QueueSection::Nats(section) => Queue::Nats(Nats::open(section)?),
        QueueSection::Kafka(section) => Queue::Kafka(Kafka::open(section)?),
        QueueSection::Pulsar(section) => Queue::Pulsar(Pulsar::open(section)?),
    };
    let mut log = Log::new(queue);
    if let Some(SpoolSection { path, quota_bytes }) = &section.spool {
        let beside = config.agent.state_dir.join("spool");
        log = log.spooled(path.as_ref().unwrap_or(&beside), *quota_bytes)?;
    }
    Ok(Some(Arc::new(log)))
}
