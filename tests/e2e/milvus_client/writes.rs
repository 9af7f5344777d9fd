//! Claims about writing.

use super::place::Place;
use super::rows::{self, KeyKind};
use anyhow::{Context, Result, ensure};
use milvus::{Client, Endpoint, Kind};
use model::{Cell, Key, KeyRange};

/// Rows whose insert is in doubt are replaced: afterwards each key has one row, the later one, however often it is done.
pub(super) async fn replacing_leaves_one_row_for_each_key(uri: &str) -> Result<()> {
    let place = Place::make(uri, "replacing", KeyKind::VarChar, 2).await?;
    let keys: Vec<Key> = (0..500)
        .map(|n| Key::VarChar(format!("key {n:04} \"\\é")))
        .collect();
    place.insert(&keys, 1.0).await?;
    place.insert(&keys[..100], 1.0).await?;
    let later = rows::batch(&keys, place.dim, 2.0);
    for _ in 0..3 {
        place
            .client
            .replace(&place.rows(&later), place.primary())
            .await?;
    }
    let all = KeyRange::all();
    let read = place.read(&all).await?;
    let batch = place.client.query_range(&read).await?;
    let mut found = milvus::keys(&batch, "pk")?;
    found.sort();
    ensure!(found == keys, "{} rows", found.len());
    let vectors = milvus::ColumnReader::new(batch.column("v").context("no column v")?, batch.rows)?;
    for row in 0..vectors.rows() {
        let Cell::Vector(_, bytes) = vectors.cell(row)? else {
            anyhow::bail!("no vector")
        };
        ensure!(
            *bytes == *2.0f32.to_le_bytes().repeat(2),
            "row {row} is an older one"
        );
    }
    if let Some(count) = place.client.count(&read).await? {
        ensure!(count == 500, "{count} rows counted");
    }
    place.drop().await
}

/// A batch that is larger than a request goes in several, and a row that is larger is refused before anything is sent.
pub(super) async fn a_batch_that_is_too_large_goes_in_pieces(uri: &str) -> Result<()> {
    let place = Place::make(uri, "pieces", KeyKind::Int64, 1_000).await?;
    let keys: Vec<Key> = (0..1_000).map(Key::Int64).collect();
    let batch = rows::batch(&keys, place.dim, 1.0);
    let small = Endpoint {
        max_request_bytes: 1 << 20,
        ..Endpoint::new(uri)
    };
    let done = Client::connect(&small)
        .await?
        .insert(&place.rows(&batch))
        .await?;
    ensure!(done.rows == 1_000 && done.requests > 3, "{done:?}");
    ensure!(
        place.keys(&KeyRange::all()).await? == keys,
        "rows are missing"
    );

    let tiny = Endpoint {
        max_request_bytes: 20_000,
        ..Endpoint::new(uri)
    };
    let row = rows::batch(&keys[..1], place.dim, 1.0);
    let error = Client::connect(&tiny)
        .await?
        .insert(&place.rows(&row))
        .await;
    let error = error.err().context("a row over the limit was taken")?;
    ensure!(
        error.kind() == Kind::RowTooLarge && !error.is_outcome_unknown(),
        "{error}"
    );
    place.drop().await
}

/// What the server itself finds too large is halved, too. For a server that takes no more than a few dozen kilobytes.
pub(super) async fn a_batch_that_the_server_finds_too_large_goes_in_pieces(
    narrow: &Endpoint,
) -> Result<()> {
    let place = Place::make_at(narrow, "server_limit", KeyKind::Int64, 1_000).await?;
    let keys: Vec<Key> = (0..300).map(Key::Int64).collect();
    let batch = rows::batch(&keys, place.dim, 1.0);
    let done = place.client.insert(&place.rows(&batch)).await?;
    ensure!(done.rows == 300 && done.requests > 10, "{done:?}");
    ensure!(
        place.keys(&KeyRange::all()).await? == keys,
        "rows are missing"
    );
    place.drop().await
}
