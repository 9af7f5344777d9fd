//! A source that is told to remove no files while they are read.
//!
//! A real 2.3.5 has no such port: a fake stands for it, which keeps in mind what it was told. That a server which is told so removes nothing
//! is Milvus's to see to, and not seen here.

use crate::fleet;
use anyhow::{Context, Result};
use harness::agents::Pair;
use harness::fake_management::{FakeManagement, Paused};
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use harness::{jobs, wait};
use model::{JobStatus, codes};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

/// A pair whose source's agent reads its server's files, and knows this management port.
async fn pair(server: &Server, management_uri: &str) -> Result<Pair> {
    let mut pair = Pair::new(server, server).await?;
    pair.source.config["storage"] = server.storage_config();
    pair.source.config["milvus"]["management_uri"] = management_uri.into();
    pair.start().await?;
    Ok(pair)
}

fn spec(name: &str) -> Value {
    let mut spec = jobs::spec(name, &[name]);
    spec["copy"] = "segments".into();
    spec["rename"] = json!({ "default.*": format!("{name}_there.*") });
    spec
}

async fn seed(server: &Server, collection: &str, rows: u64) -> Result<i64> {
    let bulk = Bulk {
        database: "default",
        collection,
        rows,
        dim: 8,
        flags: &[],
    };
    server.seed_bulk(&bulk).await?;
    let client = server.client().await?;
    Ok(client.describe_collection(collection).await?.id)
}

fn text(status: &JobStatus) -> Result<&str> {
    let mut findings = status.findings.iter();
    let found = findings.find(|finding| finding.code == codes::COPY_BY_SEGMENTS);
    found
        .map(|finding| finding.text.as_str())
        .context("preflight tells how rows are read")
}

async fn assert_arrived(server: &Server, name: &str) -> Result<()> {
    Comparison::of(server, server)
        .only(&[name])
        .renamed(&[&format!("default.*={name}_there.*")])
        .assert_equal(1)
        .await?;
    server.client().await?.drop_collection(name).await?;
    Ok(())
}

/// What was asked for once nothing is paused any more.
async fn ended(management: &FakeManagement) -> Result<Paused> {
    wait::until("the end of every pause", LIMIT, || async {
        let paused = management.paused();
        Ok(paused.open.is_empty().then_some(paused))
    })
    .await
}

#[test]
fn files_are_kept_while_a_collection_is_copied_and_compared_and_no_longer() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let collection = seed(server, "kept", 2_000).await?;
        let management = FakeManagement::start(true).await?;
        let pair = pair(server, management.uri()).await?;
        let mut dry = spec("kept");
        dry["name"] = "kept_dry".into();
        let asked = jobs::dry_run(&pair.source, &dry, LIMIT).await?;
        assert!(text(&asked)?.contains("told to remove none"), "{asked:#?}");
        assert_eq!(management.paused(), Paused::default(), "a dry run");
        jobs::run_to_completion(&pair.source, &spec("kept"), LIMIT).await?;
        let paused = ended(&management).await?;
        // Once for the copy, and once for the comparison: neither takes so long that it would be renewed.
        assert_eq!(paused.taken, [(Some(collection), 600); 2]);
        assert_eq!(paused.ended_for_all, 0);
        assert_arrived(server, "kept").await
    })
}

#[test]
fn a_pause_without_a_ticket_is_left_to_end_by_itself() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        seed(server, "kept_early", 2_000).await?;
        let management = FakeManagement::start(false).await?;
        let pair = pair(server, management.uri()).await?;
        jobs::run_to_completion(&pair.source, &spec("kept_early"), LIMIT).await?;
        let paused = management.paused();
        assert_eq!(paused.taken, [(None, 600); 2]);
        assert_eq!(paused.ended_for_all, 0, "it may be another's pause, too");
        assert_arrived(server, "kept_early").await
    })
}

#[test]
fn a_server_without_such_a_port_is_copied_from_all_the_same_and_preflight_says_so() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        seed(server, "kept_not", 2_000).await?;
        // Its gRPC port serves REST, too, and knows no such path.
        let pair = pair(server, server.uri()).await?;
        let status = jobs::run_to_completion(&pair.source, &spec("kept_not"), LIMIT).await?;
        let text = text(&status)?;
        assert!(text.contains("can't be told to remove none"), "{text}");
        assert_arrived(server, "kept_not").await
    })
}

#[test]
fn a_pause_is_ended_when_the_job_is_cancelled() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let name = "kept_cancelled";
        let collection = seed(server, name, 20_000).await?;
        let management = FakeManagement::start(true).await?;
        let pair = pair(server, management.uri()).await?;
        // So that the copy takes longer than the order to end it.
        pair.link.slow_to(20_000);
        jobs::begin(&pair.source, &spec(name)).await?;
        wait::until("a pause", LIMIT, || async {
            let is_paused = management
                .paused()
                .open
                .values()
                .any(|of| *of == Some(collection));
            Ok(is_paused.then_some(()))
        })
        .await?;
        pair.source.tell(&["job", "cancel", name]).await?;
        let paused = ended(&management).await?;
        assert_eq!(paused.taken.len(), 1);
        server.client().await?.drop_collection(name).await?;
        Ok(())
    })
}
