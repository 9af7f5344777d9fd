//! Rows that are read from the files of segments: of collections that nobody loads, down to every bit.

use crate::copy::{AUTO_ID_OFF, FULL_LIMIT, UNREADABLE, readable};
use crate::fleet;
use crate::live::{SYNC_LIMIT, all_arrive, flows, writers};
use crate::milvus_client::place::Place;
use crate::milvus_client::rows::KeyKind;
use anyhow::{Context, Result, ensure};
use harness::agents::Pair;
use harness::live;
use harness::oracle::{Comparison, Difference};
use harness::servers::{Bulk, Kind, Server};
use harness::{faults, jobs};
use model::{ChangesStatus, CollectionPhase, JobStatus, Key, LoadState, Severity, codes};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(180);

/// A pair of which the source's agent reads its server's files.
async fn pair(source: &Server, target: &Server) -> Result<Pair> {
    let mut pair = Pair::new(source, target).await?;
    pair.source.config["storage"] = source.storage_config();
    pair.start().await?;
    Ok(pair)
}

/// A pair of which both agents have the storage of their servers.
pub(crate) async fn shipping_pair(source: &Server, target: &Server) -> Result<Pair> {
    let mut pair = Pair::new(source, target).await?;
    pair.give_storage(source, target);
    pair.start().await?;
    Ok(pair)
}

fn spec(name: &str, collections: &[&str], copy: &str) -> Value {
    let mut spec = jobs::spec(name, collections);
    spec["copy"] = copy.into();
    spec
}

/// Of how many collections preflight says this.
pub(crate) fn told(status: &JobStatus, code: &str) -> usize {
    let told = status.findings.iter();
    told.filter(|finding| finding.code == code).count()
}

#[test]
fn everything_that_2_3_5_has_in_files_arrives_without_a_query() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full().await?, fleet::target().await?);
        let pair = pair(&full.server, target).await?;
        let mut spec = spec("files", &["*.*"], "segments");
        spec["rename"] = json!({ "default.*": "files.*", "archive.*": "files_archive.*" });
        // It would arrive, and could not be compared there either.
        spec["exclude"] = json!(UNREADABLE);
        let status = jobs::run_to_completion(&pair.source, &spec, FULL_LIMIT).await?;
        let is_done = |phase| phase == CollectionPhase::Done;
        assert!(status.collections.iter().all(|shown| is_done(shown.phase)));
        assert_eq!(
            told(&status, codes::COPY_BY_SEGMENTS) as u64,
            readable(&full)
        );
        let asked = pair
            .source
            .metrics()
            .await?
            .lines()
            .filter(|line| {
                line.contains("passage_milvus_call_seconds") && line.contains("\"Query\"")
            })
            .count();
        assert_eq!(asked, 0, "the source's agent asked queries");
        Comparison::of(&full.server, target)
            .renamed(&["default.*=files.*", "archive.*=files_archive.*"])
            .excluding(&UNREADABLE)
            .ignoring(&AUTO_ID_OFF)
            .assert_equal(readable(&full))
            .await?;
        Ok(())
    })
}

/// Rows in several files, some deleted, some of them back, some written twice: what is left of keys 0 to 3999.
pub(crate) async fn written(server: &Server, name: &str, kind: KeyKind) -> Result<Place> {
    let key = |key: i64| match kind {
        KeyKind::Int64 => Key::Int64(key),
        KeyKind::VarChar => Key::VarChar(format!("key {key}")),
    };
    let keys: Vec<Key> = (0..4000).map(key).collect();
    let place = Place::make(server.uri(), name, kind, 4).await?;
    for part in keys.chunks(1000) {
        place.insert(part, 1.0).await?;
        let flush = place.client.flush(name).await?;
        place.client.wait_for_flush(name, &flush, LIMIT).await?;
    }
    let primary = place.primary();
    place
        .client
        .delete(name, None, primary, &keys[900..1100])
        .await?;
    // Some come back: their deletes are older than they are.
    place.insert(&keys[1000..1050], 2.0).await?;
    // A further row of a key is the one that is shown.
    place.insert(&keys[2000..2100], 3.0).await?;
    Ok(place)
}

/// The source answers both rows of such a key, in any order; the target has the younger one.
pub(crate) fn is_youngest_of_several(found: &Difference) -> bool {
    let younger = 3.0f32
        .to_le_bytes()
        .map(|byte| format!("{byte:02x}"))
        .concat();
    let told = format!("→ 0x{}", younger.repeat(4));
    match found.kind.as_str() {
        "row_duplicated" => found.detail.starts_with("2 → 1 rows"),
        "value" => found.field.as_deref() == Some("v") && found.detail.ends_with(&told),
        _ => false,
    }
}

