//! Kills and cuts while a source is written to, spread over all that a live job goes through: copy, catch-up, sync and cutover.

use crate::writers::{WRITTEN, Writers, mix};
use crate::{number_or, run};
use anyhow::{Context, Result, ensure};
use harness::agents::Pair;
use harness::faults::{self, Random, Victim};
use harness::servers::Server;
use harness::{jobs, live, wait};
use model::{LoadState, Phase};
use std::time::Duration;

/// Strikes on each victim. A job takes one in each of its phases; so many jobs follow each other.
const STRIKES: u64 = 20;
const STRIKES_A_JOB: u64 = 4;

const ROWS: u64 = 30_000;
const RATE: u32 = 300;

/// So slow that a strike can fall into the copy, and that a backlog arises meanwhile; and that it drains not much faster than it grows.
const COPY_BYTES_PER_SECOND: u64 = 1 << 20;
const FOLLOW_BYTES_PER_SECOND: u64 = 256 << 10;

/// Where strikes fall: bytes that the line has carried since the phase began, and milliseconds since the cutover was ordered.
const COPY_BYTES: u64 = 2 << 20;
const FOLLOW_BYTES: u64 = 256 << 10;
const CUTOVER_MS: u64 = 600;

/// How long anything may take, a recovery included.
const LIMIT: Duration = Duration::from_secs(300);

/// How often an interrupted cutover is ordered again.
const ORDERS: usize = 5;

#[test]
fn live_kills_of_the_sources_agent() -> Result<()> {
    run(struck(Victim::SourceAgent))
}

#[test]
fn live_kills_of_the_targets_agent() -> Result<()> {
    run(struck(Victim::TargetAgent))
}

#[test]
fn live_kills_of_the_source_milvus() -> Result<()> {
    run(struck(Victim::SourceMilvus))
}

#[test]
fn live_kills_of_the_target_milvus() -> Result<()> {
    run(struck(Victim::TargetMilvus))
}

#[test]
fn live_kills_of_the_line() -> Result<()> {
    run(struck(Victim::Link))
}

async fn struck(victim: Victim) -> Result<()> {
    let first = faults::seed_or(u64::from(std::process::id()) * 1000);
    let strikes = number_or("STRIKES", STRIKES);
    let (source, target) = live::servers().await?;
    let mut pair = live::pair(&source, &target).await?;
    pair.start().await?;
    for number in 0..strikes.div_ceil(STRIKES_A_JOB) {
        let seed = first.wrapping_add(number);
        let mut round = Round {
            victim,
            job: format!("struck_{number}"),
            random: Random::new(seed),
            pair: &mut pair,
            source: &source,
            target: &target,
        };
        println!("{victim:?}, job {number}: seed {seed}");
        round.carry_out(seed).await.with_context(|| {
            format!(
                "{victim:?}: again: SEED={seed} STRIKES={STRIKES_A_JOB} ONLY=live_kills make soak"
            )
        })?;
    }
    source.stop().await?;
    target.stop().await
}

/// One job, with a strike in each of its phases.
struct Round<'a> {
    victim: Victim,
    job: String,
    random: Random,
    pair: &'a mut Pair,
    source: &'a Server,
    target: &'a Server,
}

