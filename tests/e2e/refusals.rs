//! What can't be done is refused by a stable code that names the thing, and costs nothing that was there.

use crate::fleet::{self, NARROW_BYTES};
use anyhow::Result;
use harness::agents::{Pair, Side};
use harness::oracle::Comparison;
use harness::servers::{Bulk, ROOT_PASSWORD, Server};
use harness::{jobs, python};
use model::{Fault, JobStatus, Phase, codes};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// The exit code of a refused configuration, job file or request.
const REFUSED: i32 = 2;

async fn small(server: &Server, collection: &str) -> Result<()> {
    server
        .seed_bulk(&Bulk {
            database: "default",
            collection,
            rows: 100,
            dim: 4,
            flags: &["--text"],
        })
        .await?;
    Ok(())
}

/// What was said of a job: its cause, or the findings of its preflight.
fn told(status: &JobStatus, code: &str) -> String {
    let cause = status
        .cause
        .iter()
        .filter(|cause| cause.code == code)
        .map(Fault::to_string);
    let findings = status
        .findings
        .iter()
        .filter(|found| found.code == code)
        .map(ToString::to_string);
    cause.chain(findings).collect::<Vec<_>>().join("\n")
}

/// A job that fails with this code, naming these things.
async fn assert_fails(pair: &Pair, spec: &Value, code: &str, named: &[&str]) -> Result<JobStatus> {
    let status = jobs::run(&pair.source, spec, LIMIT).await?;
    assert_eq!(status.phase, Phase::Failed, "{status:#?}");
    let told = told(&status, code);
    assert!(
        !told.is_empty() && named.iter().all(|named| told.contains(named)),
        "{code}, {named:?}: {status:#?}"
    );
    Ok(status)
}

async fn lites() -> Result<(&'static Server, &'static Server, Pair)> {
    let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
    Ok((source, target, Pair::started(source, target).await?))
}

#[test]
fn an_unknown_key_of_the_configuration_is_named_with_its_line() -> Result<()> {
    fleet::run(async {
        let mut pair = Pair::new(fleet::lite_source().await?, fleet::lite_target().await?).await?;
        pair.source.config["milvus"]["usr"] = "root".into();
        pair.source.config["limits"] = json!({ "memory": "lots" });
        let status = pair
            .source
            .start_or_refuse()
            .await?
            .expect("it does not start");
        let log = pair.source.log();
        assert_eq!(status.code(), Some(REFUSED), "{log}");
        for part in [
            codes::CONFIG_INVALID,
            "milvus.usr",
            "limits.memory",
            "line ",
        ] {
            assert!(log.contains(part), "{part} in {log}");
        }
        Ok(())
    })
}

#[test]
fn an_unknown_key_of_a_job_is_named_and_no_job_is_made() -> Result<()> {
    fleet::run(async {
        let (_, _, pair) = lites().await?;
        let mut spec = jobs::spec("misspelt", &["docs"]);
        spec["on_conflct"] = "skip".into();
        let told = jobs::create(&pair.source, &spec, &[], LIMIT).await?;
        let fault = jobs::fault_of(&told)?;
        assert_eq!(
            (told.code, fault.code.as_str()),
            (REFUSED, codes::CONFIG_INVALID)
        );
        assert!(fault.message.contains("on_conflct"), "{fault}");
        let listed = pair.source.tell(&["job", "list"]).await?;
        assert_eq!(listed.out.trim(), "[]");
        Ok(())
    })
}

#[test]
fn a_job_name_is_given_once() -> Result<()> {
    fleet::run(async {
        let (source, _, pair) = lites().await?;
        small(source, "named_once").await?;
        let spec = jobs::spec("named-once", &["named_once"]);
        jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        let told = jobs::create(&pair.source, &spec, &[], LIMIT).await?;
        assert_eq!(
            (told.code, jobs::fault_of(&told)?.code.as_str()),
            (REFUSED, codes::JOB_EXISTS)
        );
        let told = pair.source.tell(&["job", "show", "no-such-job"]).await?;
        assert_eq!(
            (told.code, jobs::fault_of(&told)?.code.as_str()),
            (REFUSED, codes::JOB_NOT_FOUND)
        );
        Ok(())
    })
}

