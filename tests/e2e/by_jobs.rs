//! Files that are shipped to a target of 2.4 or later, which imports them by jobs of its REST API.
//!
//! No server here has that API: a fake stands before a real 2.3.5, says that it is a later version, and carries the jobs out by the real
//! server's Import. So shipped files, their deletes and partitions are proven on a real importer, and the API as Milvus's sources have it;
//! what importers of later versions do otherwise is not.

use crate::copy::{AUTO_ID_OFF, FULL_LIMIT, UNREADABLE, readable};
use crate::crashes::{IMPORT, arm, die_at_each};
use crate::fleet;
use crate::from_segments::{is_youngest_of_several, told, written};
use crate::milvus_client::rows::KeyKind;
use anyhow::Result;
use harness::agents::Pair;
use harness::fake_rest_import::FakeRestImport;
use harness::jobs;
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use model::codes;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(240);

const USER: &str = "root";
const PASSWORD: &str = "Milvus";

/// A pair that ships, of which the target's agent knows its server through a fake.
async fn pair(source: &Server, target: &Server, password: &str) -> Result<(Pair, FakeRestImport)> {
    let front = FakeRestImport::before(target.uri(), &format!("{USER}:{PASSWORD}")).await?;
    let mut pair = Pair::new(source, target).await?;
    pair.give_storage(source, target);
    let file = pair.folder().join("password");
    std::fs::write(&file, password)?;
    pair.target.config["milvus"] = json!({
        "uri": front.uri(), "user": USER, "password_file": file,
    });
    Ok((pair, front))
}

fn spec(name: &str, collections: &[&str]) -> Value {
    let mut spec = jobs::spec(name, collections);
    spec["copy"] = "segments".into();
    spec
}

async fn seed(source: &Server, collection: &str) -> Result<()> {
    let bulk = Bulk {
        database: "default",
        collection,
        rows: 6_000,
        dim: 16,
        flags: &["--shards", "2", "--text"],
    };
    source.seed_bulk(&bulk).await?;
    Ok(())
}

async fn assert_arrived(server: &Server, name: &str) -> Result<()> {
    Comparison::of(server, server)
        .only(&[name])
        .renamed(&[&format!("default.*={name}_there.*")])
        .assert_equal(1)
        .await?;
    let staging = server.objects().join("passage").join(name);
    assert!(!staging.exists(), "files were left");
    server.client().await?.drop_collection(name).await?;
    Ok(())
}

#[test]
fn everything_that_2_3_5_can_import_is_imported_by_jobs() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full().await?, fleet::target().await?);
        let (mut pair, front) = pair(&full.server, target, PASSWORD).await?;
        pair.start().await?;
        let mut spec = spec("by_jobs", &["*.*"]);
        spec["rename"] = json!({ "default.*": "by_jobs.*", "archive.*": "by_jobs_archive.*" });
        // Jobs import halves, and the real server behind the fake does not.
        let excluded = [&UNREADABLE[..], &["halves"]].concat();
        spec["exclude"] = json!(excluded);
        let status = jobs::run_to_completion(&pair.source, &spec, FULL_LIMIT).await?;
        let imported = readable(&full) - 1;
        assert_eq!(told(&status, codes::COPY_BY_IMPORT) as u64, imported);
        assert!(
            front.created() as u64 >= imported - 1,
            "{}",
            front.created()
        );
        Comparison::of(&full.server, target)
            .renamed(&["default.*=by_jobs.*", "archive.*=by_jobs_archive.*"])
            .excluding(&excluded)
            .ignoring(&AUTO_ID_OFF)
            .assert_equal(imported)
            .await?;
        Ok(())
    })
}

