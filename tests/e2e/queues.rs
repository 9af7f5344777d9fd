//! Milvus's log in a message broker: what is claimed of rocksmq in `live` holds for natsmq and for Kafka.
//!
//! Kafka is librdkafka's mock of it. It stores and serves what a real 2.3.5 writes, but has one broker, no users and no TLS.

use crate::fleet;
use crate::live::{SYNC_LIMIT, blocked};
use anyhow::{Context, Result, bail, ensure};
use harness::agents::{Pair, Side};
use harness::churn::{self, ChurnPlan};
use harness::live::{begin, cut_over, pair, ready, servers_with, spec};
use harness::servers::{Bulk, Kind, Server};
use harness::{faults, jobs, wait};
use model::{Phase, codes};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A collection is written to throughout, and moved; the server and then the agent are killed meanwhile.
async fn arrives_though_killed(queue: &str, seed: u64) -> Result<()> {
    let (source, target) = servers_with(queue).await?;
    let plan = ChurnPlan {
        collection: "followed",
        seed: faults::seed_or(seed),
        rate: 200,
        base: 10_000,
        flags: &["--partitions", "2"],
    };
    let (churn, mut pair) = begin(&source, &target, &plan).await?;
    let status = jobs::syncs(&pair.source, "followed", SYNC_LIMIT).await?;
    assert_eq!(status.phase, Phase::Syncing, "{status:#?}");
    source.kill().await?;
    source.restart().await?;
    jobs::syncs(&pair.source, "followed", SYNC_LIMIT).await?;
    pair.agent_mut(Side::Source).kill().await?;
    pair.agent_mut(Side::Source).start().await?;
    let written = churn.stop().await?;
    ensure!(written.changes > 0, "{written:#?}");
    ready(&pair, "followed", SYNC_LIMIT).await?;
    cut_over(&pair, "followed", written.last_ack_unix_ms).await?;
    if queue == "natsmq" {
        assert_nothing_stays(&source).await?;
    }
    // The record alone is the truth here: a 2.3.5 that was killed may answer a row twice itself (seen with a mock of Kafka).
    let verdict = churn::check(&target, "followed", &written).await?;
    verdict.assert_equal()?;
    ensure!(verdict.rows > 0, "no row was compared");
    source.stop().await?;
    target.stop().await
}

/// What Passage left in the NATS server inside a Milvus goes by itself.
async fn assert_nothing_stays(server: &Server) -> Result<()> {
    let answer = ask_nats(server, "CONSUMER.LIST", r#"{"offset":0}"#).await?;
    let consumers = answer["consumers"].as_array().context("a list")?;
    ensure!(!consumers.is_empty(), "Milvus has consumers of its own");
    for consumer in consumers {
        let config = &consumer["config"];
        if config["description"] == "passage" {
            let goes = config["inactive_threshold"].as_u64().unwrap_or_default() > 0;
            ensure!(goes && config["durable_name"].is_null(), "{consumer:#}");
            ensure!(config["ack_policy"] == "none", "{consumer:#}");
        }
    }
    Ok(())
}

/// The answer of the NATS server inside a Milvus to one question about its first topic, by the protocol's own words.
async fn ask_nats(server: &Server, verb: &str, question: &str) -> Result<Value> {
    let log = server.log_config();
    let address = log["url"]
        .as_str()
        .and_then(|url| url.strip_prefix("nats://"));
    let address = address.context("it has natsmq")?;
    let (hearing, mut saying) = TcpStream::connect(address).await?.into_split();
    let subject = format!("$JS.API.{verb}.by-dev-rootcoord-dml_0");
    let length = question.len();
    let words = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB answers 1\r\nPUB {subject} answers {length}\r\n{question}\r\n"
    );
    saying.write_all(words.as_bytes()).await?;
    let mut lines = BufReader::new(hearing).lines();
    let answer = wait::within("an answer of NATS", Duration::from_secs(10), async {
        while let Some(line) = lines.next_line().await? {
            if line.starts_with("MSG ") {
                return lines.next_line().await?.context("an answer has a payload");
            }
        }
        bail!("NATS hung up")
    });
    Ok(serde_json::from_str(&answer.await?)?)
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
            let spec = spec(&format!("unfollowed-{at}"), &["unfollowed"]);
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

#[test]
fn what_natsmq_deleted_before_it_was_read_is_found() -> Result<()> {
    fleet::run(async {
        let flags = [
            "--mq",
            "natsmq",
            "--set",
            "natsmq.server.retention.maxMsgs=40",
        ];
        let (source, target) = tokio::try_join!(
            Server::start_with(Kind::V2_3_5, &flags),
            Server::start(Kind::V2_3_5)
        )?;
        let bulk = Bulk {
            database: "default",
            collection: "outrun",
            rows: 100,
            dim: 8,
            flags: &[],
        };
        source.seed_bulk(&bulk).await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        jobs::begin(&pair.source, &spec("outrun", &["outrun"])).await?;
        jobs::syncs(&pair.source, "outrun", SYNC_LIMIT).await?;
        pair.source.kill().await?;
        let number = async |end: &str| {
            let info = ask_nats(&source, "STREAM.INFO", "").await?;
            info["state"][end].as_u64().context("a number")
        };
        let last = number("last_seq").await?;
        let deleted = || async { Ok((number("first_seq").await? > last + 1).then_some(())) };
        wait::until("the log to be deleted", Duration::from_secs(60), deleted).await?;
        pair.source.start().await?;
        let compared_again = || async {
            let status = jobs::syncs(&pair.source, "outrun", SYNC_LIMIT).await?;
            let changes = status.collections[0].changes;
            Ok(changes.filter(|changes| changes.gaps > 0))
        };
        wait::until("the gap to be found", SYNC_LIMIT, compared_again).await?;
        let told = jobs::cut_over(&pair.source, "outrun", &[]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        source.stop().await?;
        target.stop().await
    })
}
