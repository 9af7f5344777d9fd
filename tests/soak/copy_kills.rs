//! Kills and cuts while many rows are copied.

use crate::{LIMIT, run, seeded};
use anyhow::{Context, Result};
use harness::agents::Pair;
use harness::faults::{self, Plan, Victim};
use harness::jobs;
use harness::oracle::Comparison;
use harness::servers::{Kind, Server};

const ROWS: u64 = 200_000;
const STRIKES: usize = 20;

/// Slow enough that all strikes fall into the copy.
const BYTES_PER_SECOND: u64 = 8 << 20;

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
