//! What differs is found and named; what does not is not.

use crate::copy::{AUTO_ID_OFF, FULL_LIMIT, UNREADABLE, readable};
use crate::fleet;
use anyhow::Result;
use harness::agents::Pair;
use harness::oracle::{self, Comparison, Verdict};
use harness::servers::{Kind, Server};
use harness::{jobs, python};
use model::report::{CollectionReport, Difference, DifferenceKind};
use model::{Key, VerifyReport, codes};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::OnceCell;

const JOB: &str = "full";
const PLANT_LIMIT: Duration = Duration::from_secs(300);

/// Every kind of planted difference that fits anywhere is planted; so many at least.
const LEAST_KINDS: usize = 30;

/// A full 2.3.5, copied to a target of its own.
pub(crate) struct Copied {
    pair: Pair,
    target: Server,
    /// How many collections were to be copied.
    pub(crate) readable: u64,
    /// What the oracle said of the copy.
    pub(crate) verdict: Verdict,
    /// What Passage itself said of it.
    report: VerifyReport,
}

/// The copy, made by the first test that needs it. The target may be changed by one test only.
pub(crate) async fn copied() -> Result<&'static Copied> {
    static CELL: OnceCell<Copied> = OnceCell::const_new();
    CELL.get_or_try_init(copy).await
}

async fn copy() -> Result<Copied> {
    let full = fleet::full().await?;
    let target = Server::start(Kind::V2_3_5).await?;
    let pair = Pair::started(&full.server, &target).await?;
    let mut spec = jobs::spec(JOB, &["*.*"]);
    spec["exclude"] = json!(UNREADABLE);
    spec["unloaded"] = "load".into();
    jobs::run_to_completion(&pair.source, &spec, FULL_LIMIT).await?;
    // The target's agent learns of the end a moment after the source's.
    pair.target
        .tell_within(&["job", "watch", JOB], FULL_LIMIT)
        .await?;
    let report = jobs::report(&pair.target, JOB).await?;
    let verdict = Comparison::of(&full.server, &target)
        .excluding(&UNREADABLE)
        .ignoring(&AUTO_ID_OFF)
        .verdict()
        .await?;
    Ok(Copied {
        readable: readable(&full),
        pair,
        target,
        verdict,
        report,
    })
}

/// What was planted, and what must be found.
#[derive(Debug, Deserialize)]
struct Planted {
    planted: String,
    expected: Vec<oracle::Difference>,
}

#[test]
fn every_planted_difference_is_named_by_key_and_field_and_an_untouched_target_gives_none()
-> Result<()> {
    fleet::run(async {
        let copied = copied().await?;
        let _source_is_ours = fleet::full().await?;
        assert!(copied.report.is_clean());
        assert!(
            copied
                .report
                .collections
                .iter()
                .all(|collection| collection.differences_total == 0)
        );
        let again = jobs::verify(&copied.pair.source, JOB, FULL_LIMIT).await?;
        jobs::ensure_completed(&copied.pair.source, &again).await?;

        let words = ["plant", "--everywhere", "--uri", copied.target.uri()];
        let answer = python::testbed_done(&words, PLANT_LIMIT).await?;
        let planted: Vec<Planted> = serde_json::from_value(answer["planted"].clone())?;
        assert!(
            planted.len() >= LEAST_KINDS,
            "{} kinds; left out: {}",
            planted.len(),
            answer["skipped"]
        );

        let differing = jobs::verify(&copied.pair.source, JOB, FULL_LIMIT).await?;
        let cause = differing.cause.as_ref().map(|cause| cause.code.as_str());
        assert_eq!(cause, Some(codes::VERIFY_MISMATCH), "{:?}", differing.cause);
        let report = jobs::report(&copied.pair.source, JOB).await?;
        let found: Vec<_> = report
            .collections
            .iter()
            .flat_map(|collection| {
                collection
                    .differences
                    .iter()
                    .map(|found| (collection.source.to_string(), found))
            })
            .collect();
        let wanted: Vec<_> = planted
            .iter()
            .flat_map(|planted| {
                planted
                    .expected
                    .iter()
                    .map(|expected| (&planted.planted, expected))
            })
            .collect();
        let missed: Vec<_> = wanted
            .iter()
            .filter(|(_, wanted)| !found.iter().any(|(name, found)| fits(wanted, name, found)))
            .collect();
        // A collection without its index can't be read, which is told beside what was planted.
        let unread = |found: &Difference| found.kind == DifferenceKind::NotCompared;
        let surplus: Vec<_> = found
            .iter()
            .filter(|(_, found)| !unread(found))
            .filter(|(name, found)| !wanted.iter().any(|(_, wanted)| fits(wanted, name, found)))
            .collect();
        assert!(
            missed.is_empty() && surplus.is_empty(),
            "not found: {missed:#?}\nnot planted: {surplus:#?}\n{}",
            told(&report)
        );
        Ok(())
    })
}

/// Every collection with its outcome.
fn told(report: &VerifyReport) -> String {
    let one = |collection: &CollectionReport| {
        let CollectionReport {
            source,
            outcome,
            rows,
            ..
        } = collection;
        format!("{source}: {rows} rows, {outcome:?}")
    };
    report
        .collections
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether a difference that we found is the one that the oracle's words mean.
fn fits(wanted: &oracle::Difference, collection: &str, found: &Difference) -> bool {
    let (kind, field) = in_our_words(wanted);
    let same_name = collection.strip_prefix("default.").unwrap_or(collection) == wanted.collection;
    let same_field = field.is_none() || field == found.field;
    same_name
        && kind == found.kind
        && same_field
        && wanted.key.as_ref().is_none_or(|key| is_key(key, found))
}

fn is_key(wanted: &Value, found: &Difference) -> bool {
    match &found.key {
        Some(Key::Int64(number)) => wanted.as_i64() == Some(*number),
        Some(Key::VarChar(text)) => wanted.as_str() == Some(text),
        None => false,
    }
}

/// The kind, and what must be named with it.
fn in_our_words(wanted: &oracle::Difference) -> (DifferenceKind, Option<String>) {
    let field = wanted.field.clone();
    match wanted.kind.as_str() {
        "row_missing" => (DifferenceKind::MissingRow, None),
        "row_extra" => (DifferenceKind::ExtraRow, None),
        "row_duplicated" => (DifferenceKind::DuplicateRow, None),
        "row_partition" => (DifferenceKind::WrongPartition, None),
        "value" => (DifferenceKind::Value, field),
        "partition_missing" | "partition_extra" | "partition_count" => {
            (DifferenceKind::Partition, field)
        }
        "index_missing" | "index_extra" | "index_name" | "index_params" => {
            (DifferenceKind::Index, field)
        }
        "alias_missing" | "alias_extra" => (DifferenceKind::Alias, field),
        "property" | "database_property" => (DifferenceKind::Property, wanted.aspect.clone()),
        "load_state" | "load_replicas" => (DifferenceKind::LoadState, None),
        "collection_missing" => (DifferenceKind::Collection, None),
        _ => (DifferenceKind::Schema, field),
    }
}
