//! Segments that Milvus replaces, and whose files it removes, while they are copied.

use crate::fleet;
use crate::from_segments::told;
use crate::live::{SYNC_LIMIT, all_arrive, flows, writers};
use crate::milvus_client::place::Place;
use crate::milvus_client::rows::KeyKind;
use anyhow::{Result, ensure};
use harness::agents::Pair;
use harness::live;
use harness::oracle::Comparison;
use harness::servers::{Kind, Server};
use harness::{faults, jobs, wait};
use model::{JobStatus, Key, codes};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(240);

/// A server that removes the files of a segment a second after compaction has replaced it, and compacts when it is told to.
async fn forgetful() -> Result<Server> {
    let flags = [
        "--set",
        "dataCoord.gc.interval=1",
        "--set",
        "dataCoord.gc.dropTolerance=1",
        "--set",
        "dataCoord.compaction.enableAutoCompaction=false",
    ];
    Server::start_with(Kind::V2_3_5, &flags).await
}

/// Compacts a collection, and waits until the files of what it has replaced are gone: but for the last segment's, which Milvus keeps
/// until the channel's checkpoint is behind it.
async fn replace(source: &Server, collection: &str) -> Result<()> {
    let gone = source.compact(collection).await?;
    ensure!(
        gone.len() > 1,
        "segments {gone:?} of {collection} were replaced"
    );
    let rows = source.objects().join("insert_log");
    wait::until("files to be removed", LIMIT, || async {
        let there = segments_with_files(&rows);
        let left = gone
            .iter()
            .filter(|segment| there.contains(&segment.to_string()));
        Ok((left.count() <= 1).then_some(()))
    })
    .await
}

/// The segments that have files below a folder: of collections, of partitions, of segments, of fields.
fn segments_with_files(root: &Path) -> BTreeSet<String> {
    let below = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    let partitions = below(root.to_owned()).flat_map(below);
    let segments = partitions.flat_map(below);
    let with_files =
        segments.filter(|segment| below(segment.clone()).flat_map(below).next().is_some());
    let names = with_files.filter_map(|segment| Some(segment.file_name()?.to_str()?.to_owned()));
    names.collect()
}

