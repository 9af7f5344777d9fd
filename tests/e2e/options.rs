//! What a job file can say, on Milvus Lite, where a job takes a second.

use crate::fleet;
use anyhow::Result;
use harness::agents::{Dialler, Pair};
use harness::jobs;
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use model::collection::LoadState;
use model::{CollectionPhase, Phase, Verification};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const ROWS: u64 = 1200;

/// A collection of a test's own on the shared source, and the pair that will copy it.
async fn prepared(collection: &str) -> Result<(&'static Server, &'static Server, Pair)> {
    let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
    make(source, collection, ROWS, "1").await?;
    Ok((source, target, Pair::started(source, target).await?))
}

async fn make(server: &Server, collection: &str, rows: u64, seed: &str) -> Result<()> {
    let flags = ["--text", "--json", "--seed", seed];
    server
        .seed_bulk(&Bulk {
            database: "default",
            collection,
            rows,
            dim: 8,
            flags: &flags,
        })
        .await?;
    Ok(())
}

#[test]
fn the_target_may_dial_and_be_given_the_job() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        make(source, "dialled", ROWS, "1").await?;
        let mut pair = Pair::with(source, target, Dialler::Target).await?;
        pair.start().await?;
        pair.linked().await?;
        jobs::run_to_completion(&pair.target, &jobs::spec("dialled", &["dialled"]), LIMIT).await?;
        let seen_on_the_source = jobs::wait(&pair.source, "dialled", LIMIT).await?;
        assert_eq!(seen_on_the_source.phase, Phase::Completed);
        Comparison::of(source, target)
            .only(&["dialled"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn a_dry_run_tells_what_it_finds_and_changes_nothing() -> Result<()> {
    fleet::run(async {
        let (_, target, pair) = prepared("untouched").await?;
        let mut spec = jobs::spec("untouched", &["untouched"]);
        spec["rename"] = json!({ "default.*": "not_there.*" });
        let status = jobs::dry_run(&pair.source, &spec, LIMIT).await?;
        assert_eq!(status.phase, Phase::Completed, "{:?}", status.cause);
        assert_eq!(status.collections.len(), 1);
        assert_eq!(status.collections[0].target, "not_there.untouched".into());
        let client = target.client().await?;
        assert!(
            !client
                .list_databases()
                .await?
                .contains(&"not_there".to_owned())
        );
        assert!(
            !client
                .list_collections()
                .await?
                .contains(&"untouched".to_owned())
        );
        Ok(())
    })
}

#[test]
fn a_name_that_is_taken_is_skipped_when_the_job_says_so() -> Result<()> {
    fleet::run(async {
        let (_, target, pair) = prepared("skipped").await?;
        make(target, "skipped", 7, "2").await?;
        let mut spec = jobs::spec("skipped", &["skipped"]);
        spec["on_conflict"] = "skip".into();
        let status = jobs::run(&pair.source, &spec, LIMIT).await?;
        assert_eq!(status.phase, Phase::Completed, "{:?}", status.cause);
        assert_eq!(status.collections[0].phase, CollectionPhase::Skipped);
        assert_eq!(target.client().await?.count_flushed("skipped").await?, 7);
        Ok(())
    })
}

#[test]
fn a_name_that_is_taken_is_made_anew_when_the_job_says_so() -> Result<()> {
    fleet::run(async {
        let (source, target, pair) = prepared("replaced").await?;
        make(target, "replaced", 50, "2").await?;
        let mut spec = jobs::spec("replaced", &["replaced"]);
        spec["on_conflict"] = "replace".into();
        jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        Comparison::of(source, target)
            .only(&["replaced"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn rows_are_added_to_a_collection_that_is_there_when_the_job_says_so() -> Result<()> {
    fleet::run(async {
        let (source, target, pair) = prepared("appended").await?;
        // The target has the first rows already, with other values: the source's take their place.
        make(target, "appended", 50, "2").await?;
        let mut spec = jobs::spec("appended", &["appended"]);
        spec["on_conflict"] = "append".into();
        jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        Comparison::of(source, target)
            .only(&["appended"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn keys_that_the_source_made_are_made_anew_when_the_job_says_so() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full_lite().await?, fleet::lite_target().await?);
        let pair = Pair::started(&full.server, target).await?;
        let mut spec = jobs::spec("regenerated", &["auto_numbers"]);
        spec["auto_id"] = "regenerate".into();
        spec["rename"] = json!({ "default.*": "made_anew.*" });
        jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        Comparison::of(&full.server, target)
            .only(&["auto_numbers"])
            .renamed(&["default.*=made_anew.*"])
            .keyless(&["auto_numbers"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn a_collection_that_is_loaded_for_the_job_is_released_afterwards() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full_lite().await?, fleet::lite_target().await?);
        let pair = Pair::started(&full.server, target).await?;
        let mut spec = jobs::spec("borrowed", &["released"]);
        spec["unloaded"] = "load".into();
        spec["rename"] = json!({ "default.*": "borrowed.*" });
        jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        assert_eq!(
            full.server.client().await?.load_state("released").await?,
            LoadState::NotLoaded
        );
        Comparison::of(&full.server, target)
            .only(&["released"])
            .renamed(&["default.*=borrowed.*"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn what_was_not_compared_is_not_called_equal() -> Result<()> {
    fleet::run(async {
        let (source, target, pair) = prepared("unproven").await?;
        let mut spec = jobs::spec("unproven", &["unproven"]);
        spec["verify"] = "none".into();
        let status = jobs::run(&pair.source, &spec, LIMIT).await?;
        assert_eq!(status.phase, Phase::Completed, "{:?}", status.cause);
        assert_eq!(status.collections[0].verification, Verification::NotRun);
        Comparison::of(source, target)
            .only(&["unproven"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn a_cancelled_job_ends_and_another_can_take_its_place() -> Result<()> {
    fleet::run(async {
        let (source, target, pair) = prepared("cancelled").await?;
        pair.link.slow_to(4 << 10);
        let mut spec = jobs::spec("cancelled", &["cancelled"]);
        jobs::begin(&pair.source, &spec).await?;
        let told = pair.source.tell(&["job", "cancel", "cancelled"]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        let watched = pair.source.tell(&["job", "watch", "cancelled"]).await?;
        assert_eq!(watched.code, 5, "{watched:?}");
        assert_eq!(
            jobs::show(&pair.source, "cancelled").await?.phase,
            Phase::Cancelled
        );
        pair.link.slow_to(0);
        spec["name"] = "cancelled-again".into();
        spec["on_conflict"] = "replace".into();
        jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        Comparison::of(source, target)
            .only(&["cancelled"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn jobs_side_by_side_do_not_disturb_each_other() -> Result<()> {
    fleet::run(async {
        let (source, target, pair) = prepared("left").await?;
        make(source, "right", ROWS, "2").await?;
        let (left, right) = (
            jobs::spec("left", &["left"]),
            jobs::spec("right", &["right"]),
        );
        pair.linked().await?;
        tokio::try_join!(
            jobs::run_to_completion(&pair.source, &left, LIMIT),
            jobs::run_to_completion(&pair.target, &right, LIMIT),
        )?;
        Comparison::of(source, target)
            .only(&["left", "right"])
            .assert_equal(2)
            .await?;
        Ok(())
    })
}
