//! A source that is written to throughout: nothing is lost, doubled or stale on the target when it takes the source's place.

use crate::fleet;
use anyhow::{Context, Result, ensure};
use harness::agents::Pair;
use harness::churn::{self, Churn, ChurnPlan};
use harness::faults::{Plan, Victim};
use harness::live::{assert_arrived, begin, cut_over, pair, ready, servers, spec};
use harness::servers::{Bulk, Server};
use harness::{faults, jobs, places, wait};
use model::{ChangesStatus, JobStatus, LoadState, Phase, Severity, codes};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a job may take to catch up, and to prove every row.
pub(crate) const SYNC_LIMIT: Duration = Duration::from_secs(240);

/// How many changes of each collection are to flow once the job syncs.
const FLOWING: u64 = 500;

/// What a pause of writes may be on a machine that has other work: what it is on one that has not is for `make bench`.
const PAUSE_LIMIT: Duration = Duration::from_secs(20);

/// What is struck while changes flow.
const STRUCK: [Victim; 5] = [
    Victim::SourceAgent,
    Victim::TargetAgent,
    Victim::SourceMilvus,
    Victim::TargetMilvus,
    Victim::Link,
];

/// Waits until some more changes of each collection were sent.
pub(crate) async fn flows(pair: &Pair, job: &str) -> Result<()> {
    let sent = || async {
        let status = jobs::show(&pair.source, job).await?;
        let changes = status.collections.into_iter().map(|shown| shown.changes);
        let sent = changes.map(|changes| changes.map_or(0, |sent| sent.upserts + sent.deletes));
        Ok::<Vec<u64>, anyhow::Error>(sent.collect())
    };
    let before = sent().await?;
    wait::until("changes to flow", SYNC_LIMIT, || async {
        let now = sent().await?;
        let has_flown = now
            .iter()
            .zip(&before)
            .all(|(now, before)| *now >= before + FLOWING);
        Ok(has_flown.then_some(()))
    })
    .await
}

/// Writers of `numbers`, `words` and `automatic`: in partitions, with texts as keys, with keys that the server makes.
pub(crate) async fn writers(source: &Server, seed: u64) -> Result<(Churn, Churn, Churn)> {
    let plan = |collection, seed, flags| ChurnPlan {
        collection,
        seed,
        rate: 200,
        base: 10_000,
        flags,
    };
    let numbers = plan("numbers", seed, &["--partitions", "3"]);
    let varchar = plan("words", seed + 1, &["--keys", "varchar"]);
    let automatic = plan("automatic", seed + 2, &["--auto-id"]);
    tokio::try_join!(
        Churn::start(source, &numbers),
        Churn::start(source, &varchar),
        Churn::start(source, &automatic),
    )
}

/// Has the three writers stop, cuts over, and holds the target against what each of them wrote.
pub(crate) async fn all_arrive(
    pair: &Pair,
    job: &str,
    (source, target): (&Server, &Server),
    churns: (Churn, Churn, Churn),
) -> Result<()> {
    let written = tokio::try_join!(churns.0.stop(), churns.1.stop(), churns.2.stop())?;
    let written = [written.0, written.1, written.2];
    let last = written.iter().map(|written| written.last_ack_unix_ms);
    cut_over(pair, job, last.max().context("three writers")?).await?;
    for (collection, written) in ["numbers", "words", "automatic"].into_iter().zip(&written) {
        assert_arrived(source, target, collection, written).await?;
    }
    Ok(())
}