#[test]
fn a_pattern_that_matches_nothing_is_named() -> Result<()> {
    fleet::run(async {
        let (source, _, pair) = lites().await?;
        small(source, "matched").await?;
        let spec = jobs::spec("idle", &["matched", "no_such_*"]);
        assert_fails(&pair, &spec, codes::SELECTION_EMPTY, &["no_such_*"]).await?;
        Ok(())
    })
}

#[test]
fn an_unknown_collection_or_database_is_named() -> Result<()> {
    fleet::run(async {
        let (_, _, pair) = lites().await?;
        let spec = jobs::spec("unknown-collection", &["no_such_collection"]);
        assert_fails(
            &pair,
            &spec,
            codes::COLLECTION_NOT_FOUND,
            &["no_such_collection"],
        )
        .await?;
        let spec = jobs::spec("unknown-database", &["no_such_database.docs"]);
        assert_fails(
            &pair,
            &spec,
            codes::DATABASE_NOT_FOUND,
            &["no_such_database"],
        )
        .await?;
        Ok(())
    })
}

#[test]
fn a_name_that_is_taken_on_the_target_is_left_as_it_was() -> Result<()> {
    fleet::run(async {
        let (source, target, pair) = lites().await?;
        small(source, "taken").await?;
        target
            .seed_bulk(&Bulk {
                database: "default",
                collection: "taken",
                rows: 3,
                dim: 4,
                flags: &[],
            })
            .await?;
        assert_fails(
            &pair,
            &jobs::spec("taken", &["taken"]),
            codes::NAME_TAKEN,
            &["taken"],
        )
        .await?;
        assert_eq!(target.client().await?.count_flushed("taken").await?, 3);
        Ok(())
    })
}

#[test]
fn two_collections_for_one_name_are_refused() -> Result<()> {
    fleet::run(async {
        let (source, _, pair) = lites().await?;
        small(source, "clash_a").await?;
        small(source, "clash_b").await?;
        let mut spec = jobs::spec("clash", &["clash_*"]);
        spec["rename"] = json!({ "clash_a": "one_name", "clash_b": "one_name" });
        assert_fails(&pair, &spec, codes::NAME_CLASH, &["one_name"]).await?;
        Ok(())
    })
}

#[test]
fn what_an_agents_scope_does_not_allow_is_not_given() -> Result<()> {
    fleet::run(async {
        let (source, target, _) = lites().await?;
        small(source, "private").await?;
        for side in [Side::Source, Side::Target] {
            let mut pair = Pair::new(source, target).await?;
            pair.agent_mut(side).config["scope"]["deny"] = json!(["private"]);
            pair.start().await?;
            assert_fails(
                &pair,
                &jobs::spec("private", &["private"]),
                codes::SCOPE_DENIED,
                &["private"],
            )
            .await?;
        }
        assert!(
            !target
                .client()
                .await?
                .list_collections()
                .await?
                .contains(&"private".to_owned())
        );
        Ok(())
    })
}

#[test]
fn a_collection_that_is_not_loaded_is_refused_by_default_and_stays_released() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full_lite().await?, fleet::lite_target().await?);
        let pair = Pair::started(&full.server, target).await?;
        let mut spec = jobs::spec("released", &["released"]);
        spec["rename"] = json!({ "default.*": "never_made.*" });
        assert_fails(&pair, &spec, codes::COLLECTION_NOT_LOADED, &["released"]).await?;
        assert!(
            !target
                .client()
                .await?
                .list_databases()
                .await?
                .contains(&"never_made".to_owned())
        );
        Ok(())
    })
}

#[test]
fn a_type_that_the_targets_version_lacks_is_named_by_field() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full_lite().await?, fleet::target().await?);
        let pair = Pair::started(&full.server, target).await?;
        let mut spec = jobs::spec("too-new", &["several_vectors", "places"]);
        spec["rename"] = json!({ "default.*": "too_new.*" });
        let named = ["several_vectors", "words", "places", "spot"];
        assert_fails(&pair, &spec, codes::TYPE_UNSUPPORTED, &named).await?;
        assert!(
            !target
                .client()
                .await?
                .list_databases()
                .await?
                .contains(&"too_new".to_owned())
        );
        Ok(())
    })
}

async fn users(server: &Server, words: &[&str]) -> Result<()> {
    let token = format!("root:{ROOT_PASSWORD}");
    python::script(
        "tests/e2e/users.py",
        &[&[server.uri(), &token], words].concat(),
        LIMIT,
    )
    .await?;
    Ok(())
}

