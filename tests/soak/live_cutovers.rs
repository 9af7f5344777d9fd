//! Many cutovers, each of a small collection of its own: for how long nobody may write.

use crate::figures::Table;
use crate::lag::catch_up;
use crate::writers::Writers;
use crate::{number_or, run};
use anyhow::{Context, Result, ensure};
use harness::agents::Pair;
use harness::churn::ChurnPlan;
use harness::servers::Server;
use harness::{faults, jobs, live};
use std::time::Duration;
use tokio::time::Instant;

const CUTOVERS: u64 = 20;
const ROWS: u64 = 3_000;
const RATE: u32 = 500;

/// For how long changes flow before the fence.
const FLOWING: Duration = Duration::from_secs(3);

/// What a write pause should not exceed. On a machine that has other work it may: how many did not is said.
const GOAL: Duration = Duration::from_secs(1);

const SYNC_LIMIT: Duration = Duration::from_secs(240);

#[test]
fn live_cutovers_are_short() -> Result<()> {
    run(async {
        let seed = faults::seed_or(u64::from(std::process::id()));
        let cutovers = number_or("CUTOVERS", CUTOVERS);
        println!("seed {seed}: {cutovers} cutovers, {ROWS} rows, {RATE} changes a second");
        let (source, target) = live::servers().await?;
        let mut pair = live::pair(&source, &target).await?;
        pair.start().await?;
        let mut table = Table::default();
        let mut within = 0;
        for number in 0..cutovers {
            let pause = one(&pair, &source, &target, seed.wrapping_add(number), number)
                .await
                .with_context(|| format!("again: SEED={seed} ONLY=live_cutovers make soak"))?;
            println!("cutover {number}: write pause {:.3} s", pause.as_secs_f64());
            table.add("write pause (s)", pause.as_secs_f64());
            within += u64::from(pause <= GOAL);
        }
        table.print("cutovers");
        println!("{within} of {cutovers} within {GOAL:?}");
        source.stop().await?;
        target.stop().await
    })
}

/// One job from its creation to its cutover; afterwards its collection goes, so that each finds the servers alike.
async fn one(
    pair: &Pair,
    source: &Server,
    target: &Server,
    seed: u64,
    number: u64,
) -> Result<Duration> {
    let name = format!("cutover_{number}");
    let plan = ChurnPlan {
        collection: &name,
        seed,
        rate: RATE,
        base: ROWS,
        flags: &["--partitions", "1"],
    };
    let mut writers = Writers::start(source, &[plan]).await?;
    let begun = Instant::now();
    jobs::begin(&pair.source, &live::spec(&name, &[&name])).await?;
    catch_up(pair, &name, &[&name], begun).await?;
    let status = jobs::syncs(&pair.source, &name, SYNC_LIMIT).await?;
    ensure!(!status.phase.is_terminal(), "{status:#?}");
    tokio::time::sleep(FLOWING).await;
    live::ready(pair, &name, SYNC_LIMIT).await?;
    let last_ack = writers.rest().await?;
    let pause = live::cut_over(pair, &name, last_ack).await?;
    let written = writers.finish().await?;
    written.assert_arrived(source, target).await?;
    written.drop_collections(&[source, target]).await?;
    Ok(pause)
}
