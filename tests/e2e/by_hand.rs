//! Files as only later versions of Milvus write them, made by hand and put among those of a real 2.3.5: no later server was at hand.
//!
//! Since 2.4 Milvus keeps deletes in segments of their own (level L0): files below `delta_log/<collection>/-1`, for rows of all partitions.

use crate::fleet;
use crate::from_segments::told;
use crate::milvus_client::place::Place;
use crate::milvus_client::rows::KeyKind;
use anyhow::{Context, Result};
use binlog::{Delete, Owner};
use harness::agents::Pair;
use harness::jobs;
use harness::servers::Server;
use milvus::{Client, Endpoint};
use model::{Key, KeyRange, Tick, codes};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

/// The partition of deletes that go for all, and a segment's number that no server here has given.
const EVERYWHERE: i64 = -1;
const BY_HAND: i64 = 7;

async fn flush(place: &Place) -> Result<()> {
    let flush = place.client.flush(&place.name).await?;
    place
        .client
        .wait_for_flush(&place.name, &flush, LIMIT)
        .await?;
    Ok(())
}

fn numbers(keys: std::ops::Range<i64>) -> Vec<Key> {
    keys.map(Key::Int64).collect()
}

/// Keys 0 to 999 in two partitions. A segment of level L0 deletes 100 to 299, of which 250 to 259 are younger again.
async fn written(server: &Server, name: &str) -> Result<Place> {
    let place = Place::make(server.uri(), name, KeyKind::Int64, 4).await?;
    place.client.create_partition(name, "other").await?;
    let batch = crate::milvus_client::rows::batch_of(&numbers(0..200), 4, || 1.0);
    let mut rows = place.rows(&batch);
    rows.partition = Some("other");
    place.client.insert(&rows).await?;
    place.insert(&numbers(200..1000), 1.0).await?;
    flush(&place).await?;
    let tick = place.client.alloc_timestamp().await?.context("a clock")?;
    place.insert(&numbers(250..260), 2.0).await?;
    flush(&place).await?;

    let collection = place.client.describe_collection(name).await?.id;
    let folder = server
        .objects()
        .join(format!("delta_log/{collection}/{EVERYWHERE}/{BY_HAND}"));
    std::fs::create_dir_all(&folder)?;
    let owner = Owner {
        collection,
        partition: EVERYWHERE,
        segment: BY_HAND,
    };
    for (log, keys) in (1..).zip([numbers(100..200), numbers(200..300)]) {
        let delete = |key: &Key| Delete {
            key: key.clone(),
            tick: Tick::new(tick),
        };
        let deletes: Vec<Delete> = keys.iter().map(delete).collect();
        let file = binlog::write_deletes(owner, &deletes)?;
        std::fs::write(folder.join(log.to_string()), file)?;
    }
    Ok(place)
}

/// The keys that the target has.
async fn arrived(target: &Server, place: &Place, database: &str) -> Result<Vec<Key>> {
    let client = Client::connect(&Endpoint::new(target.uri())).await?;
    let there = place.seen_by(client.in_database(database));
    there.keys(&KeyRange::all()).await
}

async fn without_deleted(by_import: bool, name: &str) -> Result<()> {
    let server = fleet::target().await?;
    // The server makes its folder of files with the first of them.
    let place = written(server, name).await?;
    let mut pair = Pair::new(server, server).await?;
    let code = if by_import {
        pair.give_storage(server, server);
        codes::COPY_BY_IMPORT
    } else {
        pair.source.config["storage"] = server.storage_config();
        codes::COPY_BY_SEGMENTS
    };
    pair.start().await?;
    let mut spec = jobs::spec(name, &[name]);
    spec["copy"] = "segments".into();
    let database = format!("{name}_there");
    spec["rename"] = json!({ "default.*": format!("{database}.*") });
    let status = jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
    assert_eq!(told(&status, code), 1, "{:#?}", status.findings);
    let mut expected = numbers(0..100);
    expected.extend(numbers(250..260));
    expected.extend(numbers(300..1000));
    assert_eq!(arrived(server, &place, &database).await?, expected);
    place.drop().await
}

#[test]
fn what_a_segment_of_deletes_made_by_hand_deletes_is_not_imported() -> Result<()> {
    fleet::run(without_deleted(true, "level_zero_shipped"))
}

#[test]
fn what_a_segment_of_deletes_made_by_hand_deletes_is_not_sent() -> Result<()> {
    fleet::run(without_deleted(false, "level_zero_read"))
}
