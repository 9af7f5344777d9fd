//! Rows that come to the source by imports: the log does not hold them, and queries answer them late; they are on the target all the same.

use crate::fleet;
use crate::repair::count;
use anyhow::Result;
use harness::agents::Pair;
use harness::jobs;
use harness::live::{cut_over, pair, ready, servers, spec};
use harness::oracle::Comparison;
use harness::servers::Bulk;
use harness::wait;
use model::codes;
use std::time::Duration;

const ROWS: u64 = 2_000;
const IMPORTED: u64 = 3_000;
const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn rows_that_are_imported_while_a_job_follows_are_on_the_target_when_it_cuts_over() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let bulk = Bulk {
            database: "default",
            collection: "imported",
            rows: ROWS,
            dim: 8,
            flags: &[],
        };
        source.seed_bulk(&bulk).await?;
        // Whose rows queries may not answer yet when the job begins.
        source.import("imported", 1_000_000, IMPORTED).await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        jobs::begin(&pair.source, &spec("imported", &["imported"])).await?;
        ready(&pair, "imported", LIMIT).await?;

        source.import("imported", 2_000_000, IMPORTED).await?;
        wait::until("imported rows to be answered", LIMIT, || async {
            let rows = count(&source, "imported").await?;
            Ok((rows == Some(ROWS + 2 * IMPORTED)).then_some(()))
        })
        .await?;
        // Every row was compared, and the target is near: nothing but the import is in the way.
        let told = jobs::cut_over(&pair.source, "imported", &["--timeout", "60s"]).await?;
        let refusal = jobs::fault_of(&told)?;
        assert_eq!(refusal.code, codes::CUTOVER_NOT_READY, "{refusal}");
        let more = format!("{IMPORTED} rows more on the source");
        assert!(refusal.message.contains(&more), "{refusal}");

        ready(&pair, "imported", LIMIT).await?;
        cut_over(&pair, "imported", 0).await?;
        let verdict = Comparison::of(&source, &target)
            .only(&["imported"])
            .assert_equal(1)
            .await?;
        assert_eq!(verdict.rows, ROWS + 2 * IMPORTED);
        let repaired = pair.source.metric("passage_changes_repaired_rows_total");
        assert!(repaired.await? >= IMPORTED as f64, "as repairs");
        source.stop().await?;
        target.stop().await
    })
}

#[test]
fn rows_that_were_imported_a_moment_before_a_copy_are_copied() -> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let bulk = Bulk {
            database: "default",
            collection: "fresh",
            rows: ROWS,
            dim: 8,
            flags: &[],
        };
        source.seed_bulk(&bulk).await?;
        let pair = Pair::started(&source, &target).await?;
        source.import("fresh", 1_000_000, IMPORTED).await?;
        let mut spec = jobs::spec("fresh", &["fresh"]);
        spec["copy"] = "rows".into();
        let status = jobs::run(&pair.source, &spec, LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        let verdict = Comparison::of(&source, &target)
            .only(&["fresh"])
            .assert_equal(1)
            .await?;
        assert_eq!(verdict.rows, ROWS + IMPORTED);
        source.stop().await?;
        target.stop().await
    })
}
