//! Files as only later versions of Milvus write them, made by hand and put among those of a real 2.3.5: no later server was at hand.
//!
//! Since 2.4 Milvus keeps deletes in segments of their own (level L0): files below `delta_log/<collection>/-1`, for rows of all partitions.

use crate::fleet;
use crate::from_segments::{shipping_pair, told};
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

async fn without_deleted(pair: &Pair, target: &Server, name: &str, code: &str) -> Result<()> {
    let place = written(fleet::target().await?, name).await?;
    let mut spec = jobs::spec(name, &[name]);
    spec["copy"] = "segments".into();
    let database = format!("{name}_there");
    spec["rename"] = json!({ "default.*": format!("{database}.*") });
    let status = jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
    assert_eq!(told(&status, code), 1, "{:#?}", status.findings);
    let mut expected = numbers(0..100);
    expected.extend(numbers(250..260));
    expected.extend(numbers(300..1000));
    assert_eq!(arrived(target, &place, &database).await?, expected);
    place.drop().await
}

#[test]
fn what_a_segment_of_deletes_made_by_hand_deletes_is_neither_imported_nor_sent() -> Result<()> {
    fleet::run(async {
        let target = fleet::target().await?;
        let pair = shipping_pair(target, target).await?;
        without_deleted(&pair, target, "level_zero_shipped", codes::COPY_BY_IMPORT).await?;

        let mut pair = Pair::new(target, target).await?;
        pair.source.config["storage"] = target.storage_config();
        pair.start().await?;
        without_deleted(&pair, target, "level_zero_read", codes::COPY_BY_SEGMENTS).await
    })
}
