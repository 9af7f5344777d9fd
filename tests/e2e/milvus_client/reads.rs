//! Claims about reading.

use super::place::{LIMIT, Place};
use super::rows::KeyKind;
use anyhow::{Context, Result, ensure};
use milvus::{Client, Deadlines, Endpoint, Kind, Product};
use model::{Key, KeyRange};
use std::time::Duration;

/// Some numbers in an order that is not theirs.
fn scattered(count: i64) -> Vec<Key> {
    (0..count)
        .map(|place| Key::Int64(place * 7_919 % count))
        .collect()
}

/// A range without a limit answers all of its rows, more than a query with a limit may, from memory and from segments.
pub(super) async fn a_range_answers_every_row(uri: &str) -> Result<()> {
    let place = Place::make(uri, "every_row", KeyKind::Int64, 2).await?;
    let keys = scattered(40_000);
    for some in keys.chunks(8_000) {
        place.insert(some, 1.0).await?;
        if some[0] == keys[16_000] {
            let flush = place.client.flush(&place.name).await?;
            place
                .client
                .wait_for_flush(&place.name, &flush, LIMIT)
                .await?;
        }
    }
    let numbers = |range: std::ops::Range<i64>| range.map(Key::Int64).collect::<Vec<_>>();
    ensure!(
        place.keys(&KeyRange::all()).await? == numbers(0..40_000),
        "all rows"
    );
    let range = KeyRange {
        after: Some(Key::Int64(9)),
        upto: Some(Key::Int64(30_000)),
    };
    ensure!(place.keys(&range).await? == numbers(10..30_001), "a range");
    if let Some(count) = place.client.count(&place.read(&range).await?).await? {
        ensure!(count == 29_991, "{count} rows counted");
    }
    place.drop().await
}

/// Keys for borders come sorted, inside the range, and no more than asked for; going on behind the last one comes to an end.
pub(super) async fn border_keys_are_sorted_and_come_to_an_end(uri: &str) -> Result<()> {
    let place = Place::make(uri, "border_keys", KeyKind::Int64, 2).await?;
    for some in scattered(20_000).chunks(5_000) {
        place.insert(some, 1.0).await?;
    }
    let mut after = None;
    for _ in 0..100 {
        let range = KeyRange {
            after: after.clone(),
            upto: None,
        };
        let keys = place
            .client
            .keys_after(&place.read(&range).await?, 1_000)
            .await?;
        ensure!(
            keys.is_sorted() && keys.iter().all(|key| range.contains(key)),
            "behind {after:?}"
        );
        let Some(last) = keys.last() else {
            return place.drop().await;
        };
        after = Some(last.clone());
    }
    anyhow::bail!("no end after 100 steps, at {after:?}")
}

/// An answer that is larger than the server sends is told as too large; in parts, every row comes.
pub(super) async fn an_answer_that_is_too_large_comes_in_parts(uri: &str) -> Result<()> {
    let place = Place::make(uri, "too_large", KeyKind::Int64, 2_000).await?;
    // Milvus Lite has no limit below ours, and takes its time.
    let is_lite = place.client.version().product() == Product::Lite;
    let keys: Vec<Key> = (0..if is_lite { 2_500 } else { 15_000 })
        .map(Key::Int64)
        .collect();
    for some in keys.chunks(2_500) {
        place.insert(some, 1.0).await?;
    }
    let all = KeyRange::all();
    let read = place.read(&all).await?;
    // Milvus 2.2 hangs where it should refuse.
    let deadlines = Deadlines {
        read: Duration::from_secs(12),
        ..Deadlines::default()
    };
    let client = Client::connect(&Endpoint {
        deadlines,
        ..Endpoint::new(uri)
    })
    .await?;
    if !is_lite {
        let error = client
            .query_range(&read)
            .await
            .err()
            .context("120 MB in one answer")?;
        ensure!(
            error.is_too_large() || error.kind() == Kind::Timeout,
            "{error}"
        );
    }
    let mut found = Vec::new();
    for part in client.query_parts(&read).await? {
        found.extend(milvus::keys(&part, "pk")?);
    }
    found.sort();
    ensure!(found == keys, "{} rows in parts", found.len());
    place.drop().await
}

/// A row that was acknowledged is seen from every read point that is taken afterwards.
pub(super) async fn rows_are_seen_from_the_next_read_point_on(uri: &str) -> Result<()> {
    let place = Place::make(uri, "freshness", KeyKind::Int64, 2).await?;
    let mut written = Vec::new();
    for round in 0..30 {
        written.push(Key::Int64(round));
        place.insert(&written[written.len() - 1..], 1.0).await?;
        ensure!(
            place.keys(&KeyRange::all()).await? == written,
            "round {round}"
        );
    }
    place
        .client
        .delete(&place.name, None, place.primary(), &written[..10])
        .await?;
    ensure!(
        place.keys(&KeyRange::all()).await? == written[10..],
        "after a delete"
    );
    place.drop().await
}
