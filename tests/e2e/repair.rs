//! Rows of a followed collection that differ for a cause that the log does not tell: they are given to the target anew.

use crate::fleet;
use crate::live::flows;
use anyhow::{Context, Result, ensure};
use harness::agents::{Pair, Side};
use harness::churn::{Churn, ChurnPlan};
use harness::live::{assert_arrived, begin, cut_over, pair, ready, servers, spec};
use harness::process::Signal;
use harness::servers::{Bulk, Kind, Server};
use harness::{faults, jobs, python, wait};
use milvus::RangeRead;
use model::{ChangesStatus, KeyRange, codes};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a job may take to catch up, and to prove every row.
const SYNC_LIMIT: Duration = Duration::from_secs(240);

/// How long one planting may take.
const PLANT_LIMIT: Duration = Duration::from_secs(60);

/// A log of which messages are deleted a minute after every consumer of Milvus's has read them, and look-outs once a second.
const SHORT_LOG: [&str; 6] = [
    "--set",
    "rocksmq.rocksmqPageSize=4096",
    "--set",
    "rocksmq.retentionTimeInMinutes=1",
    "--set",
    "rocksmq.timtickerInterval=1",
];

/// For how long nobody reads it.
const NOBODY_READS: Duration = Duration::from_secs(80);

async fn changes(pair: &Pair, job: &str) -> Result<ChangesStatus> {
    let status = jobs::show(&pair.source, job).await?;
    let shown = status.collections.first().and_then(|shown| shown.changes);
    shown.with_context(|| format!("{status:#?}"))
}

/// Waits until so many rows are repaired.
async fn repaired(pair: &Pair, job: &str, rows: u64) -> Result<ChangesStatus> {
    wait::until("rows to be repaired", SYNC_LIMIT, || async {
        let now = changes(pair, job).await?;
        Ok((now.repaired >= rows).then_some(now))
    })
    .await
}

pub(crate) async fn count(server: &Server, collection: &str) -> Result<Option<u64>> {
    let client = server.client().await?;
    let schema = client.describe_collection(collection).await?.schema;
    let read = RangeRead {
        collection,
        partition: None,
        primary: schema.primary().context("a primary key")?,
        fields: &[],
        range: &KeyRange::all(),
        seen: client.read_point().await?,
    };
    Ok(client.count(&read).await?)
}

/// The source's agent begins anew, and so compares every row again. Meanwhile something is done.
async fn while_it_is_away(pair: &mut Pair, work: impl Future<Output = Result<()>>) -> Result<()> {
    pair.agent_mut(Side::Source).kill().await?;
    work.await?;
    pair.agent_mut(Side::Source).start().await
}

#[test]
fn what_somebody_did_to_the_target_is_undone_while_changes_flow() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let plan = ChurnPlan {
            collection: "meddled",
            seed: faults::seed_or(51),
            rate: 100,
            base: 10_000,
            flags: &["--partitions", "2", "--no-partition-changes"],
        };
        let (churn, mut pair) = begin(&source, &target, &plan).await?;
        jobs::syncs(&pair.source, "meddled", SYNC_LIMIT).await?;
        assert_eq!(changes(&pair, "meddled").await?.repaired, 0);
        let kinds = [
            "row_missing",
            "row_extra",
            "row_partition",
            "rows_swapped",
            "float_vector_bit",
        ];
        // Nothing overwrites what is planted before it is found.
        let writer = churn.process()?;
        writer.signal(Signal::Stop)?;
        let planted = async {
            for kind in kinds {
                let at = ["--uri", target.uri(), "--collection", "meddled"];
                let words = [&["plant", "--kind", kind][..], &at].concat();
                python::testbed(&words, PLANT_LIMIT).await?;
            }
            Ok(())
        };
        while_it_is_away(&mut pair, planted).await?;
        jobs::syncs(&pair.source, "meddled", SYNC_LIMIT).await?;
        repaired(&pair, "meddled", kinds.len() as u64).await?;
        writer.signal(Signal::Cont)?;
        flows(&pair, "meddled").await?;
        let written = churn.stop().await?;
        cut_over(&pair, "meddled", written.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, "meddled", &written).await?;
        source.stop().await?;
        target.stop().await
    })
}

/// A source that keeps its log for a minute, and the job that follows it.
struct Brief {
    source: Server,
    target: Server,
    churn: Churn,
    pair: Pair,
    job: &'static str,
}

