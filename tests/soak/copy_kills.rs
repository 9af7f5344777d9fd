//! Kills and cuts while many rows are copied: asked for and inserted, or shipped as files and imported.

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

/// How rows are copied, as a job file says it.
const ROWS_ASKED_FOR: &str = "rows";
const FILES_SHIPPED: &str = "segments";

async fn struck(victim: Victim, copy: &str) -> Result<()> {
    let seed = faults::seed_or(u64::from(std::process::id()));
    let (source, bytes) = seeded(ROWS, "struck").await?;
    let target = Server::start(Kind::V2_3_5).await?;
    let mut pair = Pair::new(&source, &target).await?;
    pair.give_storage(&source, &target);
    pair.start().await?;
    pair.link.slow_to(BYTES_PER_SECOND);
    let plan = Plan::draw(seed, &[(victim, STRIKES)], bytes * 9 / 10);
    println!("{plan}");
    let mut spec = jobs::spec("struck", &["struck"]);
    spec["copy"] = copy.into();
    jobs::begin(&pair.source, &spec).await?;
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
    if copy == FILES_SHIPPED {
        let staging = target.objects().join("passage");
        assert_eq!(
            std::fs::read_dir(staging)?.count(),
            0,
            "files were left: {plan}"
        );
    }
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
    run(struck(Victim::SourceAgent, ROWS_ASKED_FOR))
}

#[test]
fn twenty_kills_of_the_targets_agent() -> Result<()> {
    run(struck(Victim::TargetAgent, ROWS_ASKED_FOR))
}

#[test]
fn twenty_kills_of_the_source_milvus() -> Result<()> {
    run(struck(Victim::SourceMilvus, ROWS_ASKED_FOR))
}

#[test]
fn twenty_kills_of_the_target_milvus() -> Result<()> {
    run(struck(Victim::TargetMilvus, ROWS_ASKED_FOR))
}

#[test]
fn twenty_cuts_of_the_line() -> Result<()> {
    run(struck(Victim::Link, ROWS_ASKED_FOR))
}

#[test]
fn twenty_kills_of_the_sources_agent_while_files_are_shipped() -> Result<()> {
    run(struck(Victim::SourceAgent, FILES_SHIPPED))
}

#[test]
fn twenty_kills_of_the_targets_agent_while_files_are_shipped() -> Result<()> {
    run(struck(Victim::TargetAgent, FILES_SHIPPED))
}

#[test]
fn twenty_kills_of_the_source_milvus_while_files_are_shipped() -> Result<()> {
    run(struck(Victim::SourceMilvus, FILES_SHIPPED))
}

#[test]
fn twenty_kills_of_the_target_milvus_while_files_are_shipped() -> Result<()> {
    run(struck(Victim::TargetMilvus, FILES_SHIPPED))
}

#[test]
fn twenty_cuts_of_the_line_while_files_are_shipped() -> Result<()> {
    run(struck(Victim::Link, FILES_SHIPPED))
}