/// Copies such a collection, which is not loaded, and holds the target against it.
async fn unloaded_arrives(by: By, target: &Server, name: &str, kind: KeyKind) -> Result<()> {
    let source = fleet::target().await?;
    let place = written(source, name, kind).await?;
    place.client.release(name).await?;
    let (pair, copy, code) = match by {
        By::Rows => (pair(source, target).await?, "auto", codes::COPY_BY_SEGMENTS),
        By::Import => {
            let mut pair = Pair::new(source, target).await?;
            pair.give_storage(source, target);
            // The agent sees the folder under another path than Milvus does.
            let seen = pair.folder().join("seen");
            std::os::unix::fs::symlink(target.objects(), &seen)?;
            let section = &mut pair.target.config["storage"];
            section["server_path"] = section["path"].take();
            section["path"] = json!(seen);
            pair.start().await?;
            (pair, "segments", codes::COPY_BY_IMPORT)
        }
    };
    let mut spec = spec(name, &[name], copy);
    spec["rename"] = json!({ "default.*": "there.*" });
    let status = jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
    assert_eq!(told(&status, code), 1, "{:#?}", status.findings);
    if by == By::Import {
        let staging = target.objects().join("passage").join(name);
        assert!(!staging.exists(), "files were left");
    }
    let report = jobs::report(&pair.source, name).await?;
    let [compared] = &report.collections[..] else {
        anyhow::bail!("{report:#?}")
    };
    assert_eq!(compared.rows, 3850);
    let state = place.client.load_state(name).await?;
    assert_eq!(state, LoadState::NotLoaded, "nobody loaded it");

    place.client.load(name, 1).await?;
    place.client.wait_for_load(name, LIMIT, |_| ()).await?;
    Comparison::of(source, target)
        .only(&[name])
        .renamed(&["default.*=there.*"])
        .ignoring(&["lite", "load_state"])
        .assert_equal_but(1, is_youngest_of_several)
        .await?;
    place.drop().await
}

/// How rows of files reach the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rows,
    Import,
}

#[test]
fn a_collection_that_is_not_loaded_is_shipped_and_imported_without_what_was_deleted() -> Result<()>
{
    fleet::run(async {
        let target = fleet::target().await?;
        unloaded_arrives(By::Import, target, "shipped_numbers", KeyKind::Int64).await?;
        unloaded_arrives(By::Import, target, "shipped_texts", KeyKind::VarChar).await
    })
}

#[test]
fn a_collection_that_is_not_loaded_arrives_on_lite_without_what_was_deleted() -> Result<()> {
    fleet::run(async {
        unloaded_arrives(
            By::Rows,
            fleet::lite_target().await?,
            "unloaded_lite",
            KeyKind::Int64,
        )
        .await
    })
}

#[test]
fn a_collection_with_texts_as_keys_that_is_not_loaded_arrives_on_2_3_5() -> Result<()> {
    fleet::run(async {
        unloaded_arrives(
            By::Rows,
            fleet::target().await?,
            "unloaded_texts",
            KeyKind::VarChar,
        )
        .await
    })
}

/// The first thing that blocks the job is this.
fn assert_blocked(told: &JobStatus, code: &str) {
    let mut findings = told.findings.iter();
    let blocked = findings.find(|found| found.severity == Severity::Blocked);
    let blocked = blocked.map(|found| found.code.as_str());
    assert_eq!(blocked, Some(code), "{:#?}", told.findings);
}

#[test]
fn what_keeps_segments_from_being_read_is_told_before_the_job_starts() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::target().await?, fleet::lite_target().await?);
        let place = written(source, "elsewhere", KeyKind::Int64).await?;
        let flush = place.client.flush("elsewhere").await?;
        place
            .client
            .wait_for_flush("elsewhere", &flush, LIMIT)
            .await?;
        let mut pair = Pair::new(source, target).await?;
        let empty = pair.folder().join("empty");
        std::fs::create_dir(&empty)?;
        pair.source.config["storage"] = json!({ "kind": "local", "path": empty });
        pair.start().await?;
        let asked = spec("elsewhere", &["elsewhere"], "segments");
        let told = jobs::dry_run(&pair.source, &asked, LIMIT).await?;
        assert_blocked(&told, codes::STORAGE_MISSING);

        let without = Pair::started(source, target).await?;
        let told = jobs::dry_run(&without.source, &asked, LIMIT).await?;
        assert_blocked(&told, codes::SEGMENTS_UNREADABLE);
        place.drop().await
    })
}