#[test]
fn what_is_written_throughout_arrives() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let seed = faults::seed_or(11);
        let churns = writers(&source, seed).await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        jobs::begin(
            &pair.source,
            &spec("live", &["numbers", "words", "automatic"]),
        )
        .await?;
        let status = jobs::syncs(&pair.source, "live", SYNC_LIMIT).await?;
        assert_eq!(status.phase, Phase::Syncing, "{status:#?}");
        flows(&pair, "live").await?;
        let status = jobs::show(&pair.source, "live").await?;
        let is_followed_right = |changes: ChangesStatus| changes.repaired == 0 && changes.gaps == 0;
        assert!(
            status
                .collections
                .iter()
                .all(|shown| shown.changes.is_some_and(is_followed_right)),
            "{status:#?}"
        );
        let (numbers, words, automatic) =
            tokio::try_join!(churns.0.stop(), churns.1.stop(), churns.2.stop())?;
        let last = [&numbers, &words, &automatic];
        let last = last.into_iter().map(|written| written.last_ack_unix_ms);
        let pause = cut_over(&pair, "live", last.max().context("three writers")?).await?;
        println!("{pause:?} from the last write to the completed job");
        for settled in [
            "passage_changes_lag_seconds",
            "passage_changes_unproven_rows",
        ] {
            assert_eq!(pair.source.metric(settled).await?, 0.0, "{settled}");
        }
        assert!(pause < PAUSE_LIMIT, "{pause:?}");
        for (collection, written) in [
            ("numbers", &numbers),
            ("words", &words),
            ("automatic", &automatic),
        ] {
            assert!(written.changes > 0, "{written:#?}");
            assert_arrived(&source, &target, collection, written).await?;
        }
        source.stop().await?;
        target.stop().await
    })
}

/// The cutover would clear away whatever is left of them.
#[test]
fn partitions_that_are_dropped_are_gone_while_the_job_follows() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let plan = ChurnPlan {
            collection: "parted",
            seed: faults::seed_or(71),
            rate: 400,
            base: 3_000,
            flags: &["--partitions", "8"],
        };
        let churn = Churn::start(&source, &plan).await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        jobs::begin(&pair.source, &spec("parted", &["parted"])).await?;
        jobs::syncs(&pair.source, "parted", SYNC_LIMIT).await?;
        let (there, here) = tokio::try_join!(source.client(), target.client())?;
        let seen = Mutex::new(BTreeSet::new());
        wait::until("three partitions dropped", SYNC_LIMIT, || async {
            let left = partitions(&there).await?;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.extend(left.iter().cloned());
            Ok((seen.difference(&left).count() >= 3).then_some(()))
        })
        .await?;
        let written = churn.stop().await?;
        wait::until("no other partitions", SYNC_LIMIT, || async {
            let (there, here) = tokio::try_join!(partitions(&there), partitions(&here))?;
            Ok(here.is_subset(&there).then_some(()))
        })
        .await?;
        cut_over(&pair, "parted", written.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, "parted", &written).await?;
        source.stop().await?;
        target.stop().await
    })
}

async fn partitions(milvus: &milvus::Client) -> Result<BTreeSet<String>> {
    let names = milvus.list_partitions("parted").await?;
    Ok(names.into_iter().collect())
}

#[test]
fn what_is_written_throughout_arrives_on_lite() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::target().await?, fleet::lite_target().await?);
        let plan = ChurnPlan {
            collection: "to_lite",
            seed: faults::seed_or(41),
            rate: 200,
            base: 5_000,
            // A row that moves to another partition is in both of them on Lite.
            flags: &["--no-partition-changes"],
        };
        let (churn, pair) = begin(source, target, &plan).await?;
        jobs::syncs(&pair.source, "to_lite", SYNC_LIMIT).await?;
        flows(&pair, "to_lite").await?;
        let written = churn.stop().await?;
        cut_over(&pair, "to_lite", written.last_ack_unix_ms).await?;
        churn::check(target, "to_lite", &written)
            .await?
            .assert_equal()
    })
}

#[test]
fn kills_and_cuts_while_changes_flow_lose_and_double_nothing() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let seed = faults::seed_or(21);
        let writing = ChurnPlan {
            collection: "struck",
            seed,
            rate: 300,
            base: 10_000,
            flags: &["--partitions", "2"],
        };
        let (churn, mut pair) = begin(&source, &target, &writing).await?;
        let plan = Plan::draw(seed, &STRUCK.map(|victim| (victim, 2)), 4 << 20);
        println!("{plan}");
        plan.carry_out(&mut pair, &source, &target).await?;
        let status = jobs::syncs(&pair.source, "struck", SYNC_LIMIT).await?;
        assert_eq!(status.phase, Phase::Syncing, "{plan}: {status:#?}");
        let written = churn.stop().await?;
        jobs::syncs(&pair.source, "struck", SYNC_LIMIT).await?;
        cut_over(&pair, "struck", written.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, "struck", &written)
            .await
            .with_context(|| plan.to_string())?;
        source.stop().await?;
        target.stop().await
    })
}

