//! Live jobs under many seeds: nothing is lost, doubled or left over, and how far behind, how fast and how long.

use crate::figures::{Table, quantile};
use crate::lag::{catch_up, sampled};
use crate::writers::{WRITTEN, Writers, mix};
use crate::{number_or, run, seeds};
use anyhow::{Context, Result, ensure};
use harness::storm::{self, Storm, Stormed};
use harness::{jobs, live};
use std::time::Duration;
use tokio::time::Instant;

/// Rows that are there before the changes begin.
const ROWS: u64 = 100_000;

/// Changes a second of all writers together: what is wanted, and what must be reached. A writer waits for its server.
const RATE: u32 = 650;
const LEAST_RATE: f64 = 500.0;

const SEEDS: u64 = 10;

/// For how long the lag is looked at once every row was compared; until then it is looked at, too, and told apart.
const SECONDS: u64 = 30;

const SYNC_LIMIT: Duration = Duration::from_secs(900);

#[test]
fn live_seeds_lose_double_and_leave_nothing_of_rocksmq() -> Result<()> {
    run(under_seeds("rocksmq"))
}

#[test]
fn live_seeds_lose_double_and_leave_nothing_of_natsmq() -> Result<()> {
    run(under_seeds("natsmq"))
}

#[test]
fn live_seeds_lose_double_and_leave_nothing_of_kafka() -> Result<()> {
    run(under_seeds("kafka"))
}

async fn under_seeds(queue: &str) -> Result<()> {
    let mut table = Table::default();
    for seed in seeds(SEEDS) {
        let again = format!(
            "SEED={seed} ONLY=live_seeds_lose_double_and_leave_nothing_of_{queue} make soak"
        );
        one(queue, seed, &mut table)
            .await
            .with_context(|| format!("again: {again}"))?;
    }
    table.print(&format!("live jobs beside {queue}"));
    Ok(())
}

async fn one(queue: &str, seed: u64, table: &mut Table) -> Result<()> {
    println!("{queue}, seed {seed}: {ROWS} rows, {RATE} changes a second");
    let (source, target) = live::servers_with(queue).await?;
    let mut writers = Writers::start(&source, &mix(seed, ROWS, RATE)).await?;
    let storm = Storm::start(&source, "storm", seed).await?;
    let mut pair = live::pair(&source, &target).await?;
    pair.start().await?;
    let begun = Instant::now();
    let meant = [&WRITTEN[..], &["storm_*"]].concat();
    jobs::begin(&pair.source, &live::spec("seeded", &meant)).await?;
    let caught_up = catch_up(&pair, "seeded", &WRITTEN, begun).await?;
    let (mut compared, mut lags) = (Vec::new(), Vec::new());
    let proven = jobs::proves(&pair.source, "seeded", &WRITTEN, SYNC_LIMIT);
    sampled(&pair.source, &WRITTEN, &mut compared, proven).await?;
    let rest = async {
        tokio::time::sleep(Duration::from_secs(number_or("SECONDS", SECONDS))).await;
        Ok(())
    };
    sampled(&pair.source, &WRITTEN, &mut lags, rest).await?;
    let stormed: Stormed = storm.stop().await?;
    live::ready(&pair, "seeded", SYNC_LIMIT).await?;
    let last_ack = writers.rest().await?;
    let pause = live::cut_over(&pair, "seeded", last_ack).await?;
    let written = writers.finish().await?;
    written.assert_arrived(&source, &target).await?;
    storm::assert_left(&target, &stormed).await?;
    ensure!(
        written.per_second() >= LEAST_RATE,
        "only {:.0} changes a second were reached",
        written.per_second()
    );
    let (median, most) = (quantile(&lags, 0.5), quantile(&lags, 0.99));
    let (busy_median, busy_most) = (quantile(&compared, 0.5), quantile(&compared, 0.99));
    println!(
        "seed {seed}: {} changes, {:.0} a second; lag p50 {median:.0} ms, p99 {most:.0} ms ({} looks), and while every row was compared \
         p50 {busy_median:.0} ms, p99 {busy_most:.0} ms ({} looks); a backlog of {:.1} s drained in {:.1} s, {:.1} times as fast as it \
         was written; write pause {:.2} s; nothing lost, extra or double",
        written.changes(),
        written.per_second(),
        lags.len(),
        compared.len(),
        caught_up.arose.as_secs_f64(),
        caught_up.drained.as_secs_f64(),
        caught_up.speed(),
        pause.as_secs_f64(),
    );
    println!("seed {seed}: beside them {:?}", stormed.acts);
    table.add("changes a second", written.per_second());
    table.add("lag p50 (ms)", median);
    table.add("lag p99 (ms)", most);
    table.add("lag p50 while compared (ms)", busy_median);
    table.add("lag p99 while compared (ms)", busy_most);
    table.add("catch-up, times the write rate", caught_up.speed());
    table.add("write pause (s)", pause.as_secs_f64());
    source.stop().await?;
    target.stop().await
}