#[test]
fn everything_that_2_3_5_has_in_files_is_shipped_and_imported() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full().await?, fleet::target().await?);
        let pair = shipping_pair(&full.server, target).await?;
        let mut spec = spec("shipped", &["*.*"], "segments");
        spec["rename"] = json!({ "default.*": "shipped.*", "archive.*": "shipped_archive.*" });
        // It would arrive, and could not be compared there either.
        spec["exclude"] = json!(UNREADABLE);
        let status = jobs::run_to_completion(&pair.source, &spec, FULL_LIMIT).await?;
        let by_rows = ["default.halves"].map(String::from);
        let subjects = |code: &str| -> Vec<String> {
            let told = status
                .findings
                .iter()
                .filter(|finding| finding.code == code);
            told.map(|finding| finding.subject.clone()).collect()
        };
        assert_eq!(subjects(codes::COPY_BY_SEGMENTS), by_rows);
        let imported = subjects(codes::COPY_BY_IMPORT).len() as u64;
        assert_eq!(imported + by_rows.len() as u64, readable(&full));
        Comparison::of(&full.server, target)
            .renamed(&["default.*=shipped.*", "archive.*=shipped_archive.*"])
            .excluding(&UNREADABLE)
            .ignoring(&AUTO_ID_OFF)
            .assert_equal(readable(&full))
            .await?;
        Ok(())
    })
}

#[test]
fn what_is_written_throughout_arrives_though_its_rows_were_shipped() -> Result<()> {
    fleet::run(async {
        let (source, target) = live::servers().await?;
        let seed = faults::seed_or(61);
        let churns = writers(&source, seed).await?;
        let mut pair = live::pair(&source, &target).await?;
        pair.give_storage(&source, &target);
        pair.start().await?;
        let names = ["numbers", "words", "automatic"];
        let mut spec = live::spec("shipped", &names);
        spec["copy"] = "segments".into();
        jobs::begin(&pair.source, &spec).await?;
        let status = jobs::syncs(&pair.source, "shipped", SYNC_LIMIT).await?;
        assert_eq!(told(&status, codes::COPY_BY_IMPORT), names.len());
        flows(&pair, "shipped").await?;
        let is_repaired = |changes: ChangesStatus| changes.repaired > 0;
        let status = jobs::show(&pair.source, "shipped").await?;
        let mut shown = status.collections.iter();
        assert!(
            !shown.any(|shown| shown.changes.is_some_and(is_repaired)),
            "{status:#?}"
        );
        all_arrive(&pair, "shipped", (&source, &target), churns).await?;
        source.stop().await?;
        target.stop().await
    })
}

/// How many files of jobs are in a server's bucket.
async fn staged(server: &Server) -> Result<usize> {
    let address = server.bucket().context("a bucket")?;
    let mut stream = TcpStream::connect(address).await?;
    let asked = "GET /a-bucket?list-type=2&prefix=files/passage/ HTTP/1.0\r\n\r\n";
    stream.write_all(asked.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(
        answer.contains("<Prefix>files/passage/</Prefix>"),
        "{answer}"
    );
    Ok(answer.matches("<Key>").count())
}

/// Deleted rows, doubled ones, those of several partitions: whatever a disk holds, in a bucket on each side. S3 is a mock here.
#[test]
fn files_are_shipped_from_bucket_to_bucket() -> Result<()> {
    fleet::run(async {
        let start = || Server::start_with(Kind::V2_3_5, &["--storage", "s3"]);
        let (source, target) = tokio::try_join!(start(), start())?;
        let bulk = Bulk {
            database: "default",
            collection: "parted",
            rows: 6_000,
            dim: 16,
            flags: &["--partitions", "2", "--text"],
        };
        source.seed_bulk(&bulk).await?;
        let place = written(&source, "written", KeyKind::VarChar).await?;
        let pair = shipping_pair(&source, &target).await?;
        let spec = spec("buckets", &["parted", "written"], "segments");
        let status = jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        assert_eq!(told(&status, codes::COPY_BY_IMPORT), 2);
        assert!(!target.objects().join("insert_log").exists());
        assert_eq!(staged(&target).await?, 0, "files were left");
        drop(place);
        Comparison::of(&source, &target)
            .assert_equal_but(2, is_youngest_of_several)
            .await?;
        source.stop().await?;
        target.stop().await
    })
}
