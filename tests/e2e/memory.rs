//! Memory stays bounded when the target can't keep up. What a million rows take is seen by `make soak`.

use crate::fleet;
use anyhow::{Context, Result};
use harness::agents::{Pair, Side};
use harness::link::Link;
use harness::servers::Bulk;
use harness::{jobs, oracle::Comparison, wait};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

/// What an agent may use by default.
const MOST_BYTES: u64 = 256 << 20;

/// About a tenth of what the target takes.
const SLOW_BYTES_PER_SECOND: u64 = 5 << 20;

#[test]
fn a_slow_target_does_not_fill_the_memory() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        let bulk = Bulk {
            database: "default",
            collection: "slowly",
            rows: 60_000,
            dim: 256,
            flags: &[],
        };
        source.seed_bulk(&bulk).await?;
        let address = target.uri().strip_prefix("http://").context("an address")?;
        let slow = Link::to(address.parse()?).await?;
        let mut pair = Pair::new(source, target).await?;
        pair.target.config["milvus"]["uri"] = format!("http://{}", slow.address()).into();
        pair.start().await?;
        slow.slow_to(SLOW_BYTES_PER_SECOND);
        jobs::begin(&pair.source, &jobs::spec("slowly", &["slowly"])).await?;
        // What is held is told while it is held.
        for (agent, held) in [
            (&pair.source, "passage_budget_used_bytes"),
            (&pair.target, "passage_inbox_held_bytes"),
        ] {
            wait::until(held, LIMIT, || async {
                Ok((agent.metric(held).await? > 0.0).then_some(()))
            })
            .await?;
        }
        let status = jobs::wait(&pair.source, "slowly", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        for side in [Side::Source, Side::Target] {
            let peak = pair
                .agent(side)
                .process()?
                .peak_resident_bytes()
                .context("memory is told")?;
            println!("{}: at most {} MiB resident", side.program(), peak >> 20);
            assert!(peak <= MOST_BYTES, "{}: {peak} bytes", side.program());
        }
        Comparison::of(source, target)
            .only(&["slowly"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}
