//! The ceiling: answers of raw queries piped into raw inserts, nothing decoded, no channel, no journal, no proof.

use crate::{COLLECTION, Measured, Stopwatch};
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use harness::servers::Server;
use milvus::{NewCollection, RangeRead, ReadPoint, Rows};
use model::{CollectionSpec, Key, KeyRange};

/// Copies by so many tasks at the same time, so many rows an answer; 2500 of the default rows are about 4 MiB, the size of Passage's
/// own batches. Keys are 0, 1, 2, …, so that the ranges are known without asking.
pub(crate) async fn measure(
    source: &Server,
    target: &Server,
    rows: u64,
    tasks: usize,
    page: u64,
) -> Result<Measured> {
    let (reader, writer) = (source.client().await?, target.client().await?);
    let spec = reader.describe_collection(COLLECTION).await?;
    writer.create_collection(&same(&spec)).await?;
    let primary = spec.schema.primary().context("a primary key")?;
    let fields = spec.schema.stored_names();
    let watch = Stopwatch::start(source, target);
    let ranges = (0..rows.div_ceil(page)).map(|number| KeyRange {
        after: Some(Key::Int64((number * page) as i64 - 1)),
        upto: Some(Key::Int64(((number + 1) * page) as i64 - 1)),
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
    let name = format!("ceiling: raw answers as inserts, {tasks} x {page} rows");
    Ok(watch.stop(name, rows))
}

/// A collection like this one.
pub(crate) fn same(spec: &CollectionSpec) -> NewCollection {
    NewCollection {
        name: COLLECTION.to_owned(),
        schema: spec.schema.raw.clone(),
        shards: spec.shards,
        consistency_level: spec.consistency_level,
        properties: spec.properties.clone(),
        key_partitions: 0,
    }
}
