//! The ceiling: answers of raw queries piped into raw inserts, nothing decoded, no channel, no journal, no proof.

use crate::{COLLECTION, Measured};
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use harness::servers::Server;
use milvus::{NewCollection, RangeRead, ReadPoint, Rows};
use model::{CollectionSpec, Key, KeyRange};
use std::time::Instant;

/// Rows of one answer: about 4 MiB of the default rows, the size of Passage's own batches.
const ROWS_OF_PAGE: u64 = 2500;

/// Copies by so many tasks at the same time. Keys are 0, 1, 2, …, so that the ranges are known without asking.
pub(crate) async fn measure(
    source: &Server,
    target: &Server,
    rows: u64,
    tasks: usize,
) -> Result<Measured> {
    let (reader, writer) = (source.client().await?, target.client().await?);
    let spec = reader.describe_collection(COLLECTION).await?;
    writer.create_collection(&same(&spec)).await?;
    let primary = spec.schema.primary().context("a primary key")?;
    let fields = spec.schema.stored_names();
    let begun = Instant::now();
    let ranges = (0..rows.div_ceil(ROWS_OF_PAGE)).map(|page| KeyRange {
        after: Some(Key::Int64((page * ROWS_OF_PAGE) as i64 - 1)),
        upto: Some(Key::Int64(((page + 1) * ROWS_OF_PAGE) as i64 - 1)),
    });
    let copied: Vec<u64> = futures::stream::iter(ranges)
        .map(|range| {
            let (reader, writer, fields) = (reader.clone(), writer.clone(), &fields);
            async move {
                let seen = ReadPoint::Any;
                let read = RangeRead {
                    collection: COLLECTION,
                    partition: None,
                    primary,
                    fields,
                    range: &range,
                    seen,
                };
                let batch = reader.query_range(&read).await?;
                let rows = Rows {
                    collection: COLLECTION,
                    partition: None,
                    batch: &batch,
                    omit: &[],
                    flagged: &[],
                };
                anyhow::Ok(writer.insert(&rows).await?.rows)
            }
        })
        .buffer_unordered(tasks)
        .try_collect()
        .await?;
    let copied = copied.iter().sum::<u64>();
    anyhow::ensure!(copied == rows, "{copied} of {rows} rows arrived");
    Ok(Measured::new(
        format!("ceiling: raw answers as inserts, {tasks} at once"),
        rows,
        begun.elapsed(),
    ))
}

fn same(spec: &CollectionSpec) -> NewCollection {
    NewCollection {
        name: COLLECTION.to_owned(),
        schema: spec.schema.raw.clone(),
        shards: spec.shards,
        consistency_level: spec.consistency_level,
        properties: spec.properties.clone(),
        key_partitions: 0,
    }
}
