//! The writer under the tests of live jobs is itself put to the test: what it says that it wrote is what a server holds.

use crate::fleet;
use anyhow::Result;
use harness::churn::{self, Churn, ChurnPlan};
use harness::python;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

const COLLECTION: &str = "churned";

/// How many rows are in the collection when the changes begin.
const BASE_ROWS: u64 = 2_000;

#[test]
fn a_churn_knows_what_it_wrote() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let plan = ChurnPlan {
            collection: COLLECTION,
            seed: 5,
            rate: 300,
            base: BASE_ROWS,
            flags: &["--seconds", "5", "--partitions", "3"],
        };
        let written = Churn::start(server, &plan).await?.finish(LIMIT).await?;
        assert!(
            written.inserted > 0 && written.upserted > 0 && written.deleted > 0,
            "all kinds of changes were made: {written:?}"
        );
        assert_eq!(
            written.failed_requests, 0,
            "the server was there: {written:?}"
        );
        let verdict = churn::check(server, COLLECTION, &written).await?;
        verdict.assert_equal()?;
        assert!(verdict.rows > 0, "there was something to read");

        let words = ["plant", "--kind", "int64_off_by_one", "--uri", server.uri()];
        let words = [&words[..], &["--collection", COLLECTION]].concat();
        python::testbed_done(&words, LIMIT).await?;
        let verdict = churn::check(server, COLLECTION, &written).await?;
        assert!(!verdict.equal && verdict.differing == 1, "{verdict:?}");
        Ok(())
    })
}