/// The fault that a cutover was refused or undone with; the job follows on.
async fn refusal(pair: &Pair, job: &str, flags: &[&str]) -> Result<model::Fault> {
    let told = jobs::cut_over(&pair.source, job, flags).await?;
    ensure!(
        told.code != 0,
        "{flags:?}: {told:?}\n{}",
        pair.source.log_tail()
    );
    let status = jobs::show(&pair.source, job).await?;
    ensure!(!status.phase.is_terminal(), "{status:#?}");
    jobs::fault_of(&told)
}

#[test]
fn a_cutover_that_may_not_be_is_refused_or_undone_and_the_job_follows_on() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let plan = ChurnPlan {
            collection: "early",
            seed: 31,
            // So many that no moment is without one.
            rate: 1_500,
            base: 5_000,
            flags: &["--no-partition-changes"],
        };
        let (churn, pair) = begin(&source, &target, &plan).await?;
        let early = refusal(&pair, "early", &[]).await?;
        assert_eq!(early.code, codes::JOB_PHASE, "{early}");
        jobs::syncs(&pair.source, "early", SYNC_LIMIT).await?;

        let strict = refusal(&pair, "early", &["--max-lag", "1ms"]).await?;
        assert_eq!(strict.code, codes::CUTOVER_NOT_READY, "{strict}");
        assert!(strict.message.contains("default.early is"), "{strict}");
        assert!(
            strict.message.contains("at most 1 ms are allowed"),
            "{strict}"
        );

        let flags = ["--max-lag", "10s", "--timeout", "1ms"];
        let late = refusal(&pair, "early", &flags).await?;
        assert_eq!(late.code, codes::CUTOVER_TIMEOUT, "{late}");

        // The writer goes on: its changes come after the fence.
        let unfenced = refusal(&pair, "early", &["--max-lag", "10s", "--timeout", "10s"]).await?;
        let codes = [codes::CUTOVER_NOT_FENCED, codes::CUTOVER_TIMEOUT];
        assert!(codes.contains(&unfenced.code.as_str()), "{unfenced}");

        let written = churn.stop().await?;
        jobs::syncs(&pair.source, "early", SYNC_LIMIT).await?;
        let told = jobs::cut_over(&pair.source, "early", &["--dry-run"]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        let status = jobs::show(&pair.source, "early").await?;
        assert_eq!(status.phase, Phase::Syncing, "a dry run changes nothing");
        cut_over(&pair, "early", written.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, "early", &written).await?;
        source.stop().await?;
        target.stop().await
    })
}

pub(crate) fn blocked<'s>(status: &'s JobStatus, code: &str) -> Result<&'s str> {
    let mut findings = status.findings.iter();
    let found = findings.find(|found| found.severity == Severity::Blocked && found.code == code);
    let found = found.with_context(|| format!("{code}: {status:#?}"))?;
    Ok(&found.text)
}

#[test]
fn a_live_job_whose_changes_can_not_be_followed_does_not_start() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        let bulk = Bulk {
            database: "default",
            collection: "unfollowed",
            rows: 100,
            dim: 8,
            flags: &[],
        };
        source.seed_bulk(&bulk).await?;
        let pair = Pair::started(source, target).await?;
        let spec = spec("unfollowed", &["unfollowed"]);
        let status = jobs::run(&pair.source, &spec, SYNC_LIMIT).await?;
        assert_eq!(status.phase, Phase::Failed);
        let text = blocked(&status, codes::LOG_MISSING)?;
        assert!(text.contains("no `log` section"), "{text}");
        Ok(())
    })
}

