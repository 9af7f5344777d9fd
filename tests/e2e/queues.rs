//! Milvus's log in a message broker: what is claimed of rocksmq in `live` holds for natsmq and for Kafka.
//!
//! Kafka is librdkafka's mock of it. It stores and serves what a real 2.3.5 writes, but has one broker, no users and no TLS.

use crate::fleet;
use crate::live::{SYNC_LIMIT, assert_arrived, blocked, cut_over, live, pair};
use anyhow::{Result, ensure};
use harness::agents::{Pair, Side};
use harness::churn::{Churn, ChurnPlan};
use harness::servers::{Bulk, Kind, Server};
use harness::{faults, jobs, wait};
use model::{Phase, codes};
use serde_json::json;

/// A collection is written to throughout, and moved; the server and then the agent are killed meanwhile.
async fn arrives_though_killed(queue: &str, seed: u64) -> Result<()> {
    let flags = ["--mq", queue];
    let (source, target) = tokio::try_join!(
        Server::start_with(Kind::V2_3_5, &flags),
        Server::start(Kind::V2_3_5)
    )?;
    let plan = ChurnPlan {
        collection: "followed",
        seed: faults::seed_or(seed),
        rate: 200,
        base: 10_000,
        flags: &["--partitions", "2"],
    };
    let churn = Churn::start(&source, &plan).await?;
    let mut pair = pair(&source, &target).await?;
    pair.start().await?;
    jobs::begin(&pair.source, &live("followed", &["followed"])).await?;
    let status = jobs::syncs(&pair.source, "followed", SYNC_LIMIT).await?;
    assert_eq!(status.phase, Phase::Syncing, "{status:#?}");
    source.kill().await?;
    source.restart().await?;
    jobs::syncs(&pair.source, "followed", SYNC_LIMIT).await?;
    pair.agent_mut(Side::Source).kill().await?;
    pair.agent_mut(Side::Source).start().await?;
    let written = churn.stop().await?;
    ensure!(written.changes > 0, "{written:#?}");
    let may_cut_over = || async {
        let told = jobs::cut_over(&pair.source, "followed", &["--dry-run"]).await?;
        Ok((told.code == 0).then_some(()))
    };
    wait::until("a small lag", SYNC_LIMIT, may_cut_over).await?;
    cut_over(&pair, "followed", &written).await?;
    assert_arrived(&source, &target, "followed", &written).await?;
    source.stop().await?;
    target.stop().await
}

#[test]
fn what_is_written_throughout_into_natsmq_arrives_though_the_server_and_the_agent_are_killed()
-> Result<()> {
    fleet::run(arrives_though_killed("natsmq", 41))
}

#[test]
fn what_is_written_throughout_into_kafka_arrives_though_the_server_and_the_agent_are_killed()
-> Result<()> {
    fleet::run(arrives_though_killed("kafka", 42))
}

#[test]
fn a_live_job_does_not_start_on_a_broker_that_is_away_or_is_not_the_sources() -> Result<()> {
    fleet::run(async {
        let (natsmq, kafka) = (["--mq", "natsmq"], ["--mq", "kafka"]);
        let (source, other, third) = tokio::try_join!(
            Server::start(Kind::V2_3_5),
            Server::start_with(Kind::V2_3_5, &natsmq),
            Server::start_with(Kind::V2_3_5, &kafka),
        )?;
        let bulk = Bulk {
            database: "default",
            collection: "unfollowed",
            rows: 100,
            dim: 8,
            flags: &[],
        };
        source.seed_bulk(&bulk).await?;
        let mut pair = Pair::new(&source, &other).await?;
        pair.target.start().await?;
        let nobody = "127.0.0.1:1";
        for (at, (log, code, expected)) in [
            (
                json!({ "kind": "nats", "url": format!("nats://{nobody}") }),
                codes::LOG_UNREACHABLE,
                "natsmq.server.port",
            ),
            (
                json!({ "kind": "kafka", "brokers": [nobody] }),
                codes::LOG_UNREACHABLE,
                nobody,
            ),
            (
                other.log_config(),
                codes::LOG_TOPIC_MISSING,
                "has no message of topic by-dev-rootcoord-dml_0",
            ),
            (
                third.log_config(),
                codes::LOG_TOPIC_MISSING,
                "topic by-dev-rootcoord-dml_0",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            pair.source.config["log"] = log;
            pair.source.start().await?;
            let spec = live(&format!("unfollowed-{at}"), &["unfollowed"]);
            let status = jobs::run(&pair.source, &spec, SYNC_LIMIT).await?;
            assert_eq!(status.phase, Phase::Failed);
            let text = blocked(&status, code)?;
            assert!(text.contains(expected), "{text}");
            pair.source.stop().await?;
        }
        source.stop().await?;
        other.stop().await?;
        third.stop().await
    })
}
