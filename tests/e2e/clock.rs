//! The wall clock of either host jumps by an hour, forward and back, while a job follows its source.

use crate::fleet;
use crate::live::{SYNC_LIMIT, flows};
use anyhow::{Context, Result};
use harness::agents::{Pair, Side};
use harness::churn::{Churn, ChurnPlan};
use harness::clock::Clock;
use harness::live::{assert_arrived, cut_over, pair, ready, servers, spec};
use harness::{faults, jobs, wait};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const COLLECTION: &str = "clocked";

const HOUR: i64 = 3600;

/// What the target may be behind on a machine that has other work: far less than a clock jumps.
const LAG_MS: u64 = 30_000;

/// How long two agents may take to find each other again.
const LINK_LIMIT: Duration = Duration::from_secs(60);

/// Waits until the target is known to be near.
async fn is_near(pair: &Pair) -> Result<()> {
    wait::until("the target to be near", SYNC_LIMIT, || async {
        let status = jobs::show(&pair.source, COLLECTION).await?;
        let changes = status.collections.first().and_then(|shown| shown.changes);
        let lag = changes.and_then(|changes| changes.lag_ms);
        Ok(lag.is_some_and(|lag| lag <= LAG_MS).then_some(()))
    })
    .await
}

/// Has the agents meet anew: certificates are looked at by the clock.
async fn meet_again(pair: &Pair) -> Result<()> {
    pair.link.cut();
    wait::within("an attempt in vain", LINK_LIMIT, async {
        pair.link.wait_tried_in_vain().await;
        Ok(())
    })
    .await?;
    pair.link.mend();
    pair.linked().await
}

/// Seconds between an agent's clock and ours, by the time that a job of its bears.
async fn told_offset(pair: &Pair, number: usize) -> Result<i64> {
    let tried = spec(&format!("tried_{number}"), &[COLLECTION]);
    let status = jobs::dry_run(&pair.source, &tried, SYNC_LIMIT).await?;
    let ours = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let theirs = status.created_ms / 1000;
    Ok(i64::try_from(theirs)? - i64::try_from(ours)?)
}

#[test]
fn a_clock_that_jumps_by_an_hour_on_either_host_changes_nothing() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let plan = ChurnPlan {
            collection: COLLECTION,
            seed: faults::seed_or(61),
            rate: 200,
            base: 5_000,
            flags: &["--partitions", "2"],
        };
        let churn = Churn::start(&source, &plan).await?;
        let mut pair = pair(&source, &target).await?;
        let clocks = (
            Clock::of(&mut pair.source).await?,
            Clock::of(&mut pair.target).await?,
        );
        pair.start().await?;
        jobs::begin(&pair.source, &spec(COLLECTION, &[COLLECTION])).await?;
        jobs::syncs(&pair.source, COLLECTION, SYNC_LIMIT).await?;
        let jumps = [
            (Side::Source, HOUR),
            (Side::Source, -HOUR),
            (Side::Target, HOUR),
            (Side::Target, -HOUR),
        ];
        for (number, (side, seconds)) in jumps.into_iter().enumerate() {
            match side {
                Side::Source => clocks.0.set(seconds)?,
                Side::Target => clocks.1.set(seconds)?,
            }
            if side == Side::Source {
                let found = told_offset(&pair, number).await?;
                assert!((found - seconds).abs() < 120, "{found} s");
            }
            meet_again(&pair).await?;
            flows(&pair, COLLECTION).await?;
            is_near(&pair)
                .await
                .with_context(|| format!("{side:?} by {seconds} s"))?;
        }
        // Both an hour slow; and now the source's jumps while the job cuts over.
        ready(&pair, COLLECTION, SYNC_LIMIT).await?;
        let written = churn.stop().await?;
        clocks.0.set(HOUR)?;
        cut_over(&pair, COLLECTION, written.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, COLLECTION, &written).await?;
        source.stop().await?;
        target.stop().await
    })
}
