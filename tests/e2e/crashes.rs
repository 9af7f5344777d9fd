//! Each agent dies at each of its journal's named points, one after the other, within one job.

use crate::fleet;
use anyhow::{Result, ensure};
use harness::agents::{Agent, Pair};
use harness::churn::{Churn, ChurnPlan};
use harness::jobs;
use harness::live;
use harness::oracle::Comparison;
use harness::servers::{Bulk, Kind, Server};
use model::Phase;
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// The variable that arms a point.
const VARIABLE: &str = "PASSAGE_CRASH_AT";

const LIMIT: Duration = Duration::from_secs(240);

/// The signal of a process that aborts.
const ABORTED: i32 = 6;

/// The points of the source's agent behind the job's creation, in the order in which a job comes by.
const SOURCE: [&str; 6] = [
    "source.job.prepared.before",
    "source.job.prepared.after",
    "source.collection.phase.before",
    "source.collection.phase.after",
    "source.unit.found.before",
    "source.unit.found.after",
];

/// The points at which the creation of a job is journaled.
const CREATION: [&str; 2] = ["source.job.created.before", "source.job.created.after"];

/// The points of the target's agent, in the order in which a job comes by.
const TARGET: [&str; 12] = [
    "target.collection.begin.before",
    "target.collection.begin.after",
    "target.collection.step.before",
    "target.collection.step.after",
    "target.unit.begin.before",
    "target.unit.begin.after",
    "target.batch.write.before",
    "target.batch.write.after",
    "target.batch.durable.before",
    "target.batch.durable.after",
    "target.unit.verdict.before",
    "target.unit.verdict.after",
];

#[test]
fn an_agent_that_dies_at_any_point_of_its_journal_goes_on_from_there() -> Result<()> {
    fleet::run(async {
        let (source, target) =
            tokio::try_join!(Server::start(Kind::V2_3_5), Server::start(Kind::V2_3_5))?;
        for (collection, keys) in [("numbers", "int64"), ("texts", "varchar")] {
            let flags = ["--keys", keys, "--partitions", "2", "--text"];
            let bulk = Bulk {
                database: "default",
                collection,
                rows: 3000,
                dim: 16,
                flags: &flags,
            };
            source.seed_bulk(&bulk).await?;
        }
        let mut pair = Pair::new(&source, &target).await?;
        arm(&mut pair.target, Some(TARGET[0]));
        pair.target.start().await?;
        let spec = jobs::spec("crashes", &["*"]);
        for point in CREATION {
            arm(&mut pair.source, Some(point));
            pair.source.start().await?;
            let told = jobs::create(&pair.source, &spec, &[], LIMIT).await?;
            assert_ne!(told.code, 0, "the agent dies before it can answer");
            ensure_aborted(&mut pair.source, point).await?;
        }
        arm(&mut pair.source, Some(SOURCE[0]));
        pair.source.start().await?;
        tokio::try_join!(
            die_at_each(&mut pair.source, &SOURCE),
            die_at_each(&mut pair.target, &TARGET)
        )?;
        let status = jobs::wait(&pair.source, "crashes", LIMIT).await?;
        assert_eq!(status.phase, Phase::Completed);
        jobs::ensure_completed(&pair.source, &status).await?;
        Comparison::of(&source, &target).assert_equal(2).await?;
        source.stop().await?;
        target.stop().await
    })
}

/// The agent is armed with the first point: waits until it dies there, and starts it again, armed with the next.
pub(crate) async fn die_at_each(agent: &mut Agent, points: &[&str]) -> Result<()> {
    for (at, point) in points.iter().enumerate() {
        ensure_aborted(agent, point).await?;
        arm(agent, points.get(at + 1).copied());
        agent.start().await?;
    }
    Ok(())
}

pub(crate) fn arm(agent: &mut Agent, point: Option<&str>) {
    agent.environment = point
        .map(|point| (VARIABLE.to_owned(), point.to_owned()))
        .into_iter()
        .collect();
}

async fn ensure_aborted(agent: &mut Agent, point: &str) -> Result<()> {
    let status = agent
        .ended(LIMIT)
        .await
        .map_err(|error| error.context(format!("never came by {point}")))?;
    ensure!(
        status.signal() == Some(ABORTED),
        "at {point}: {status}\n{}",
        agent.log_tail()
    );
    Ok(())
}

/// The points that only a live job comes by, in their order; those of the cutover apart.
const LIVE_SOURCE: [&str; 3] = [
    "source.collection.start.before",
    "source.collection.start.after",
    "source.step.send.before",
];
const LIVE_TARGET: [&str; 6] = [
    "target.step.apply.before",
    "target.step.apply.after",
    "target.step.durable.before",
    "target.step.durable.after",
    "target.partition.drop.before",
    "target.partition.drop.after",
];
const CUTOVER: [&str; 2] = [
    "source.cutover.commit.before",
    "source.cutover.commit.after",
];

