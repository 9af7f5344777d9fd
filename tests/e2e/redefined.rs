//! Collections that are made, dropped, renamed and defined anew on a source while a live job runs.

use crate::fleet;
use crate::live::SYNC_LIMIT;
use anyhow::{Context, Result, ensure};
use harness::agents::Pair;
use harness::churn::{Churn, ChurnPlan};
use harness::live::{assert_arrived, cut_over, pair, ready, servers, spec};
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use harness::storm::{self, Storm};
use harness::{faults, jobs, python, wait};
use model::{CollectionPhase, JobStatus, Phase, codes};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a load may take.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// For how long collections come and go once the job has proven what stays.
const STORMY: Duration = Duration::from_secs(20);

async fn seed(server: &Server, collection: &str, rows: u64, seed: &str) -> Result<()> {
    let bulk = Bulk {
        database: "default",
        collection,
        rows,
        dim: 8,
        flags: &["--seed", seed],
    };
    server.seed_bulk(&bulk).await?;
    Ok(())
}

/// Gives a collection's vector index other parameters, as an operator has to: nobody can search meanwhile.
async fn index_anew(server: &Server, collection: &str) -> Result<()> {
    let client = server.client().await?;
    let indexes = client.list_indexes(collection).await?;
    let former = indexes.first().context("it has an index")?;
    client.release(collection).await?;
    client.drop_index(collection, former).await?;
    let mut index = former.clone();
    index.params = [
        ("index_type", "HNSW"),
        ("metric_type", "L2"),
        ("params", r#"{"M":"7","efConstruction":"77"}"#),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    client.create_index(collection, &index).await?;
    client.load(collection, 1).await?;
    Ok(client.wait_for_load(collection, LOAD_LIMIT, |_| ()).await?)
}

async fn rename(server: &Server, from: &str, to: &str) -> Result<()> {
    let words = [server.uri(), from, to];
    python::script("tests/e2e/rename.py", &words, LOAD_LIMIT).await?;
    Ok(())
}

/// Waits until these collections of a job, and no others, are in these phases, and proven.
async fn settles(pair: &Pair, job: &str, wanted: &[(&str, CollectionPhase)]) -> Result<JobStatus> {
    let seen = || async {
        let status = jobs::syncs(&pair.source, job, SYNC_LIMIT).await?;
        let mut phases: Vec<_> = status
            .collections
            .iter()
            .map(|shown| (shown.source.collection.clone(), shown.phase))
            .collect();
        phases.sort();
        let wanted = wanted
            .iter()
            .map(|(name, phase)| ((*name).to_owned(), *phase));
        Ok(phases.into_iter().eq(wanted).then_some(status))
    };
    wait::until(&format!("{wanted:?}"), SYNC_LIMIT, seen).await
}

#[test]
fn what_is_made_dropped_and_defined_anew_meanwhile_is_so_on_the_target() -> Result<()> {
    use CollectionPhase::{Dropped, Following};
    fleet::run(async {
        let (source, target) = servers().await?;
        let from = faults::seed_or(71);
        let plan = |collection, seed| ChurnPlan {
            collection,
            seed,
            rate: 100,
            base: 2_000,
            flags: &["--partitions", "2"],
        };
        let kept = Churn::start(&source, &plan("kept", from)).await?;
        for collection in ["doomed", "redefined", "remade"] {
            seed(&source, collection, 1_000, "1").await?;
        }
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        jobs::begin(&pair.source, &spec("defined", &["*"])).await?;
        jobs::syncs(&pair.source, "defined", SYNC_LIMIT).await?;

        let client = source.client().await?;
        client.drop_collection("doomed").await?;
        client.drop_collection("remade").await?;
        seed(&source, "remade", 1_500, "2").await?;
        seed(&source, "new", 500, "3").await?;
        let late = Churn::start(&source, &plan("late", from + 1)).await?;
        index_anew(&source, "redefined").await?;
        let ttl = BTreeMap::from([("collection.ttl.seconds".to_owned(), "864000".to_owned())]);
        client.alter_collection("redefined", &ttl, &[]).await?;
        client.create_alias("kept", "the_kept").await?;

        let phases = [
            ("doomed", Dropped),
            ("kept", Following),
            ("late", Following),
            ("new", Following),
            ("redefined", Following),
            ("remade", Following),
            ("remade", Dropped),
        ];
        settles(&pair, "defined", &phases).await?;
        let (kept, late) = tokio::try_join!(kept.stop(), late.stop())?;
        ready(&pair, "defined", SYNC_LIMIT).await?;
        cut_over(&pair, "defined", kept.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, "kept", &kept).await?;
        assert_arrived(&source, &target, "late", &late).await?;
        let verdict = Comparison::of(&source, &target).assert_equal(5).await?;
        ensure!(verdict.rows > 3_000, "{verdict:#?}");
        source.stop().await?;
        target.stop().await
    })
}

/// So slow that the collections that are copied at the same time keep all others waiting for a while.
const SLOW_BYTES_PER_SECOND: u64 = 48 << 10;

#[test]
fn a_collection_that_is_dropped_before_its_turn_holds_up_nothing() -> Result<()> {
    use CollectionPhase::{Dropped, Following};
    fleet::run(async {
        let (source, target) = servers().await?;
        for collection in ["a1", "a2", "a3", "a4"] {
            seed(&source, collection, 5_000, "1").await?;
        }
        seed(&source, "last", 100, "2").await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        pair.link.slow_to(SLOW_BYTES_PER_SECOND);
        jobs::begin(&pair.source, &spec("turns", &["*"])).await?;
        let copies = || async {
            let status = jobs::show(&pair.source, "turns").await?;
            Ok((status.phase == Phase::Copying).then_some(()))
        };
        wait::until("the copy", SYNC_LIMIT, copies).await?;
        source.client().await?.drop_collection("last").await?;
        let status = jobs::show(&pair.source, "turns").await?;
        let last = status.collections.last().context("it is shown")?;
        ensure!(last.phase == CollectionPhase::Waiting, "{last:#?}");
        pair.link.slow_to(0);
        let phases = [
            ("a1", Following),
            ("a2", Following),
            ("a3", Following),
            ("a4", Following),
            ("last", Dropped),
        ];
        settles(&pair, "turns", &phases).await?;
        ready(&pair, "turns", SYNC_LIMIT).await?;
        cut_over(&pair, "turns", 0).await?;
        Comparison::of(&source, &target).assert_equal(4).await?;
        source.stop().await?;
        target.stop().await
    })
}

#[test]
fn a_collection_that_is_renamed_is_named_and_followed_on_under_its_former_name() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        seed(&source, "before", 500, "1").await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        jobs::begin(&pair.source, &spec("renamed", &["before"])).await?;
        jobs::syncs(&pair.source, "renamed", SYNC_LIMIT).await?;
        rename(&source, "before", "after").await?;
        let status = jobs::stuck_with(
            &pair.source,
            "renamed",
            codes::COLLECTION_RENAMED,
            SYNC_LIMIT,
        )
        .await?;
        let cause = status.cause.context("a cause")?;
        assert!(
            cause
                .message
                .contains("default.before was renamed to default.after"),
            "{cause}"
        );
        let told = jobs::cut_over(&pair.source, "renamed", &[]).await?;
        let refusal = jobs::fault_of(&told)?;
        assert_eq!(refusal.code, codes::CUTOVER_NOT_READY, "{refusal}");
        assert!(refusal.message.contains("was renamed"), "{refusal}");
        rename(&source, "after", "before").await?;
        ready(&pair, "renamed", SYNC_LIMIT).await?;
        let told = jobs::cut_over(&pair.source, "renamed", &[]).await?;
        assert_eq!(told.code, 0, "{told:?}");
        Comparison::of(&source, &target).assert_equal(1).await?;
        source.stop().await?;
        target.stop().await
    })
}

