//! Several writers that change their collections throughout a job, and what they are judged by.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use harness::churn::{Churn, ChurnPlan, Written};
use harness::live;
use harness::servers::Server;
use std::time::Duration;

/// How long a record of many rows may take.
const RECORD_LIMIT: Duration = Duration::from_secs(180);

/// Writers at work, each with the name of its collection.
#[derive(Debug)]
pub(crate) struct Writers(Vec<(String, Churn)>);

/// What they wrote.
#[derive(Debug)]
pub(crate) struct AllWritten(Vec<(String, Written)>);

/// The collections of the seeded mix.
pub(crate) const WRITTEN: [&str; 3] = ["numbers", "words", "automatic"];

/// The seeded mix: numbers in partitions that come and go, texts as keys, keys that the server makes. In sum so many rows to begin
/// with and so many changes a second.
pub(crate) fn mix(seed: u64, base: u64, rate: u32) -> [ChurnPlan<'static>; 3] {
    let plan = |place: u64, collection, flags, share: u32| ChurnPlan {
        collection,
        // Seeds that follow each other share no writer's seed.
        seed: seed.wrapping_mul(3).wrapping_add(place),
        rate: rate * share / 10,
        base: base * u64::from(share) / 10,
        flags,
    };
    [
        plan(0, WRITTEN[0], &["--partitions", "3"], 4),
        plan(
            1,
            WRITTEN[1],
            &["--keys", "varchar", "--partitions", "1"],
            3,
        ),
        plan(2, WRITTEN[2], &["--auto-id"], 3),
    ]
}

impl Writers {
    /// Starts them, and returns when all rows are there that they begin with, and changes flow.
    pub(crate) async fn start(source: &Server, plans: &[ChurnPlan<'_>]) -> Result<Self> {
        let started = plans.iter().map(|plan| async move {
            let churn = Churn::start(source, plan).await?;
            Ok::<_, anyhow::Error>((plan.collection.to_owned(), churn))
        });
        Ok(Self(try_join_all(started).await?))
    }

    /// Has all of them stop: when the last change was acknowledged, in milliseconds since 1970.
    pub(crate) async fn rest(&mut self) -> Result<u64> {
        let rested = try_join_all(self.0.iter_mut().map(|(_, churn)| churn.rest())).await?;
        rested.into_iter().max().context("there is a writer")
    }

    /// What they wrote.
    pub(crate) async fn finish(self) -> Result<AllWritten> {
        let finished = self.0.into_iter().map(|(name, churn)| async move {
            Ok::<_, anyhow::Error>((name, churn.finish(RECORD_LIMIT).await?))
        });
        Ok(AllWritten(try_join_all(finished).await?))
    }
}

impl AllWritten {
    /// Changes a second, in sum.
    pub(crate) fn per_second(&self) -> f64 {
        self.0.iter().map(|(_, written)| written.per_second).sum()
    }

    /// Changes, in sum.
    pub(crate) fn changes(&self) -> u64 {
        self.0.iter().map(|(_, written)| written.changes).sum()
    }

    /// Makes sure that the target has what was acknowledged, and what the source has, and nothing else.
    pub(crate) async fn assert_arrived(&self, source: &Server, target: &Server) -> Result<()> {
        for (collection, written) in &self.0 {
            live::assert_arrived(source, target, collection, written)
                .await
                .with_context(|| format!("collection {collection}"))?;
        }
        Ok(())
    }

    /// Takes the collections away.
    pub(crate) async fn drop_collections(&self, servers: &[&Server]) -> Result<()> {
        for server in servers {
            let client = server.client().await?;
            for (collection, _) in &self.0 {
                client.drop_collection(collection).await?;
            }
        }
        Ok(())
    }
}
