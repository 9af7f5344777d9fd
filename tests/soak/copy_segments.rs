//! Half a million rows in the files of many segments: shipped from collections that nobody loads, and from such as are written to and
//! compacted meanwhile.

use crate::writers::{AllWritten, WRITTEN, Writers, mix};
use crate::{LIMIT, MOST_BYTES, number_or, run};
use anyhow::{Context, Result, bail, ensure};
use harness::agents::{Pair, Side};
use harness::servers::Server;
use harness::{faults, jobs, live, wait};
use milvus::SegmentState;
use model::{CollectionPhase, Phase, codes};
use serde_json::Value;
use std::convert::Infallible;
use std::time::{Duration, Instant};

const ROWS: u64 = 500_000;
const RATE: u32 = 500;

/// How many segments the rows are to lie in.
const SEGMENTS: usize = 10;

/// How long the source is changed before nothing is written any more.
const CHANGED_FOR: Duration = Duration::from_secs(30);

/// How often a collection is compacted while a live job copies it.
const COMPACT_EVERY: Duration = Duration::from_secs(5);

#[test]
fn copy_segments_of_collections_that_nobody_loads() -> Result<()> {
    run(async {
        let (source, target) = live::servers().await?;
        let mut writers = writers(&source).await?;
        tokio::time::sleep(CHANGED_FOR).await;
        writers.rest().await?;
        let written = writers.finish().await?;
        let client = source.client().await?;
        for collection in WRITTEN {
            client.release(collection).await?;
        }
        let mut pair = Pair::new(&source, &target).await?;
        pair.give_storage(&source, &target);
        pair.start().await?;
        let begun = Instant::now();
        let status = jobs::run_to_completion(&pair.source, &shipped(jobs::spec), LIMIT).await?;
        println!("{:.1} s with verification", begun.elapsed().as_secs_f64());
        let imported = status
            .findings
            .iter()
            .filter(|finding| finding.code == codes::COPY_BY_IMPORT);
        ensure!(imported.count() == WRITTEN.len(), "{:#?}", status.findings);
        assert_bounded(&pair, &source).await?;
        for server in [&source, &target] {
            let client = server.client().await?;
            for collection in WRITTEN {
                client.load(collection, 1).await?;
                client.wait_for_load(collection, LIMIT, |_| ()).await?;
            }
        }
        arrived(&source, &target, &written).await?;
        source.stop().await?;
        target.stop().await
    })
}

#[test]
fn copy_segments_that_are_written_to_and_compacted_meanwhile() -> Result<()> {
    run(async {
        let (source, target) = live::servers().await?;
        let mut writers = writers(&source).await?;
        let mut pair = live::pair(&source, &target).await?;
        pair.give_storage(&source, &target);
        // So slow that segments are replaced meanwhile, and so little at once that some are not planned for any more.
        pair.source.config["limits"]["bytes_per_second"] = "512KiB".into();
        pair.source.config["limits"]["import"] = "4MiB".into();
        pair.start().await?;
        jobs::begin(&pair.source, &shipped(live::spec)).await?;
        let mut replaced = 0;
        tokio::select! {
            copied = is_copied(&pair) => copied?,
            failed = compact_all(&source, &mut replaced) => match failed? {},
        }
        let status = jobs::syncs(&pair.source, JOB, LIMIT).await?;
        ensure!(status.phase == Phase::Syncing, "{status:#?}");
        println!("{replaced} segments were replaced; the source's agent:");
        for line in pair.source.log().lines() {
            if line.contains("segments are listed") {
                println!("{line}");
            }
        }
        assert_bounded(&pair, &source).await?;
        live::ready(&pair, JOB, LIMIT).await?;
        let rested = writers.rest().await?;
        live::cut_over(&pair, JOB, rested).await?;
        arrived(&source, &target, &writers.finish().await?).await?;
        source.stop().await?;
        target.stop().await
    })
}

const JOB: &str = "shipped";

async fn writers(source: &Server) -> Result<Writers> {
    let seed = faults::seed_or(u64::from(std::process::id()) * 1000);
    let rows = number_or("ROWS", ROWS);
    println!("seed {seed}, {rows} rows");
    Writers::start(source, &mix(seed, rows, RATE)).await
}

fn shipped(spec: impl Fn(&str, &[&str]) -> Value) -> Value {
    let mut spec = spec(JOB, &WRITTEN);
    spec["copy"] = "segments".into();
    spec
}

/// Waits until no collection of the job is copied any more.
async fn is_copied(pair: &Pair) -> Result<()> {
    wait::until("rows to be copied", LIMIT, || async {
        let status = jobs::show(&pair.source, JOB).await?;
        ensure!(!status.phase.is_terminal(), "{status:#?}");
        let is_copied =
            |phase| !matches!(phase, CollectionPhase::Waiting | CollectionPhase::Copying);
        let all = status.collections.len() == WRITTEN.len()
            && status
                .collections
                .iter()
                .all(|shown| is_copied(shown.phase));
        Ok(all.then_some(()))
    })
    .await
}

/// Compacts the collections in turn, and counts the segments that were replaced.
async fn compact_all(source: &Server, replaced: &mut usize) -> Result<Infallible> {
    let client = source.client().await?;
    for collection in WRITTEN.iter().cycle() {
        // What was written since is compacted, too.
        let flush = client.flush(collection).await?;
        client.wait_for_flush(collection, &flush, LIMIT).await?;
        *replaced += source.compact(collection).await?.len();
        tokio::time::sleep(COMPACT_EVERY).await;
    }
    bail!("there is no collection")
}

/// Makes sure that there was enough to copy, and that the agents took no more memory than they may.
async fn assert_bounded(pair: &Pair, source: &Server) -> Result<()> {
    let client = source.client().await?;
    let mut segments = 0;
    for collection in WRITTEN {
        let of_collection = client.segments(collection).await?;
        let is_flushed = |state| state == SegmentState::Flushed;
        segments += of_collection
            .iter()
            .filter(|segment| is_flushed(segment.state))
            .count();
    }
    let mut peaks = [0; 2];
    for (peak, side) in peaks.iter_mut().zip([Side::Source, Side::Target]) {
        let process = pair.agent(side).process()?;
        *peak = process.peak_resident_bytes().context("memory is told")?;
    }
    println!(
        "{segments} segments; peaks of {} and {} MiB",
        peaks[0] >> 20,
        peaks[1] >> 20
    );
    ensure!(segments >= SEGMENTS, "{segments} segments");
    ensure!(
        peaks.iter().all(|peak| *peak <= MOST_BYTES),
        "{peaks:?} bytes"
    );
    Ok(())
}

async fn arrived(source: &Server, target: &Server, written: &AllWritten) -> Result<()> {
    println!("{} changes", written.changes());
    written.assert_arrived(source, target).await
}
