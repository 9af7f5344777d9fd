//! A source of the generation before: its log is read in its own forms, and its rows arrive on a later Milvus.

use crate::fleet;
use crate::live::SYNC_LIMIT;
use anyhow::{Result, ensure};
use harness::churn::ChurnPlan;
use harness::jobs;
use harness::live::{assert_arrived, begin, cut_over, ready};
use harness::servers::{Kind, Server};

/// 2.2 has no Upsert, and loads no partition that is made later: the mix does without.
const AS_2_2_CAN: [&str; 4] = ["--auto-id", "--partitions", "2", "--no-partition-changes"];

#[test]
fn changes_of_2_2_16_are_followed_into_2_3_5() -> Result<()> {
    fleet::run(async {
        let (source, target) =
            tokio::try_join!(Server::start(Kind::V2_2_16), Server::start(Kind::V2_3_5))?;
        let plan = ChurnPlan {
            collection: "older",
            seed: 22,
            rate: 300,
            base: 20_000,
            flags: &AS_2_2_CAN,
        };
        let (churn, pair) = begin(&source, &target, &plan).await?;
        jobs::syncs(&pair.source, "older", SYNC_LIMIT).await?;
        ready(&pair, "older", SYNC_LIMIT).await?;
        let written = churn.stop().await?;
        ensure!(written.inserted > 0 && written.deleted > 0, "{written:#?}");
        cut_over(&pair, "older", written.last_ack_unix_ms).await?;
        assert_arrived(&source, &target, "older", &written).await?;
        source.stop().await?;
        target.stop().await
    })
}
