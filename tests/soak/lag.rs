//! How far the target is behind: while it catches up, and once it has.

use anyhow::{Context, Result};
use harness::agents::{Agent, Pair};
use harness::jobs;
use model::{CollectionPhase, CollectionStatus};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// How often it is looked at. The agent itself renews what it shows every 200 ms.
const EVERY: Duration = Duration::from_millis(100);

/// A target that is no further behind has caught up.
const CAUGHT_UP_MS: u64 = 1000;

/// How long the copy and the catching up may take.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(900);

/// What a collection's backlog was, and how fast it went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CatchUp {
    /// From the job's creation until changes were applied: so old was the backlog.
    pub(crate) arose: Duration,
    /// From then until the target was near.
    pub(crate) drained: Duration,
}

impl CatchUp {
    /// Changes applied against changes written, in the same time: what was written while it drained counts, too.
    pub(crate) fn speed(&self) -> f64 {
        // What is shorter than two looks is not measured.
        let drained = self.drained.max(2 * EVERY).as_secs_f64();
        (self.arose.as_secs_f64() + drained) / drained
    }
}

/// Waits until the target has caught up with these collections of a job that was just created; the catching up of the one that was
/// slowest at it.
pub(crate) async fn catch_up(
    pair: &Pair,
    job: &str,
    collections: &[&str],
    begun: Instant,
) -> Result<CatchUp> {
    let mut followed = BTreeMap::new();
    let mut caught_up = BTreeMap::new();
    let watched = async {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let status = jobs::show(&pair.source, job).await?;
            let now = Instant::now();
            for shown in &status.collections {
                let name = shown.source.collection.as_str();
                let Some(name) = collections.iter().find(|wanted| **wanted == name) else {
                    continue;
                };
                if shown.phase >= CollectionPhase::Following {
                    followed.entry(*name).or_insert(now);
                }
                if is_near(shown) {
                    caught_up.entry(*name).or_insert(now);
                }
            }
            if caught_up.len() == collections.len() {
                return Ok::<_, anyhow::Error>(());
            }
        }
    };
    timeout(CATCH_UP_LIMIT, watched)
        .await
        .context("the target did not catch up")??;
    let found = followed.iter().filter_map(|(name, since)| {
        Some(CatchUp {
            arose: since.duration_since(begun),
            drained: caught_up.get(name)?.duration_since(*since),
        })
    });
    let slowest = found.min_by(|one, other| one.speed().total_cmp(&other.speed()));
    slowest.context("there is a collection")
}

fn is_near(shown: &CollectionStatus) -> bool {
    let lag = shown.changes.and_then(|changes| changes.lag_ms);
    lag.is_some_and(|lag| lag <= CAUGHT_UP_MS)
}

/// Looks at the lag, in milliseconds, for as long as something else takes: that of the collection that is furthest behind, of those that
/// were caught up with. One that has just joined the job is behind by as long as it takes to copy it.
pub(crate) async fn sampled<T>(
    agent: &Agent,
    collections: &[&str],
    samples: &mut Vec<f64>,
    other: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::pin!(other);
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut other => return done,
            _ = looks.tick() => samples.extend(worst_lag(&agent.metrics().await?, collections)),
        }
    }
}

/// The highest lag of these collections on a page of metrics, in milliseconds.
fn worst_lag(page: &str, collections: &[&str]) -> Option<f64> {
    let is_meant = |line: &&str| {
        let named = |name: &&str| line.contains(&format!("collection=\"default.{name}\""));
        line.starts_with("passage_changes_lag_seconds{") && collections.iter().any(named)
    };
    let lags = page
        .lines()
        .filter(is_meant)
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    lags.max_by(f64::total_cmp).map(|seconds| seconds * 1e3)
}