/// How many times segments were listed by the source's agent, because others were replaced.
fn listed_again(pair: &Pair) -> usize {
    let log = pair.source.log();
    let listed = log
        .lines()
        .filter(|line| line.contains("segments are listed"));
    listed
        .filter(|line| line.contains(r#""again":true"#))
        .count()
}

/// Rows in eight segments, of about half a megabyte, that can't be compressed; some are written again, some deleted.
async fn written(source: &Server, name: &str) -> Result<Place> {
    let keys: Vec<Key> = (0..8000).map(Key::Int64).collect();
    let place = Place::make(source.uri(), name, KeyKind::Int64, 128).await?;
    let mut noise = 1u32;
    let mut noise = || {
        // A generator by George Marsaglia ("Xorshift RNGs", 2003).
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise as f32
    };
    let client = &place.client;
    for part in keys.chunks(1000) {
        place.insert_floats(part, &mut noise).await?;
        client
            .delete(name, None, place.primary(), &part[900..950])
            .await?;
        place.insert_floats(&part[900..910], &mut noise).await?;
        let flush = client.flush(name).await?;
        client.wait_for_flush(name, &flush, LIMIT).await?;
    }
    Ok(place)
}

/// How many rows are left of those.
const ROWS: u64 = 8 * 960;

/// Slow enough that a line that is slowed when the first rows have arrived has not carried most of them.
fn limits() -> (Value, Value) {
    let source = json!({ "import": "1MiB", "memory": "64MiB", "bytes_per_second": "1MiB" });
    // So much is on its way at a time: a 64th.
    (source, json!({ "memory": "64MiB" }))
}

/// Copies them; when some are there, the line carries next to nothing until all segments are replaced.
async fn replaced_halfway(pair: &Pair, source: &Server, name: &str) -> Result<JobStatus> {
    let mut spec = jobs::spec(name, &[name]);
    spec["copy"] = "segments".into();
    jobs::begin(&pair.source, &spec).await?;
    some_arrive(pair, name).await?;
    pair.link.slow_to(4 << 10);
    replace(source, name).await?;
    ensure!(
        listed_again(pair) == 0,
        "all was copied before it was replaced"
    );
    pair.link.slow_to(0);
    let status = jobs::wait(&pair.source, name, LIMIT).await?;
    jobs::ensure_completed(&pair.source, &status).await?;
    ensure!(listed_again(pair) > 0, "nobody had to list segments again");
    let report = jobs::report(&pair.source, name).await?;
    let rows: Vec<u64> = report
        .collections
        .iter()
        .map(|compared| compared.rows)
        .collect();
    ensure!(rows == [ROWS], "{report:#?}");
    Ok(status)
}

async fn some_arrive(pair: &Pair, job: &str) -> Result<()> {
    wait::until("some rows to arrive", LIMIT, || async {
        let status = jobs::show(&pair.source, job).await?;
        ensure!(!status.phase.is_terminal(), "{status:#?}");
        let copied: u64 = status
            .collections
            .iter()
            .map(|shown| shown.rows_copied)
            .sum();
        Ok((copied > 0).then_some(()))
    })
    .await
}

#[test]
fn what_compaction_replaces_while_it_is_shipped_arrives_once() -> Result<()> {
    fleet::run(async {
        let (source, target) = tokio::try_join!(forgetful(), Server::start(Kind::V2_3_5))?;
        let place = written(&source, "shipped").await?;
        let mut pair = Pair::new(&source, &target).await?;
        pair.give_storage(&source, &target);
        (pair.source.config["limits"], pair.target.config["limits"]) = limits();
        pair.start().await?;
        let status = replaced_halfway(&pair, &source, "shipped").await?;
        assert_eq!(told(&status, codes::COPY_BY_IMPORT), 1);
        let staging = target.objects().join("passage");
        assert_eq!(std::fs::read_dir(staging)?.count(), 0, "files were left");
        drop(place);
        Comparison::of(&source, &target).assert_equal(1).await?;
        source.stop().await?;
        target.stop().await
    })
}

#[test]
fn what_compaction_replaces_while_its_rows_are_read_arrives_once() -> Result<()> {
    fleet::run(async {
        let (source, target) = tokio::try_join!(forgetful(), Server::start(Kind::Lite))?;
        let place = written(&source, "read").await?;
        let mut pair = Pair::new(&source, &target).await?;
        pair.source.config["storage"] = source.storage_config();
        (pair.source.config["limits"], pair.target.config["limits"]) = limits();
        pair.start().await?;
        replaced_halfway(&pair, &source, "read").await?;
        drop(place);
        Comparison::of(&source, &target)
            .ignoring(&["lite"])
            .assert_equal(1)
            .await?;
        source.stop().await?;
        target.stop().await
    })
}

/// Keys that Milvus makes, partitions, texts: under changes, and with their segments replaced again and again.
#[test]
fn what_is_written_and_compacted_throughout_arrives_though_its_rows_were_shipped() -> Result<()> {
    fleet::run(async {
        let (source, target) = tokio::try_join!(forgetful(), Server::start(Kind::V2_3_5))?;
        let churns = writers(&source, faults::seed_or(67)).await?;
        let names = ["numbers", "words", "automatic"];
        let mut pair = live::pair(&source, &target).await?;
        pair.give_storage(&source, &target);
        (pair.source.config["limits"], pair.target.config["limits"]) = limits();
        pair.start().await?;
        let mut spec = live::spec("compacted", &names);
        spec["copy"] = "segments".into();
        jobs::begin(&pair.source, &spec).await?;
        some_arrive(&pair, "compacted").await?;
        pair.link.cut();
        let client = source.client().await?;
        let compacted = names.map(|name| {
            let (client, source) = (&client, &source);
            async move {
                // What was written since is compacted, too.
                let flush = client.flush(name).await?;
                client.wait_for_flush(name, &flush, LIMIT).await?;
                source.compact(name).await
            }
        });
        futures::future::try_join_all(compacted).await?;
        pair.link.mend();
        let status = jobs::syncs(&pair.source, "compacted", SYNC_LIMIT).await?;
        assert_eq!(told(&status, codes::COPY_BY_IMPORT), names.len());
        assert!(listed_again(&pair) > 0, "nobody had to list segments again");
        flows(&pair, "compacted").await?;
        all_arrive(&pair, "compacted", (&source, &target), churns).await?;
        source.stop().await?;
        target.stop().await
    })
}
