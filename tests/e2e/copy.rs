//! What a server holds arrives on the other one, down to every bit.

use crate::fleet::{self, Seeded};
use crate::verify;
use anyhow::Result;
use harness::agents::Pair;
use harness::jobs;
use harness::oracle::Comparison;
use model::{CollectionPhase, JobStatus, Severity, codes};
use serde_json::json;
use std::time::Duration;

/// Thirty small collections with an index each.
pub(crate) const FULL_LIMIT: Duration = Duration::from_secs(420);

/// Collections that no query can read: without an index nothing can be loaded.
pub(crate) const UNREADABLE: [&str; 1] = ["bare"];

/// What changes with kept automatic keys, where the target can't take keys for them: nothing but the flag.
pub(crate) const AUTO_ID_OFF: [&str; 1] = ["schema:autoID"];

/// How many collections of a full server can be read.
pub(crate) fn readable(full: &Seeded) -> u64 {
    let readable = |name: &&String| {
        !UNREADABLE
            .iter()
            .any(|unreadable| name.ends_with(&format!(".{unreadable}")))
    };
    full.collections.iter().filter(readable).count() as u64
}

/// A finding of this code on this subject was told.
fn is_told(status: &JobStatus, severity: Severity, code: &str, subject: &str) -> bool {
    let fits = |finding: &&model::Finding| {
        finding.severity == severity && finding.code == code && finding.subject.contains(subject)
    };
    status.findings.iter().find(fits).is_some()
}

#[test]
fn everything_that_2_3_5_holds_arrives_on_2_3_5() -> Result<()> {
    fleet::run(async {
        let copied = verify::copied().await?;
        let verdict = &copied.verdict;
        assert!(
            verdict.equal,
            "{} differences: {:#?}",
            verdict.found, verdict.differences
        );
        assert!(verdict.unread.is_empty(), "{:#?}", verdict.unread);
        assert_eq!(verdict.collections, copied.readable);
        Ok(())
    })
}

#[test]
fn everything_that_2_2_16_holds_arrives_on_2_3_5_under_other_names() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full_old().await?, fleet::target().await?);
        let pair = Pair::started(&full.server, target).await?;
        let mut spec = jobs::spec("old", &["*.*"]);
        spec["exclude"] = json!(UNREADABLE);
        spec["unloaded"] = "load".into();
        spec["rename"] = json!({ "default.*": "old.*", "archive.*": "old_archive.*" });
        let status = jobs::run_to_completion(&pair.source, &spec, FULL_LIMIT).await?;
        assert!(
            status
                .collections
                .iter()
                .all(|collection| collection.phase == CollectionPhase::Done)
        );
        assert!(
            is_told(
                &status,
                Severity::Changed,
                codes::INDEX_MAPPED,
                "index_annoy"
            ),
            "{:#?}",
            status.findings
        );
        Comparison::of(&full.server, target)
            .renamed(&["default.*=old.*", "archive.*=old_archive.*"])
            .excluding(&UNREADABLE)
            .ignoring(&AUTO_ID_OFF)
            .assert_equal_but(readable(&full), |found| {
                found.collection == "index_annoy" && found.kind == "index_params"
            })
            .await?;
        Ok(())
    })
}

#[test]
fn everything_that_lite_holds_arrives_on_lite() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full_lite().await?, fleet::lite_target().await?);
        let pair = Pair::started(&full.server, target).await?;
        let mut spec = jobs::spec("lite", &["*.*"]);
        spec["exclude"] = json!(UNREADABLE);
        spec["unloaded"] = "load".into();
        spec["rename"] = json!({ "default.*": "whole.*", "archive.*": "whole_archive.*" });
        jobs::run_to_completion(&pair.source, &spec, FULL_LIMIT).await?;
        let compared = Comparison::of(&full.server, target)
            .renamed(&["default.*=whole.*", "archive.*=whole_archive.*"])
            .excluding(&UNREADABLE)
            .ignoring(&AUTO_ID_OFF)
            .assert_equal(readable(&full))
            .await?;
        assert!(
            compared.rows > full.rows / 2,
            "{compared:?} of {}",
            full.rows
        );
        Ok(())
    })
}

#[test]
fn what_lite_can_hold_of_2_3_5_arrives_on_it_and_the_rest_is_named() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full().await?, fleet::lite_target().await?);
        let pair = Pair::started(&full.server, target).await?;
        let refused = ["text_keys", "index_bin_flat", "index_bin_ivf", "halves"];
        let mut spec = jobs::spec("to-lite", &["*.*"]);
        spec["exclude"] = json!(UNREADABLE);
        spec["unloaded"] = "load".into();
        spec["rename"] = json!({ "default.*": "real.*", "archive.*": "real_archive.*" });
        let asked = jobs::dry_run(&pair.source, &spec, FULL_LIMIT).await?;
        for collection in refused {
            assert!(
                is_told(
                    &asked,
                    Severity::Blocked,
                    codes::TYPE_UNSUPPORTED,
                    collection
                ),
                "{collection} in {:#?}",
                asked.findings
            );
        }
        spec["name"] = "to-lite-in-part".into();
        spec["exclude"] = json!([&UNREADABLE[..], &refused[..]].concat());
        jobs::run_to_completion(&pair.source, &spec, FULL_LIMIT).await?;
        Comparison::of(&full.server, target)
            .renamed(&["default.*=real.*", "archive.*=real_archive.*"])
            .excluding(&[&UNREADABLE[..], &refused[..]].concat())
            .ignoring(&["lite", "index_params", AUTO_ID_OFF[0]])
            .assert_equal(readable(&full) - refused.len() as u64)
            .await?;
        Ok(())
    })
}