impl Brief {
    /// Begins to write, and to follow; the agent keeps messages itself, if `spool` says how.
    async fn begin(job: &'static str, seed: u64, spool: Option<Value>) -> Result<Self> {
        let (source, target) = tokio::try_join!(
            Server::start_with(Kind::V2_3_5, &SHORT_LOG),
            Server::start(Kind::V2_3_5)
        )?;
        let plan = ChurnPlan {
            collection: job,
            seed: faults::seed_or(seed),
            rate: 200,
            base: 5_000,
            flags: &["--partitions", "2"],
        };
        let churn = Churn::start(&source, &plan).await?;
        let mut pair = pair(&source, &target).await?;
        if let Some(spool) = spool {
            pair.source.config["log"]["spool"] = spool;
        }
        pair.start().await?;
        jobs::begin(&pair.source, &spec(job, &[job])).await?;
        jobs::syncs(&pair.source, job, SYNC_LIMIT).await?;
        assert_eq!(changes(&pair, job).await?.gaps, 0);
        Ok(Self {
            source,
            target,
            churn,
            pair,
            job,
        })
    }

    async fn tell(&self, word: &str) -> Result<()> {
        let told = self.pair.source.tell(&["job", word, self.job]).await?;
        ensure!(told.code == 0, "{told:?}");
        Ok(())
    }

    async fn assert_arrives(self) -> Result<()> {
        let (pair, job) = (&self.pair, self.job);
        flows(pair, job).await?;
        let written = self.churn.stop().await?;
        ready(pair, job, SYNC_LIMIT).await?;
        cut_over(pair, job, written.last_ack_unix_ms).await?;
        assert_arrived(&self.source, &self.target, job, &written).await?;
        self.source.stop().await?;
        self.target.stop().await
    }
}

#[test]
fn changes_that_the_log_has_lost_are_found_in_the_rows() -> Result<()> {
    fleet::run(async {
        let mut brief = Brief::begin("forgotten", 61, None).await?;
        let away = async {
            tokio::time::sleep(NOBODY_READS).await;
            Ok(())
        };
        while_it_is_away(&mut brief.pair, away).await?;
        jobs::syncs(&brief.pair.source, "forgotten", SYNC_LIMIT).await?;
        let found = repaired(&brief.pair, "forgotten", 1).await?;
        ensure!(found.gaps > 0, "{found:#?}");
        brief.assert_arrives().await
    })
}

#[test]
fn what_the_log_loses_while_a_job_rests_the_agent_has_kept() -> Result<()> {
    fleet::run(async {
        let spool = json!({ "quota": "1GiB" });
        let mut brief = Brief::begin("kept", 62, Some(spool)).await?;
        brief.tell("pause").await?;
        tokio::time::sleep(NOBODY_READS).await;
        // What it kept outlives it.
        brief.pair.source.kill().await?;
        brief.pair.source.start().await?;
        brief.tell("resume").await?;
        jobs::syncs(&brief.pair.source, "kept", SYNC_LIMIT).await?;
        let found = changes(&brief.pair, "kept").await?;
        ensure!(found.gaps == 0 && found.repaired == 0, "{found:#?}");
        brief.assert_arrives().await
    })
}

#[test]
fn rows_that_the_target_had_before_are_not_deleted() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let (rows, more) = (200, 210);
        for (server, rows) in [(&source, rows), (&target, more)] {
            let bulk = Bulk {
                database: "default",
                collection: "shared",
                rows,
                dim: 8,
                flags: &[],
            };
            server.seed_bulk(&bulk).await?;
        }
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        let mut spec = spec("shared", &["shared"]);
        spec["on_conflict"] = "append".into();
        jobs::begin(&pair.source, &spec).await?;
        jobs::differs(&pair.source, "shared", SYNC_LIMIT).await?;
        let told = jobs::cut_over(&pair.source, "shared", &[]).await?;
        let refusal = jobs::fault_of(&told)?;
        assert_eq!(refusal.code, codes::CUTOVER_NOT_READY, "{refusal}");
        assert!(refusal.message.contains("10 rows that differ"), "{refusal}");
        assert_eq!(count(&target, "shared").await?, Some(more));
        source.stop().await?;
        target.stop().await
    })
}
