//! Files that can't be read, shipped or imported: each is named with its remedy, nothing is lost, and nothing is left behind.

use crate::fleet;
use crate::from_segments::shipping_pair;
use crate::milvus_client::place::Place;
use crate::milvus_client::rows::KeyKind;
use anyhow::{Context, Result, ensure};
use harness::agents::Pair;
use harness::oracle::Comparison;
use harness::servers::Server;
use harness::{jobs, wait};
use model::{JobStatus, Key, codes};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// The ids of the first fields of a collection: its key, and its vector.
const KEY: &str = "100";
const VECTOR: &str = "101";

/// A collection of two segments for each of its channels, all in files.
pub(crate) async fn written(source: &Server, name: &str) -> Result<Place> {
    let keys: Vec<Key> = (0..4000).map(Key::Int64).collect();
    let place = Place::make(source.uri(), name, KeyKind::Int64, 64).await?;
    for part in keys.chunks(2000) {
        place.insert(part, 1.0).await?;
        let flush = place.client.flush(name).await?;
        place.client.wait_for_flush(name, &flush, LIMIT).await?;
    }
    Ok(place)
}

/// A file of a field of the collection's last segment: the first is looked into before anything is sent.
async fn file_of(source: &Server, place: &Place, field: &str) -> Result<PathBuf> {
    let collection = place.client.describe_collection(&place.name).await?.id;
    let rows = source.objects().join(format!("insert_log/{collection}"));
    let (mut folders, mut files) = (vec![rows], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if folder.ends_with(field) {
                files.push(path);
            }
        }
    }
    files.sort();
    files.pop().context("a file of the field")
}

/// Cuts a file in half, as a disk that was full or a copy that broke off leaves it; what it was.
fn cut(file: &Path) -> Result<Vec<u8>> {
    let whole = std::fs::read(file)?;
    std::fs::write(file, &whole[..whole.len() / 2])?;
    Ok(whole)
}

pub(crate) fn spec(name: &str) -> Value {
    let mut spec = jobs::spec(name, &[name]);
    spec["copy"] = "segments".into();
    spec["rename"] = json!({ "default.*": "arrived.*" });
    spec
}

/// What a job waits for.
pub(crate) fn cause(status: &JobStatus) -> Result<String> {
    let cause = status.cause.as_ref().context("a cause")?;
    Ok(format!("{} ({})", cause.message, cause.hint))
}

/// Whether files of a job are staged.
pub(crate) fn is_staged(target: &Server, job: &str) -> bool {
    target.objects().join("passage").join(job).exists()
}

async fn cancel(pair: &Pair, job: &str) -> Result<()> {
    let told = pair.source.tell(&["job", "cancel", job]).await?;
    ensure!(told.code == 0, "{told:?}");
    Ok(())
}

#[test]
fn a_file_that_is_cut_short_is_named_and_read_once_it_is_whole() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::target().await?, fleet::target().await?);
        let place = written(source, "cut_keys").await?;
        let file = file_of(source, &place, KEY).await?;
        let whole = cut(&file)?;
        let pair = shipping_pair(source, target).await?;
        jobs::begin(&pair.source, &spec("cut_keys")).await?;
        let waits = jobs::stuck_with(&pair.source, "cut_keys", codes::SEGMENT_MALFORMED, LIMIT);
        let told = cause(&waits.await?)?;
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .context("a name")?;
        assert!(told.contains(name), "{told}");
        std::fs::write(&file, whole)?;
        let status = jobs::wait(&pair.source, "cut_keys", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        Comparison::of(source, target)
            .only(&["cut_keys"])
            .renamed(&["default.*=arrived.*"])
            .assert_equal(1)
            .await?;
        place.drop().await
    })
}

#[test]
fn files_that_milvus_can_not_import_are_told_with_its_reason_and_taken_away() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::target().await?, fleet::target().await?);
        let place = written(source, "cut_vectors").await?;
        let file = file_of(source, &place, VECTOR).await?;
        cut(&file)?;
        let pair = shipping_pair(source, target).await?;
        jobs::begin(&pair.source, &spec("cut_vectors")).await?;
        let waits = jobs::stuck_with(&pair.source, "cut_vectors", codes::IMPORT_FAILED, LIMIT);
        let told = cause(&waits.await?)?;
        assert!(
            told.contains("could not import its files: ") && told.contains("copy: rows"),
            "{told}"
        );
        assert!(is_staged(target, "cut_vectors"));
        cancel(&pair, "cut_vectors").await?;
        wait::until("staging to be cleared", LIMIT, || async {
            Ok((!is_staged(target, "cut_vectors")).then_some(()))
        })
        .await?;
        place.drop().await
    })
}

#[test]
fn a_targets_storage_that_is_out_of_reach_is_named_and_rows_are_sent_instead() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::target().await?, fleet::target().await?);
        let place = written(source, "no_bucket").await?;
        let mut pair = Pair::new(source, target).await?;
        let secret = pair.folder().join("bucket.secret");
        std::fs::write(&secret, "secret")?;
        pair.source.config["storage"] = source.storage_config();
        pair.target.config["storage"] = json!({
            "kind": "s3",
            // Nobody listens there: the port is reserved.
            "endpoint": "http://127.0.0.1:1",
            "region": "us-east-1",
            "accessKeyID": "key",
            "secretAccessKey_file": secret,
        });
        pair.start().await?;
        let status = jobs::run_to_completion(&pair.source, &spec("no_bucket"), LIMIT).await?;
        let mut findings = status.findings.iter();
        let found = findings.find(|found| found.code == codes::COPY_BY_SEGMENTS);
        let found = found.context("by segments")?;
        assert!(
            found.text.contains("127.0.0.1:1/") && found.text.contains("endpoint"),
            "{found:?}"
        );
        place.drop().await
    })
}

#[test]
fn what_was_staged_when_the_targets_agent_died_is_taken_away_once_the_job_is_cancelled()
-> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::target().await?, fleet::target().await?);
        let place = written(source, "left").await?;
        let mut pair = shipping_pair(source, target).await?;
        pair.link.slow_to(64 << 10);
        jobs::begin(&pair.source, &spec("left")).await?;
        wait::until("files to be staged", LIMIT, || async {
            Ok(is_staged(target, "left").then_some(()))
        })
        .await?;
        pair.target.kill().await?;
        pair.link.slow_to(0);
        cancel(&pair, "left").await?;
        assert!(is_staged(target, "left"), "nobody could take them away");
        pair.target.start().await?;
        wait::until("staging to be cleared", LIMIT, || async {
            Ok((!is_staged(target, "left")).then_some(()))
        })
        .await?;
        place.drop().await
    })
}
