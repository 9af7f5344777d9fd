//! What takes hours: many kills and cuts on many rows, and the memory of a million. Run by `make soak`.
//!
//! Every failure names its seed; `SEED=… ONLY=… make soak` has it again.

use anyhow::{Context, Result};
use harness::agents::{Pair, Side};
use harness::faults::{self, Plan, Victim};
use harness::jobs;
use harness::link::Link;
use harness::oracle::Comparison;
use harness::servers::{Bulk, Kind, Server};
use std::time::Duration;
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(3600);
const ROWS: u64 = 200_000;
const STRIKES: usize = 20;

/// Slow enough that all strikes fall into the copy.
const BYTES_PER_SECOND: u64 = 8 << 20;

/// How often a small collection is copied, each time by agents of its own, to see as many moments as one large copy has.
const SMALL_COPIES: usize = 10;

/// What an agent may use by default.
const MOST_BYTES: u64 = 256 << 20;

fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    Runtime::new()?.block_on(test)
}

async fn seeded(rows: u64, name: &str) -> Result<(Server, u64)> {
    let source = Server::start(Kind::V2_3_5).await?;
    let flags = ["--partitions", "3", "--shards", "2"];
    let bytes = source
        .seed_bulk(&Bulk {
            database: "default",
            collection: name,
            rows,
            dim: 128,
            flags: &flags,
        })
        .await?;
    Ok((source, bytes))
}

async fn struck(victim: Victim) -> Result<()> {
    let seed = faults::seed_or(u64::from(std::process::id()));
    let (source, bytes) = seeded(ROWS, "struck").await?;
    let target = Server::start(Kind::V2_3_5).await?;
    let mut pair = Pair::started(&source, &target).await?;
    pair.link.slow_to(BYTES_PER_SECOND);
    let plan = Plan::draw(seed, &[(victim, STRIKES)], bytes * 9 / 10);
    println!("{plan}");
    jobs::begin(&pair.source, &jobs::spec("struck", &["struck"])).await?;
    plan.carry_out(&mut pair, &source, &target)
        .await
        .with_context(|| plan.to_string())?;
    pair.link.slow_to(0);
    let status = jobs::wait(&pair.source, "struck", LIMIT)
        .await
        .with_context(|| plan.to_string())?;
    jobs::ensure_completed(&pair.source, &status)
        .await
        .with_context(|| plan.to_string())?;
    let verdict = Comparison::of(&source, &target)
        .assert_equal(1)
        .await
        .with_context(|| plan.to_string())?;
    assert_eq!(verdict.rows, ROWS, "{plan}");
    let again = pair.link.carried().saturating_sub(bytes);
    println!(
        "{victim:?}: {} MiB carried beside {} MiB of values, {} strikes",
        again >> 20,
        bytes >> 20,
        STRIKES
    );
    source.stop().await?;
    target.stop().await
}

#[test]
fn twenty_kills_of_the_sources_agent() -> Result<()> {
    run(struck(Victim::SourceAgent))
}

#[test]
fn twenty_kills_of_the_targets_agent() -> Result<()> {
    run(struck(Victim::TargetAgent))
}

#[test]
fn twenty_kills_of_the_source_milvus() -> Result<()> {
    run(struck(Victim::SourceMilvus))
}

#[test]
fn twenty_kills_of_the_target_milvus() -> Result<()> {
    run(struck(Victim::TargetMilvus))
}

#[test]
fn twenty_cuts_of_the_line() -> Result<()> {
    run(struck(Victim::Link))
}

/// The most memory of each agent while so many rows are copied, the target slowed to so many bytes a second (0: not at all).
async fn peaks(rows: u64, bytes_per_second: u64) -> Result<[u64; 2]> {
    let (source, _) = seeded(rows, "wide").await?;
    let target = Server::start(Kind::V2_3_5).await?;
    let address = target.uri().strip_prefix("http://").context("an address")?;
    let line = Link::to(address.parse()?).await?;
    let mut pair = Pair::new(&source, &target).await?;
    pair.target.config["milvus"]["uri"] = format!("http://{}", line.address()).into();
    pair.start().await?;
    line.slow_to(bytes_per_second);
    jobs::run_to_completion(&pair.source, &jobs::spec("wide", &["wide"]), LIMIT).await?;
    let peak = |side| {
        pair.agent(side)
            .process()?
            .peak_resident_bytes()
            .context("memory is told")
    };
    let found = [peak(Side::Source)?, peak(Side::Target)?];
    println!(
        "{rows} rows, {bytes_per_second} bytes/s: peaks of {} and {} MiB",
        found[0] >> 20,
        found[1] >> 20
    );
    source.stop().await?;
    target.stop().await?;
    Ok(found)
}

/// The most memory over several copies: a peak is the highest of many moments, and a small copy has few of them.
async fn peaks_of_several(rows: u64) -> Result<[u64; 2]> {
    let mut most = [0; 2];
    for _ in 0..SMALL_COPIES {
        let found = peaks(rows, 0).await?;
        most = [most[0].max(found[0]), most[1].max(found[1])];
    }
    Ok(most)
}

#[test]
fn memory_is_the_same_for_a_hundred_thousand_rows_and_for_a_million() -> Result<()> {
    run(async {
        let (few, many, slow) = (
            peaks_of_several(100_000).await?,
            peaks(1_000_000, 0).await?,
            peaks(100_000, 4 << 20).await?,
        );
        for side in 0..2 {
            assert!(many[side] <= MOST_BYTES, "{} bytes", many[side]);
            assert!(
                many[side] * 10 <= few[side] * 11,
                "{} against {} bytes",
                many[side],
                few[side]
            );
            assert!(slow[side] <= MOST_BYTES, "{} bytes", slow[side]);
        }
        Ok(())
    })
}