#[test]
fn a_storm_of_collections_and_aliases_arrives() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let seed = faults::seed_or(91);
        let plan = ChurnPlan {
            collection: "kept",
            seed,
            rate: 100,
            base: 2_000,
            flags: &["--keys", "varchar", "--partitions", "2"],
        };
        let churn = Churn::start(&source, &plan).await?;
        let storm = Storm::start(&source, "storm", seed).await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        jobs::begin(&pair.source, &spec("stormy", &["kept", "storm_*"])).await?;
        jobs::proves(&pair.source, "stormy", &["kept"], SYNC_LIMIT).await?;
        // While the job syncs, too.
        tokio::time::sleep(STORMY).await;
        let stormed = storm.stop().await?;
        println!("seed {seed}: {:?}", stormed.acts);
        ready(&pair, "stormy", SYNC_LIMIT).await?;
        let written = churn.stop().await?;
        cut_over(&pair, "stormy", written.last_ack_unix_ms).await?;
        storm::assert_left(&target, &stormed).await?;
        assert_arrived(&source, &target, "kept", &written).await?;
        // The check does find what is missing.
        let left = stormed.collections.first().context("a storm leaves one")?;
        target.client().await?.drop_collection(left).await?;
        ensure!(storm::assert_left(&target, &stormed).await.is_err());
        source.stop().await?;
        target.stop().await
    })
}