impl Round<'_> {
    async fn carry_out(&mut self, seed: u64) -> Result<()> {
        let mut writers = Writers::start(self.source, &mix(seed, ROWS, RATE)).await?;
        self.pair.link.slow_to(COPY_BYTES_PER_SECOND);
        jobs::begin(&self.pair.source, &live::spec(&self.job, &WRITTEN)).await?;
        self.reaches(Phase::Copying).await?;
        self.strike_within(COPY_BYTES).await?;
        self.reaches(Phase::Finishing).await?;
        self.pair.link.slow_to(FOLLOW_BYTES_PER_SECOND);
        self.reaches(Phase::CatchingUp).await?;
        self.strike_within(FOLLOW_BYTES).await?;
        self.pair.link.slow_to(0);
        self.syncs().await?;
        self.strike_within(FOLLOW_BYTES).await?;
        self.syncs().await?;
        live::ready(self.pair, &self.job, LIMIT).await?;
        writers.rest().await?;
        self.strike_the_cutover().await?;
        self.complete().await?;
        let written = writers.finish().await?;
        self.target_is_loaded().await?;
        written.assert_arrived(self.source, self.target).await?;
        println!(
            "  {} changes: nothing lost, extra or double",
            written.changes()
        );
        written.drop_collections(&[self.source, self.target]).await
    }

    /// Waits until the target has all collections in memory: one that was killed a moment ago may still say otherwise, though the job saw
    /// them loaded before it completed.
    async fn target_is_loaded(&self) -> Result<()> {
        let client = self.target.client().await?;
        for name in WRITTEN {
            let what = format!("{name} is loaded on the target");
            wait::until(&what, LIMIT, || async {
                let now = client.load_state(name).await?;
                Ok(matches!(now, LoadState::Loaded { .. }).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    async fn phase(&self) -> Result<Phase> {
        Ok(jobs::show(&self.pair.source, &self.job).await?.phase)
    }

    /// Waits until the job is in this phase, or further.
    async fn reaches(&self, phase: Phase) -> Result<()> {
        wait::until(&format!("phase {phase}"), LIMIT, || async {
            let now = self.phase().await?;
            ensure!(!now.is_terminal(), "the job is {now}");
            Ok((now >= phase).then_some(()))
        })
        .await
    }

    async fn syncs(&self) -> Result<()> {
        let status = jobs::syncs(&self.pair.source, &self.job, LIMIT).await?;
        ensure!(!status.phase.is_terminal(), "{status:#?}");
        Ok(())
    }

    /// Strikes at a moment while the line carries so many bytes.
    async fn strike_within(&mut self, bytes: u64) -> Result<()> {
        let after = self.random.below(bytes);
        let moment = async {
            let link = &self.pair.link;
            link.wait_carried(link.carried() + after).await;
            Ok(())
        };
        wait::within("the moment of a strike", LIMIT, moment).await?;
        self.strike(&format!("{after} bytes later")).await
    }

    async fn strike(&mut self, when: &str) -> Result<()> {
        println!("  {:?} while {}, {when}", self.victim, self.phase().await?);
        self.victim
            .strike(self.pair, self.source, self.target)
            .await
    }

    /// Orders the cutover, and strikes at a moment of it. How it ends is all the same: see [`Round::complete`].
    async fn strike_the_cutover(&mut self) -> Result<()> {
        let words = ["job", "cutover", &self.job, "--timeout", "60s"];
        let mut command = self.pair.source.command(&words)?;
        let ordered = tokio::spawn(async move { command.output().await });
        let after = self.random.below(CUTOVER_MS);
        tokio::time::sleep(Duration::from_millis(after)).await;
        self.strike(&format!("{after} ms after the cutover was ordered"))
            .await?;
        let ended = wait::within("the end of a cutover", LIMIT, async { Ok(ordered.await??) });
        println!("  the cutover ended with {}", ended.await?.status);
        Ok(())
    }

    /// Orders the cutover again until the job is completed: an interrupted one either was the last, or is undone.
    async fn complete(&self) -> Result<()> {
        for _ in 0..ORDERS {
            let status = jobs::syncs(&self.pair.source, &self.job, LIMIT).await?;
            if status.phase.is_terminal() {
                return jobs::ensure_completed(&self.pair.source, &status).await;
            }
            live::ready(self.pair, &self.job, LIMIT).await?;
            let flags = ["--timeout", "60s"];
            let told = jobs::cut_over(&self.pair.source, &self.job, &flags).await?;
            println!(
                "  the cutover was ordered again, and ended with {}",
                told.code
            );
        }
        let status = jobs::show(&self.pair.source, &self.job).await?;
        jobs::ensure_completed(&self.pair.source, &status).await
    }
}
