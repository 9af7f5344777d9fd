//! The memory of a copy depends neither on its rows nor on how fast its target takes them.

use crate::{LIMIT, MOST_BYTES, run, seeded};
use anyhow::{Context, Result};
use harness::agents::{Pair, Side};
use harness::jobs;
use harness::link::Link;
use harness::servers::{Kind, Server};

/// How often a small collection is copied, each time by agents of its own, to see as many moments as one large copy has.
const SMALL_COPIES: usize = 10;

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
fn memory_is_the_same_for_a_hundred_thousand_rows_a_million_and_a_slow_target() -> Result<()> {
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
            let most = few[side].max(many[side]);
            assert!(
                slow[side] * 10 <= most * 11,
                "{} against {most} bytes, the target slowed",
                slow[side]
            );
        }
        Ok(())
    })
}