#[test]
fn an_agent_that_dies_at_any_point_of_a_live_job_goes_on_from_there() -> Result<()> {
    fleet::run(async {
        let (source, target) = live::servers().await?;
        let plan = ChurnPlan {
            collection: "dying",
            seed: 51,
            rate: 200,
            base: 3_000,
            flags: &["--partitions", "2"],
        };
        let churn = Churn::start(&source, &plan).await?;
        let mut pair = live::pair(&source, &target).await?;
        arm(&mut pair.source, Some(LIVE_SOURCE[0]));
        arm(&mut pair.target, Some(LIVE_TARGET[0]));
        pair.start().await?;
        jobs::begin(&pair.source, &live::spec("dying", &["dying"])).await?;
        tokio::try_join!(
            die_at_each(&mut pair.source, &LIVE_SOURCE),
            die_at_each(&mut pair.target, &LIVE_TARGET)
        )?;
        jobs::syncs(&pair.source, "dying", LIMIT).await?;
        let written = churn.stop().await?;
        for point in CUTOVER {
            pair.source.kill().await?;
            arm(&mut pair.source, Some(point));
            pair.source.start().await?;
            jobs::syncs(&pair.source, "dying", LIMIT).await?;
            let told = jobs::cut_over(&pair.source, "dying", &["--max-lag", "10s"]).await?;
            assert_ne!(told.code, 0, "the agent dies before it can answer");
            ensure_aborted(&mut pair.source, point).await?;
            arm(&mut pair.source, None);
            pair.source.start().await?;
        }
        // The journal has the cutover: the job completes by itself.
        let status = jobs::wait(&pair.source, "dying", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        live::assert_arrived(&source, &target, "dying", &written).await?;
        source.stop().await?;
        target.stop().await
    })
}

/// The points that only a copy from files comes by.
const SEGMENTS: [&str; 2] = [
    "source.segments.listed.before",
    "source.segments.listed.after",
];

#[test]
fn an_agent_that_dies_while_it_lists_segments_goes_on_from_there() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::target().await?, fleet::lite_target().await?);
        let bulk = Bulk {
            database: "default",
            collection: "listed",
            rows: 3000,
            dim: 16,
            flags: &["--partitions", "2"],
        };
        source.seed_bulk(&bulk).await?;
        let mut pair = Pair::new(source, target).await?;
        pair.source.config["storage"] = source.storage_config();
        arm(&mut pair.source, Some(SEGMENTS[0]));
        pair.start().await?;
        let mut spec = jobs::spec("listed", &["listed"]);
        spec["copy"] = "segments".into();
        spec["rename"] = serde_json::json!({ "default.*": "listed_there.*" });
        jobs::begin(&pair.source, &spec).await?;
        die_at_each(&mut pair.source, &SEGMENTS).await?;
        let status = jobs::wait(&pair.source, "listed", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        Comparison::of(source, target)
            .only(&["listed"])
            .renamed(&["default.*=listed_there.*"])
            .ignoring(&["lite", "index_params"])
            .assert_equal(1)
            .await?;
        source.client().await?.drop_collection("listed").await?;
        Ok(())
    })
}

/// The points that only a copy by shipped files comes by.
const SHIPPING: [&str; 2] = [
    "source.shipment.deletes.before",
    "source.shipment.deletes.after",
];
pub(crate) const IMPORT: [&str; 2] = ["target.import.order.before", "target.import.order.after"];

#[test]
fn agents_that_die_while_files_are_shipped_and_imported_go_on_from_there() -> Result<()> {
    fleet::run(async {
        let (source, target) =
            tokio::try_join!(Server::start(Kind::V2_3_5), Server::start(Kind::V2_3_5))?;
        let bulk = Bulk {
            database: "default",
            collection: "shipped",
            rows: 6000,
            dim: 16,
            flags: &["--partitions", "2", "--shards", "2", "--text"],
        };
        source.seed_bulk(&bulk).await?;
        let mut pair = Pair::new(&source, &target).await?;
        pair.give_storage(&source, &target);
        arm(&mut pair.source, Some(SHIPPING[0]));
        arm(&mut pair.target, Some(IMPORT[0]));
        pair.start().await?;
        let mut spec = jobs::spec("shipped", &["shipped"]);
        spec["copy"] = "segments".into();
        jobs::begin(&pair.source, &spec).await?;
        tokio::try_join!(
            die_at_each(&mut pair.source, &SHIPPING),
            die_at_each(&mut pair.target, &IMPORT)
        )?;
        let status = jobs::wait(&pair.source, "shipped", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        Comparison::of(&source, &target).assert_equal(1).await?;
        let staging = target.objects().join("passage");
        assert_eq!(std::fs::read_dir(staging)?.count(), 0, "files were left");
        source.stop().await?;
        target.stop().await
    })
}

#[test]
fn every_point_in_the_code_is_died_at() {
    let all = [
        &CREATION[..],
        &SEGMENTS,
        &SHIPPING,
        &IMPORT,
        &SOURCE,
        &TARGET,
        &LIVE_SOURCE,
        &LIVE_TARGET,
        &CUTOVER,
    ];
    let listed: BTreeSet<String> = all.concat().into_iter().map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    for agent in ["agent-source", "agent-target"] {
        for text in crate::house::sources(agent) {
            found.extend(
                text.split('"')
                    .filter(|word| is_point(word))
                    .map(str::to_owned),
            );
        }
    }
    assert_eq!(found, listed);
}

fn is_point(word: &str) -> bool {
    let begins = word.starts_with("source.") || word.starts_with("target.");
    begins && (word.ends_with(".before") || word.ends_with(".after"))
}
