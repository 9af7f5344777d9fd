//! Live jobs: their agents, their cutover, and what must have arrived in the end.

use crate::agents::Pair;
use crate::churn::{self, Churn, ChurnPlan, Written};
use crate::oracle::Comparison;
use crate::servers::{Kind, Server};
use crate::{jobs, wait};
use anyhow::{Result, bail, ensure};
use model::{Phase, codes};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// For how long a cutover that is refused is ordered again.
const ORDER_LIMIT: Duration = Duration::from_secs(10);

/// A source that has a log, and a target, both 2.3.5.
///
/// # Errors
/// When one does not come up.
pub async fn servers() -> Result<(Server, Server)> {
    tokio::try_join!(Server::start(Kind::V2_3_5), Server::start(Kind::V2_3_5))
}

/// As [`servers`], with the source's log in another message queue: `natsmq` or `kafka`.
///
/// # Errors
/// When one does not come up.
pub async fn servers_with(queue: &str) -> Result<(Server, Server)> {
    let flags = ["--mq", queue];
    tokio::try_join!(
        Server::start_with(Kind::V2_3_5, &flags),
        Server::start(Kind::V2_3_5)
    )
}

/// Agents for these servers, the source's with its Milvus's log.
///
/// # Errors
/// When certificates or ports can't be had.
pub async fn pair(source: &Server, target: &Server) -> Result<Pair> {
    let mut pair = Pair::new(source, target).await?;
    pair.source.config["log"] = source.log_config();
    Ok(pair)
}

/// A live job of these collections with every other default.
#[must_use]
pub fn spec(name: &str, collections: &[&str]) -> Value {
    let mut spec = jobs::spec(name, collections);
    spec["mode"] = "live".into();
    spec
}

/// Writes to a collection of the source, and begins the live job of its name that moves it to the target.
///
/// # Errors
/// When the writer, an agent or the job does not start.
pub async fn begin(
    source: &Server,
    target: &Server,
    plan: &ChurnPlan<'_>,
) -> Result<(Churn, Pair)> {
    let churn = Churn::start(source, plan).await?;
    let mut pair = pair(source, target).await?;
    pair.start().await?;
    jobs::begin(&pair.source, &spec(plan.collection, &[plan.collection])).await?;
    Ok((churn, pair))
}

/// Waits until a job says that it could cut over: what an operator asks before writers are stopped.
///
/// # Errors
/// When it does not say so within the limit: with what is missing.
pub async fn ready(pair: &Pair, job: &str, limit: Duration) -> Result<()> {
    let what = format!("job {job} is ready");
    let ready = wait::until(&what, limit, || async {
        let status = jobs::show(&pair.source, job).await?;
        ensure!(!status.phase.is_terminal(), "{status:#?}");
        let told = jobs::cut_over(&pair.source, job, &["--dry-run"]).await?;
        Ok((told.code == 0).then_some(()))
    });
    match ready.await {
        Ok(()) => Ok(()),
        Err(error) => {
            let told = jobs::cut_over(&pair.source, job, &["--dry-run"]).await?;
            Err(error.context(told.err))
        }
    }
}

/// Nobody writes any more: the job takes the target live, and how long that took since the last write was acknowledged. Orders it
/// again, as an operator would, while it is refused because the target is further behind at that moment than it may be.
///
/// # Errors
/// When it does not: with its differences and the end of the log.
pub async fn cut_over(pair: &Pair, job: &str, last_ack_unix_ms: u64) -> Result<Duration> {
    let ordered = wait::until("a cutover that is not refused", ORDER_LIMIT, || async {
        let told = jobs::cut_over(&pair.source, job, &["--timeout", "60s"]).await?;
        Ok((!told.err.contains(codes::CUTOVER_NOT_READY)).then_some(told))
    });
    let told = ordered.await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    if told.code != 0 {
        let report = jobs::report(&pair.source, job).await;
        bail!("{told:?}\n{report:#?}\n{}", pair.source.log_tail());
    }
    let status = jobs::status_told(&told)?;
    ensure!(status.phase == Phase::Completed, "{status:#?}");
    Ok(now.saturating_sub(Duration::from_millis(last_ack_unix_ms)))
}

/// Holds the target's collection against the writer's record, and against the source.
///
/// # Errors
/// When anything differs: with the first differences.
pub async fn assert_arrived(
    source: &Server,
    target: &Server,
    collection: &str,
    written: &Written,
) -> Result<()> {
    churn::check(target, collection, written)
        .await?
        .assert_equal()?;
    let verdict = Comparison::of(source, target)
        .only(&[collection])
        .ignoring(&["schema:autoID"])
        .assert_equal(1)
        .await?;
    ensure!(verdict.rows > 0, "no row was compared");
    Ok(())
}
