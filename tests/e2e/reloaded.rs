//! What of a configuration is taken while an agent runs: who may be at the other end, and how fast rows are sent.

use crate::fleet;
use anyhow::Result;
use harness::agents::{Dialler, Pair, Side};
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use harness::{jobs, wait};
use model::{Phase, codes};
use serde_json::json;
use std::time::Duration;

const ROWS: u64 = 20_000;
const LIMIT: Duration = Duration::from_secs(180);

/// How soon a name that has left the list must have lost its link.
const OUT_WITHIN: Duration = Duration::from_secs(60);

/// Of each connection.
const BYTES_PER_SECOND: u64 = 64 << 10;

const TAKEN: &str = "the configuration was read again, and is taken";
const LINKED: &str = "passage_channel_linked_total";
const LINKS: &str = "passage_channel_links";
const LIMITED: &str = "passage_channel_limit_bytes";
const SENT: &str = "passage_channel_sent_bytes_total";

async fn ground(collection: &str) -> Result<(Pair, &'static Server, &'static Server, u64)> {
    let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
    let bulk = Bulk {
        database: "default",
        collection,
        rows: ROWS,
        dim: 64,
        flags: &[],
    };
    let bytes = source.seed_bulk(&bulk).await?;
    let pair = Pair::with(source, target, Dialler::Source).await?;
    Ok((pair, source, target, bytes))
}

#[test]
fn a_peer_whose_name_leaves_the_list_loses_its_link_and_comes_back_with_it() -> Result<()> {
    fleet::run(async {
        let (mut pair, source, target, bytes) = ground("expelled").await?;
        pair.start().await?;
        // The copy lasts longer than the agent takes to find what changed.
        pair.link.slow_to(BYTES_PER_SECOND);
        pair.linked().await?;
        let spec = jobs::spec("expelled", &["expelled"]);
        jobs::begin(&pair.source, &spec).await?;
        pair.link.wait_carried(bytes / 10).await;
        let listed = pair.target.config["channel"]["peers"].clone();
        pair.target.config["channel"]["peers"] =
            json!([{ "name": "other", "id": "spiffe://other.test/passage/source" }]);
        // The file alone: nobody tells the agent.
        pair.target.write_config()?;
        wait::until("the end of the link", OUT_WITHIN, || async {
            Ok((pair.target.metric(LINKS).await? < 1.0).then_some(()))
        })
        .await?;
        pair.target.logged(&[TAKEN, "channel.peers"], LIMIT).await?;
        pair.target.logged(&["the link is ended"], LIMIT).await?;
        let code = codes::PEER_NOT_ALLOWED;
        let status = jobs::stuck_with(&pair.source, "expelled", code, LIMIT).await?;
        assert_eq!(status.phase, Phase::Copying, "{status:#?}");
        pair.target.config["channel"]["peers"] = listed;
        pair.target.reload()?;
        pair.link.slow_to(0);
        let status = jobs::wait(&pair.source, "expelled", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        let compared = Comparison::of(source, target).only(&["expelled"]);
        assert_eq!(compared.assert_equal(1).await?.rows, ROWS);
        Ok(())
    })
}

#[test]
fn a_limit_of_the_channel_holds_a_copy_until_it_is_lifted() -> Result<()> {
    const PER_SECOND: u64 = 16 << 10;
    fleet::run(async {
        let (mut pair, source, target, bytes) = ground("held").await?;
        // What the job takes at this rate is longer than it is waited for.
        assert!(bytes * 8 / 10 / PER_SECOND > LIMIT.as_secs());
        pair.source.config["limits"]["channel"] = PER_SECOND.into();
        pair.start().await?;
        pair.linked().await?;
        assert_eq!(pair.source.metric(LIMITED).await?, PER_SECOND as f64);
        jobs::begin(&pair.source, &jobs::spec("held", &["held"])).await?;
        wait::until("the first piece", LIMIT, || async {
            Ok((pair.source.metric(SENT).await? > 0.0).then_some(()))
        })
        .await?;
        let status = jobs::show(&pair.source, "held").await?;
        assert_eq!(status.phase, Phase::Copying, "{status:#?}");

        pair.source.config["limits"] = json!({ "channel": "1GiB" });
        pair.source.reload()?;
        let taken = [TAKEN, "limits.channel"];
        pair.source.logged(&taken, LIMIT).await?;
        let status = jobs::wait(&pair.source, "held", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        assert_eq!(pair.source.metric(LIMITED).await?, (1_u64 << 30) as f64);
        let compared = Comparison::of(source, target).only(&["held"]);
        assert_eq!(compared.assert_equal(1).await?.rows, ROWS);
        Ok(())
    })
}

#[test]
fn renewed_certificates_are_taken_by_running_agents_and_end_no_link() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        let mut pair = Pair::started(source, target).await?;
        pair.linked().await?;
        for side in [Side::Source, Side::Target] {
            pair.certs.renew(side).await?;
            pair.agent(side).reload()?;
            let read = ["certificates were read again"];
            pair.agent(side).logged(&read, LIMIT).await?;
        }
        assert_eq!(pair.target.metric(LINKED).await?, 1.0);
        // The next link shows the new ones.
        pair.target.stop().await?;
        pair.target.start().await?;
        pair.linked().await
    })
}

#[test]
fn a_file_that_can_not_be_used_is_named_and_what_needs_a_restart_too() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        let mut pair = Pair::started(source, target).await?;
        pair.linked().await?;
        let right = pair.source.config.clone();
        pair.source.config["limits"] = json!({ "chanel": "1MiB" });
        pair.source.reload()?;
        let named = ["can't be used", "did you mean channel?", "config_invalid"];
        pair.source.logged(&named, LIMIT).await?;
        pair.source.config = right.clone();
        pair.source.config["limits"] = json!({ "memory": "128MiB" });
        pair.source.reload()?;
        let named = ["needs a restart", "limits.memory"];
        pair.source.logged(&named, LIMIT).await?;
        pair.source.config = right;
        pair.source.reload()?;
        pair.source
            .logged(&["says what it said before"], LIMIT)
            .await?;
        assert!(pair.source.metric(LINKS).await? >= 1.0);
        Ok(())
    })
}
