//! The line cut and mended again at random while a copy goes on, over either transport: the job goes on soon after each return.

use crate::figures::Table;
use crate::{LIMIT, number_or, run, seeded};
use anyhow::{Context, Result, ensure};
use harness::agents::{Dialler, Over, Pair};
use harness::faults::{self, Random};
use harness::oracle::Comparison;
use harness::servers::{Kind, Server};
use harness::{jobs, wait};
use model::Phase;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const ROWS: u64 = 500_000;

/// So slow that all cuts fall into the copy; and the memory of the source's agent so small, and its batches with it (half a MiB), that one
/// on each lane takes less than a second.
const BYTES_PER_SECOND: u64 = 3 << 20;
const MEMORY: &str = "64MiB";

const CUTS: u64 = 50;

/// How long the line is cut, and how long it is up between two cuts, in milliseconds. Some cuts last longer than the channel takes for
/// finding a silent peer dead, most do not.
const CUT_MS: u64 = 10_000;
const LONG_CUT_MS: u64 = 25_000;
const UP_MS: u64 = 1_000;

/// Of so many cuts one is a long one.
const LONG_EVERY: u64 = 10;

/// How soon rows must be written again after the line's return.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// How long it is waited for, to tell by how much it came too late.
const PATIENCE: Duration = Duration::from_secs(120);

const WRITTEN: &str = "passage_writer_rows_total";

#[test]
fn link_cuts_over_grpc() -> Result<()> {
    run(cut(Over::Grpc))
}

#[test]
fn link_cuts_over_quic() -> Result<()> {
    run(cut(Over::Quic))
}

async fn cut(over: Over) -> Result<()> {
    let seed = faults::seed_or(u64::from(std::process::id()));
    println!("{over:?}: seed {seed}");
    cut_by(over, seed)
        .await
        .with_context(|| format!("{over:?}: again: SEED={seed} ONLY=link_cuts make soak"))
}

async fn cut_by(over: Over, seed: u64) -> Result<()> {
    let (source, _) = seeded(ROWS, "cut").await?;
    let target = Server::start(Kind::V2_3_5).await?;
    let mut pair = Pair::over(&source, &target, over, Dialler::Source).await?;
    pair.source.config["limits"] = json!({ "channel": BYTES_PER_SECOND, "memory": MEMORY });
    pair.start().await?;
    jobs::begin(&pair.source, &jobs::spec("cut", &["cut"])).await?;
    goes_on(&pair, 0.0).await.context("the copy begins")?;
    let mut random = Random::new(seed);
    let mut returns = Vec::new();
    for number in 1..=number_or("CUTS", CUTS) {
        sleep(Duration::from_millis(random.below(UP_MS))).await;
        let status = jobs::show(&pair.source, "cut").await?;
        ensure!(status.phase == Phase::Copying, "cut {number}: {status:#?}");
        let most = if number.is_multiple_of(LONG_EVERY) {
            LONG_CUT_MS
        } else {
            CUT_MS
        };
        let lasted = Duration::from_millis(100 + random.below(most));
        pair.link.cut();
        sleep(lasted).await;
        let written = pair.target.metric(WRITTEN).await?;
        pair.link.mend();
        let mended = Instant::now();
        goes_on(&pair, written)
            .await
            .with_context(|| format!("after cut {number}, of {lasted:?}"))?;
        println!(
            "  {number}: cut for {:.1} s, rows after {:.2} s",
            lasted.as_secs_f64(),
            mended.elapsed().as_secs_f64()
        );
        returns.push((lasted, mended.elapsed()));
    }
    let mut table = Table::default();
    for (lasted, back) in &returns {
        table.add("the line was cut for, s", lasted.as_secs_f64());
        table.add("rows were written again after, s", back.as_secs_f64());
    }
    table.print(&format!("{over:?}"));
    pair.source.config["limits"]["channel"] = "1GiB".into();
    pair.source.reload()?;
    let status = jobs::wait(&pair.source, "cut", LIMIT).await?;
    jobs::ensure_completed(&pair.source, &status).await?;
    let compared = Comparison::of(&source, &target).assert_equal(1).await?;
    assert_eq!(compared.rows, ROWS);
    let late: Vec<_> = returns
        .iter()
        .filter(|(_, back)| *back > BACK_WITHIN)
        .collect();
    ensure!(late.is_empty(), "later than {BACK_WITHIN:?}: {late:?}");
    source.stop().await?;
    target.stop().await
}

/// Waits until more rows are written than these.
async fn goes_on(pair: &Pair, written: f64) -> Result<()> {
    wait::until("rows that are written", PATIENCE, || async {
        Ok((pair.target.metric(WRITTEN).await? > written).then_some(()))
    })
    .await
}