/// A pair whose target asks who calls; the agent there is this user.
async fn guarded(user: &str, password: &str) -> Result<Pair> {
    let mut pair = Pair::new(fleet::lite_source().await?, fleet::guarded().await?).await?;
    let file = pair.folder().join("milvus.pw");
    std::fs::write(&file, password)?;
    pair.target.config["milvus"]["user"] = user.into();
    pair.target.config["milvus"]["password_file"] = json!(file);
    Ok(pair)
}

#[test]
fn a_wrong_password_is_told_and_the_job_goes_on_once_it_is_right() -> Result<()> {
    fleet::run(async {
        small(fleet::lite_source().await?, "wrong_password").await?;
        let mut pair = guarded("root", "not-the-password").await?;
        let refused = pair
            .target
            .start_or_refuse()
            .await?
            .expect("it does not start");
        assert!(!refused.success());
        let log = pair.target.log();
        assert!(
            log.contains(codes::MILVUS_UNAUTHENTICATED) && log.contains("check user and password"),
            "{log}"
        );
        pair.source.start().await?;
        let spec = jobs::spec("wrong-password", &["wrong_password"]);
        jobs::begin(&pair.source, &spec).await?;
        jobs::stuck_with(
            &pair.source,
            "wrong-password",
            codes::PEER_UNREACHABLE,
            LIMIT,
        )
        .await?;
        std::fs::write(pair.folder().join("milvus.pw"), ROOT_PASSWORD)?;
        pair.target.start().await?;
        let status = jobs::wait(&pair.source, "wrong-password", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await
    })
}

#[test]
fn a_missing_right_is_named() -> Result<()> {
    fleet::run(async {
        small(fleet::lite_source().await?, "denied").await?;
        users(
            fleet::guarded().await?,
            &["user", "nobody", "no-rights-at-all"],
        )
        .await?;
        let mut pair = guarded("nobody", "no-rights-at-all").await?;
        pair.start().await?;
        jobs::begin(&pair.source, &jobs::spec("denied", &["denied"])).await?;
        let status = jobs::stuck_with(&pair.source, "denied", codes::MILVUS_DENIED, LIMIT).await?;
        let told = told(&status, codes::MILVUS_DENIED);
        assert!(
            told.contains("nobody") || told.contains("CreateCollection"),
            "{told}"
        );
        Ok(())
    })
}

#[test]
fn a_row_that_no_message_holds_is_named_and_smaller_ones_are_split_until_they_fit() -> Result<()> {
    fleet::run(async {
        let source = fleet::lite_source().await?;
        let rows = 400;
        let fits = Bulk {
            database: "default",
            collection: "fits",
            rows,
            dim: 4096,
            flags: &[],
        };
        let too_large = Bulk {
            database: "default",
            collection: "too_large",
            rows: 2,
            dim: 32_768,
            flags: &[],
        };
        source.seed_bulk(&fits).await?;
        source.seed_bulk(&too_large).await?;
        let mut pair = guarded("root", ROOT_PASSWORD).await?;
        pair.start().await?;
        jobs::run_to_completion(&pair.source, &jobs::spec("fits", &["fits"]), LIMIT).await?;
        assert!(
            fits.rows * 4096 * 4 > NARROW_BYTES,
            "one message would not hold them"
        );
        let spec = jobs::spec("too-large", &["too_large"]);
        assert_fails(&pair, &spec, codes::ROW_TOO_LARGE, &["too_large"]).await?;
        Comparison::of(source, fleet::guarded().await?)
            .only(&["fits"])
            .with_target_token(&format!("root:{ROOT_PASSWORD}"))
            .ignoring(&["lite"])
            .assert_equal(1)
            .await?;
        Ok(())
    })
}

#[test]
fn a_milvus_that_is_not_there_is_waited_for() -> Result<()> {
    fleet::run(async {
        let mut pair = Pair::new(fleet::lite_source().await?, fleet::lite_target().await?).await?;
        pair.source.config["milvus"]["uri"] = "http://127.0.0.1:1".into();
        let starting = pair.source.start_or_refuse();
        let refused = tokio::time::timeout(Duration::from_secs(10), starting).await;
        assert!(
            !matches!(refused, Ok(Ok(Some(_)))),
            "it waits: {}",
            pair.source.log_tail()
        );
        assert!(
            pair.source.log().contains(codes::MILVUS_UNREACHABLE),
            "{}",
            pair.source.log_tail()
        );
        Ok(())
    })
}
