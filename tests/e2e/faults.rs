//! Kills and cuts while rows are on their way: the job ends by itself, and nothing is lost or doubled. The long form is
//! `make soak`.

use crate::fleet;
use anyhow::Result;
use harness::agents::{Pair, Side};
use harness::faults::{Plan, Victim};
use harness::oracle::Comparison;
use harness::servers::{Bulk, Kind, Server};
use harness::{faults, jobs};
use std::time::Duration;

const ROWS: u64 = 40_000;
const LIMIT: Duration = Duration::from_secs(300);

/// Slow enough that the copy is still under way when the next moment comes.
const BYTES_PER_SECOND: u64 = 6 << 20;

/// Two servers that are ours to kill, and a collection on the first.
async fn ground(name: &str) -> Result<(Server, Server, u64)> {
    let (source, target) =
        tokio::try_join!(Server::start(Kind::V2_3_5), Server::start(Kind::V2_3_5))?;
    let bulk = Bulk {
        database: "default",
        collection: name,
        rows: ROWS,
        dim: 128,
        flags: &["--partitions", "2"],
    };
    let bytes = source.seed_bulk(&bulk).await?;
    Ok((source, target, bytes))
}

#[test]
fn kills_of_everything_and_cuts_during_a_copy_lose_and_double_nothing() -> Result<()> {
    fleet::run(async {
        let (source, target, bytes) = ground("struck").await?;
        let mut pair = Pair::new(&source, &target).await?;
        pair.source.config["limits"]["memory"] = "64MiB".into();
        pair.target.config["limits"]["memory"] = "64MiB".into();
        pair.start().await?;
        pair.link.slow_to(BYTES_PER_SECOND);
        let wanted = Victim::ALL.map(|victim| (victim, 2));
        let plan = Plan::draw(faults::seed_or(1), &wanted, bytes * 8 / 10);
        println!("{plan}");
        jobs::begin(&pair.source, &jobs::spec("struck", &["struck"])).await?;
        plan.carry_out(&mut pair, &source, &target).await?;
        pair.link.slow_to(0);
        let status = jobs::wait(&pair.source, "struck", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        let verdict = Comparison::of(&source, &target).assert_equal(1).await?;
        assert_eq!(verdict.rows, ROWS);
        println!(
            "carried {} bytes for {bytes} of values",
            pair.link.carried()
        );
        source.stop().await?;
        target.stop().await
    })
}

#[test]
fn agents_that_are_stopped_in_order_go_on_where_they_were() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        let bulk = Bulk {
            database: "default",
            collection: "stopped",
            rows: 20_000,
            dim: 64,
            flags: &[],
        };
        let bytes = source.seed_bulk(&bulk).await?;
        let mut pair = Pair::started(source, target).await?;
        pair.link.slow_to(BYTES_PER_SECOND);
        pair.linked().await?;
        jobs::begin(&pair.target, &jobs::spec("stopped", &["stopped"])).await?;
        for (share, side) in [(3, Side::Target), (6, Side::Source)] {
            pair.link.wait_carried(bytes * share / 10).await;
            assert!(pair.agent_mut(side).stop().await?.success());
            pair.agent_mut(side).start().await?;
            // Whether they are linked again or not.
            jobs::show(&pair.target, "stopped").await?;
        }
        pair.link.slow_to(0);
        let status = jobs::wait(&pair.target, "stopped", LIMIT).await?;
        jobs::ensure_completed(&pair.target, &status).await?;
        Comparison::of(source, target)
            .only(&["stopped"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}