#[test]
fn an_agent_does_not_start_beside_a_log_that_it_can_not_read() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        let mut pair = Pair::new(source, target).await?;
        let folder = pair.folder().to_owned();
        let log = |path: &std::path::Path, library: &std::path::Path| json!({ "kind": "rocksmq", "path": path, "library": library });
        let missing = folder.join("nowhere");
        for (path, library, expected) in [
            (&missing, places::rocksdb_library(), "nowhere"),
            (&folder, places::rocksdb_library(), "rocksmq.path"),
            (&folder, missing.clone(), "librocksdb.so"),
        ] {
            pair.source.config["log"] = log(path, &library);
            let ended = pair.source.start_or_refuse().await?;
            assert!(ended.is_some_and(|status| !status.success()), "it started");
            let refusal = pair.source.log_tail();
            assert!(refusal.contains(codes::LOG_UNREACHABLE), "{refusal}");
            assert!(refusal.contains(expected), "{refusal}");
        }
        pair.target.config["log"] = log(&folder, &missing);
        let ended = pair.target.start_or_refuse().await?;
        assert!(ended.is_some_and(|status| !status.success()), "it started");
        let refusal = pair.target.log_tail();
        assert!(refusal.contains(codes::CONFIG_INVALID), "{refusal}");
        assert!(refusal.contains("only the source's agent"), "{refusal}");
        Ok(())
    })
}

#[test]
fn a_collection_that_is_not_loaded_is_followed_and_is_not_loaded_in_the_end() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let bulk = Bulk {
            database: "default",
            collection: "resting",
            rows: 1_000,
            dim: 8,
            flags: &[],
        };
        source.seed_bulk(&bulk).await?;
        source.client().await?.release("resting").await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        let mut spec = spec("resting", &["resting"]);
        spec["unloaded"] = "load".into();
        jobs::begin(&pair.source, &spec).await?;
        ready(&pair, "resting", SYNC_LIMIT).await?;
        cut_over(&pair, "resting", 0).await?;
        for server in [&source, &target] {
            let state = server.client().await?.load_state("resting").await?;
            assert_eq!(state, LoadState::NotLoaded, "{}", server.uri());
        }
        source.stop().await?;
        target.stop().await
    })
}

/// How far a job is behind that says that it is paused, as far as that is known.
async fn paused_lag(pair: &Pair, job: &str) -> Result<Option<u64>> {
    let status = jobs::show(&pair.source, job).await?;
    let cause = status.cause.context("it does not say that it is paused")?;
    assert_eq!(cause.code, codes::JOB_PAUSED, "{cause}");
    let changes = status.collections.first().and_then(|shown| shown.changes);
    Ok(changes.and_then(|changes| changes.lag_ms))
}

#[test]
fn a_paused_job_rests_over_a_restart_and_goes_on_where_it_was() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let plan = ChurnPlan {
            collection: "paused",
            seed: faults::seed_or(81),
            rate: 200,
            base: 5_000,
            flags: &["--partitions", "2"],
        };
        let (churn, mut pair) = begin(&source, &target, &plan).await?;
        // While it copies, asked for on the target's side.
        let is_known = || async {
            let told = pair.target.tell(&["job", "show", "paused"]).await?;
            Ok((told.code == 0).then_some(()))
        };
        wait::until("the target to know the job", SYNC_LIMIT, is_known).await?;
        let told = pair.target.tell(&["job", "pause", "paused"]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        paused_lag(&pair, "paused").await?;
        let told = pair.source.tell(&["job", "resume", "paused"]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        jobs::syncs(&pair.source, "paused", SYNC_LIMIT).await?;
        // While it syncs: the target falls behind, and that is shown.
        let told = pair.source.tell(&["job", "pause", "paused"]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        let behind = || async {
            let lag = paused_lag(&pair, "paused").await?;
            Ok(lag.filter(|lag| *lag > 3_000))
        };
        wait::until("a lag of three seconds", SYNC_LIMIT, behind).await?;
        let refused = refusal(&pair, "paused", &[]).await?;
        assert_eq!(refused.code, codes::JOB_PAUSED, "{refused}");
        pair.source.kill().await?;
        pair.source.start().await?;
        paused_lag(&pair, "paused").await?;
        let told = pair.source.tell(&["job", "resume", "paused"]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        jobs::syncs(&pair.source, "paused", SYNC_LIMIT).await?;
        flows(&pair, "paused").await?;
        let written = churn.stop().await?;
        ready(&pair, "paused", SYNC_LIMIT).await?;
        cut_over(&pair, "paused", written.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, "paused", &written).await?;
        source.stop().await?;
        target.stop().await
    })
}
