//! A cutover for which the source's Milvus denies writes: nobody need stop a writer.
//!
//! No server here can do that: a fake stands before a real 2.3.5, and its writer and the source's agent speak through it.

use crate::fleet;
use crate::live::{SYNC_LIMIT, blocked};
use crate::milvus_client::place::Place;
use crate::milvus_client::rows::KeyKind;
use anyhow::{Result, bail};
use harness::agents::Pair;
use harness::denying::Denying;
use harness::live::{pair, ready, servers, spec};
use harness::oracle::Comparison;
use harness::{jobs, wait};
use milvus::{Kind, MilvusError};
use model::{Key, Phase, codes};
use serde_json::json;
use std::time::Duration;

const COLLECTION: &str = "fenced";

/// How long a property may take to be set.
const PROPERTY_LIMIT: Duration = Duration::from_secs(30);

/// Writes one row after the other until the server denies it: how many it has acknowledged.
async fn write_until_denied(place: Place) -> Result<u64> {
    for key in 0.. {
        match place.insert(&[Key::Int64(key)], 1.0).await {
            Ok(()) => {}
            Err(error) => match error.downcast_ref::<MilvusError>() {
                Some(refusal) if refusal.kind() == Kind::Quota => return Ok(key.unsigned_abs()),
                _ => return Err(error),
            },
        }
    }
    bail!("there are no more keys")
}

/// Waits until the database denies writes, or no longer.
async fn property_is(front: &Denying, value: &str) -> Result<()> {
    let is_set =
        || async { Ok((front.property("default").as_deref() == Some(value)).then_some(())) };
    wait::until("the database's property", PROPERTY_LIMIT, is_set).await
}

/// Orders the cutover, and kills the agent once it has ordered the source to deny writes.
async fn killed_behind_the_fence(pair: &mut Pair, front: &Denying) -> Result<()> {
    tokio::select! {
        told = jobs::cut_over(&pair.source, COLLECTION, &["--timeout", "60s"]) => bail!("{told:?}"),
        set = property_is(front, "true") => set?,
    }
    pair.source.kill().await
}

#[test]
fn a_source_that_denies_writes_is_cut_over_under_its_writer_and_takes_them_again_otherwise()
-> Result<()> {
    fleet::run(async {
        let (source, target) = servers().await?;
        let front = Denying::before(source.uri()).await?;
        let place = Place::make(front.uri(), COLLECTION, KeyKind::Int64, 4).await?;
        let mut pair = pair(&source, &target).await?;
        pair.start().await?;
        let mut spec = spec(COLLECTION, &[COLLECTION]);
        spec["cutover"] = json!({ "max_lag": "10s", "fence": "deny_writes" });

        // The real server can't.
        let found = jobs::dry_run(
            &pair.source,
            &{
                let mut tried = spec.clone();
                tried["name"] = "tried".into();
                tried
            },
            SYNC_LIMIT,
        )
        .await?;
        let text = blocked(&found, codes::FENCE_UNAVAILABLE)?;
        assert!(text.contains("fence: operator"), "{text}");

        pair.source.stop().await?;
        pair.source.config["milvus"]["uri"] = front.uri().into();
        pair.source.start().await?;
        let writer = tokio::spawn(write_until_denied(place));
        jobs::begin(&pair.source, &spec).await?;
        jobs::syncs(&pair.source, COLLECTION, SYNC_LIMIT).await?;
        ready(&pair, COLLECTION, SYNC_LIMIT).await?;

        // A user without the right: the job follows on.
        front.set_guarded(true);
        let told = jobs::cut_over(&pair.source, COLLECTION, &[]).await?;
        let fault = jobs::fault_of(&told)?;
        assert_eq!(fault.code, codes::MILVUS_DENIED, "{told:?}");
        assert_eq!(front.property("default"), None);
        front.set_guarded(false);
        ready(&pair, COLLECTION, SYNC_LIMIT).await?;

        // A server that does not get to deny them in time takes them again.
        front.set_deaf(true);
        let told = jobs::cut_over(&pair.source, COLLECTION, &["--timeout", "2s"]).await?;
        assert_eq!(
            jobs::fault_of(&told)?.code,
            codes::CUTOVER_TIMEOUT,
            "{told:?}"
        );
        assert_eq!(front.property("default").as_deref(), Some("false"));
        killed_behind_the_fence(&mut pair, &front).await?;
        pair.source.start().await?;
        property_is(&front, "false").await?;
        front.set_deaf(false);
        assert!(!writer.is_finished(), "it was denied");

        ready(&pair, COLLECTION, SYNC_LIMIT).await?;
        let told = jobs::cut_over(&pair.source, COLLECTION, &[]).await?;
        assert_eq!(told.code, 0, "{told:?}\n{}", pair.source.log_tail());
        assert_eq!(jobs::status_told(&told)?.phase, Phase::Completed);
        let written =
            wait::within("the writer's end", PROPERTY_LIMIT, async { writer.await? }).await?;
        assert_eq!(front.property("default").as_deref(), Some("true"));
        let comparison = Comparison::of(&source, &target).only(&[COLLECTION]);
        let verdict = comparison.assert_equal(1).await?;
        assert_eq!(verdict.rows, written, "acknowledged rows");
        source.stop().await?;
        target.stop().await
    })
}
