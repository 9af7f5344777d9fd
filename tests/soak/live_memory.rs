//! The target Milvus hangs while the source is written to: the agents' memory stays where it is, and the job goes on afterwards.

use crate::figures::quantile;
use crate::lag::catch_up;
use crate::writers::{WRITTEN, Writers, mix};
use crate::{MOST_BYTES, number_or, run};
use anyhow::{Context, Result, ensure};
use harness::agents::{Pair, Side};
use harness::process::Signal;
use harness::{faults, jobs, live};
use std::time::Duration;
use tokio::time::Instant;

const ROWS: u64 = 20_000;
const RATE: u32 = 500;

/// For how long the target hangs.
const SECONDS: u64 = 300;

const SYNC_LIMIT: Duration = Duration::from_secs(900);

/// How much more the last quarter may take than the second one; and what an allocator may keep besides.
const FLAT: f64 = 1.1;
const SLACK_BYTES: f64 = 4.0 * 1024.0 * 1024.0;

#[test]
fn live_memory_stays_flat_while_the_target_hangs() -> Result<()> {
    run(async {
        let seed = faults::seed_or(u64::from(std::process::id()));
        hang(seed)
            .await
            .with_context(|| format!("again: SEED={seed} ONLY=live_memory make soak"))
    })
}

async fn hang(seed: u64) -> Result<()> {
    let seconds = number_or("SECONDS", SECONDS);
    println!("seed {seed}: the target hangs for {seconds} s");
    let (source, target) = live::servers().await?;
    let mut writers = Writers::start(&source, &mix(seed, ROWS, RATE)).await?;
    let mut pair = live::pair(&source, &target).await?;
    pair.start().await?;
    let begun = Instant::now();
    jobs::begin(&pair.source, &live::spec("hung", &WRITTEN)).await?;
    catch_up(&pair, "hung", &WRITTEN, begun).await?;
    jobs::syncs(&pair.source, "hung", SYNC_LIMIT).await?;

    target.process().signal(Signal::Stop)?;
    let samples = watch_memory(&pair, Duration::from_secs(seconds)).await?;
    // As an operator would: what hung is ended, and started anew.
    target.kill().await?;
    target.restart().await?;
    let back = Instant::now();
    catch_up(&pair, "hung", &WRITTEN, back).await?;
    let caught_up = back.elapsed();
    let status = jobs::syncs(&pair.source, "hung", SYNC_LIMIT).await?;
    ensure!(!status.phase.is_terminal(), "{status:#?}");
    live::ready(&pair, "hung", SYNC_LIMIT).await?;
    let last_ack = writers.rest().await?;
    let pause = live::cut_over(&pair, "hung", last_ack).await?;
    let written = writers.finish().await?;
    written.assert_arrived(&source, &target).await?;
    println!(
        "{:.0} changes a second; near again {:.1} s after the target was back; write pause {:.2} s",
        written.per_second(),
        caught_up.as_secs_f64(),
        pause.as_secs_f64()
    );
    for (side, samples) in [Side::Source, Side::Target].into_iter().zip(&samples) {
        judge(&pair, side, samples)?;
    }
    source.stop().await?;
    target.stop().await
}

/// The memory of both agents, once a second, without what holds the same messages as the source Milvus's own write buffer: that fills, and
/// empties when it is full.
async fn watch_memory(pair: &Pair, limit: Duration) -> Result<[Vec<f64>; 2]> {
    let mut samples = [Vec::new(), Vec::new()];
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    let end = Instant::now() + limit;
    while Instant::now() < end {
        looks.tick().await;
        for (side, samples) in [Side::Source, Side::Target].into_iter().zip(&mut samples) {
            let now = pair.agent(side).process()?.resident_bytes();
            let memtables = pair
                .agent(side)
                .metric("passage_log_memtables_bytes")
                .await?;
            samples.push(now.context("memory is told")? as f64 - memtables);
        }
    }
    Ok(samples)
}

/// Below the bound at every moment of the job, and flat while the target hung.
fn judge(pair: &Pair, side: Side, samples: &[f64]) -> Result<()> {
    let quarter = |from: usize| {
        let of = |part: usize| samples.len() * part / 4;
        quantile(samples.get(of(from)..of(from + 1)).unwrap_or_default(), 0.5)
    };
    let (early, late) = (quarter(1), quarter(3));
    let peak = pair.agent(side).process()?.peak_resident_bytes();
    let peak = peak.context("memory is told")?;
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    println!(
        "{}: {:.1} MiB in the second quarter, {:.1} MiB in the last one; at most {:.1} MiB in the whole job",
        side.program(),
        mib(early),
        mib(late),
        mib(peak as f64)
    );
    ensure!(peak <= MOST_BYTES, "{}: {peak} bytes", side.program());
    ensure!(
        late <= early * FLAT + SLACK_BYTES,
        "{}: from {early} to {late} bytes",
        side.program()
    );
    Ok(())
}