#[test]
fn what_was_deleted_or_written_twice_is_left_out_by_jobs() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let place = written(server, "jobs_texts", KeyKind::VarChar).await?;
        let (mut pair, front) = pair(server, server, PASSWORD).await?;
        pair.start().await?;
        let mut spec = spec("jobs_texts", &["jobs_texts"]);
        spec["rename"] = json!({ "default.*": "jobs_texts_there.*" });
        let status = jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        assert_eq!(told(&status, codes::COPY_BY_IMPORT), 1);
        assert!(front.created() > 0);
        Comparison::of(server, server)
            .only(&["jobs_texts"])
            .renamed(&["default.*=jobs_texts_there.*"])
            .ignoring(&["lite"])
            .assert_equal_but(1, is_youngest_of_several)
            .await?;
        place.drop().await
    })
}

#[test]
fn a_job_that_failed_is_ordered_again_and_one_whose_answer_was_lost_is_found() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        seed(server, "doubtful").await?;
        let (mut pair, front) = pair(server, server, PASSWORD).await?;
        pair.start().await?;
        let mut spec = spec("doubtful", &["doubtful"]);
        spec["rename"] = json!({ "default.*": "doubtful_there.*" });
        front.fail_next("no space left on the node");
        front.lose_next_answer();
        jobs::begin(&pair.source, &spec).await?;
        let status =
            jobs::stuck_with(&pair.source, "doubtful", codes::IMPORT_FAILED, LIMIT).await?;
        let message = status.cause.map(|cause| cause.message).unwrap_or_default();
        assert!(message.contains("no space left on the node"), "{message}");
        let status = jobs::wait(&pair.source, "doubtful", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        assert_eq!(front.created(), 2, "one failed, and one was done once");
        assert_arrived(server, "doubtful").await
    })
}

#[test]
fn nothing_is_imported_before_the_targets_clock_is_behind_its_rows() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let before = server.client().await?.alloc_timestamp().await?;
        seed(server, "early").await?;
        let (mut pair, front) = pair(server, server, PASSWORD).await?;
        front.hold_clock(before);
        pair.start().await?;
        let mut spec = spec("early", &["early"]);
        spec["rename"] = json!({ "default.*": "early_there.*" });
        jobs::begin(&pair.source, &spec).await?;
        jobs::stuck_with(&pair.source, "early", codes::CLOCK_BEHIND, LIMIT).await?;
        assert_eq!(front.created(), 0);
        front.hold_clock(None);
        let status = jobs::wait(&pair.source, "early", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        assert_eq!(front.created(), 1);
        assert_arrived(server, "early").await
    })
}

#[test]
fn a_target_that_dies_at_the_order_of_a_job_orders_it_once() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        seed(server, "dying_jobs").await?;
        let (mut pair, front) = pair(server, server, PASSWORD).await?;
        arm(&mut pair.target, Some(IMPORT[0]));
        pair.start().await?;
        let mut spec = spec("dying_jobs", &["dying_jobs"]);
        spec["rename"] = json!({ "default.*": "dying_jobs_there.*" });
        jobs::begin(&pair.source, &spec).await?;
        die_at_each(&mut pair.target, &IMPORT).await?;
        let status = jobs::wait(&pair.source, "dying_jobs", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        assert_eq!(front.created(), 1);
        assert_arrived(server, "dying_jobs").await
    })
}

#[test]
fn a_target_that_is_not_let_in_by_rest_is_sent_rows_and_preflight_says_why() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        seed(server, "kept_out").await?;
        let (mut pair, front) = pair(server, server, "another").await?;
        pair.start().await?;
        let mut spec = spec("kept_out", &["kept_out"]);
        spec["rename"] = json!({ "default.*": "kept_out_there.*" });
        let status = jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        let mut findings = status.findings.iter();
        let found = findings.find(|finding| finding.code == codes::COPY_BY_SEGMENTS);
        let text = found.map_or("", |finding| finding.text.as_str());
        assert!(
            text.contains("user hasn't authenticated"),
            "{:#?}",
            status.findings
        );
        assert!(text.contains("milvus.rest_uri"), "{text}");
        assert_eq!(front.created(), 0);
        assert_arrived(server, "kept_out").await
    })
}
