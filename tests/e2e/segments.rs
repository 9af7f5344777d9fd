//! What real servers keep in the files of their segments is what they answer to queries: every type, every row, deletes heeded.

mod imported;

use crate::fleet::{self, Turn};
use crate::milvus_client::place::Place;
use crate::milvus_client::rows::KeyKind;
use anyhow::{Context, Result, ensure};
use binlog::{FieldLog, Values};
use bytes::Bytes;
use harness::servers::Server;
use milvus::columns::{self, Plain};
use milvus::{Client, ColumnReader, RangeRead};
use model::schema::DYNAMIC_FIELD;
use model::{Batch, Cell, CollectionSpec, DataType, Field, Key, KeyRange, LoadState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The ids of the fields that Milvus adds: a number and a time for each row.
const ROW_ID: i64 = 0;
const TIME: i64 = 1;

const LIMIT: Duration = Duration::from_secs(180);

/// Rows by their keys; each row's values by the names of their fields.
type Rows = BTreeMap<Key, BTreeMap<String, String>>;

/// The entries of a folder, each with its name as a number, by these.
fn numbered(folder: &Path) -> Result<BTreeMap<i64, PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let entries = entries.map(|entry| {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.context("a name")?.parse()?;
        Ok((number, path))
    });
    entries.collect()
}

/// The folders of all segments of a collection in this log; none where it has none.
fn segments(server: &Server, log: &str, collection: i64) -> Result<Vec<PathBuf>> {
    let folder = server.objects().join(log).join(collection.to_string());
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for partition in numbered(&folder)?.into_values() {
        found.extend(numbered(&partition)?.into_values());
    }
    Ok(found)
}

fn read(file: &Path) -> Result<Bytes> {
    Ok(std::fs::read(file)?.into())
}

/// A value as it is told, so that both ways can be held against each other.
fn told(cell: &Cell<'_>) -> Result<String> {
    Ok(match cell {
        Cell::Json(text) => serde_json::from_slice::<serde_json::Value>(text)?.to_string(),
        cell => format!("{cell:?}"),
    })
}

/// The values of a field, one after the other: encoded as a query would answer them, and read as such.
fn values(field: &Field, log: &FieldLog) -> Result<Vec<String>> {
    ensure!(log.valid.is_empty(), "these servers have no nulls");
    let blobs: Vec<&[u8]> = match &log.values {
        Values::Blobs(blobs) => blobs.iter().collect(),
        Values::Vectors { width, bytes } => bytes.chunks(*width).collect(),
        _ => Vec::new(),
    };
    let plain = match &log.values {
        Values::Bools(values) => Plain::Bools(values),
        Values::Ints(values) => Plain::Ints(values),
        Values::Floats(values) => Plain::Floats(values),
        Values::Doubles(values) => Plain::Doubles(values),
        Values::Blobs(_) | Values::Vectors { .. } => Plain::Blobs(&blobs),
    };
    let column = columns::encode(field, Bytes::new(), plain)?;
    let reader = ColumnReader::new(&column, u32::try_from(log.rows)?)?;
    (0..log.rows).map(|row| told(&reader.cell(row)?)).collect()
}

/// The field that holds what the schema does not name: it is not described.
fn dynamic_field(like: &Field, id: i64) -> Field {
    Field {
        id,
        name: DYNAMIC_FIELD.to_owned(),
        data_type: DataType::JSON,
        is_dynamic: true,
        ..like.clone()
    }
}

/// When a key was deleted last.
fn deletes(server: &Server, spec: &CollectionSpec) -> Result<BTreeMap<Key, u64>> {
    let mut deleted = BTreeMap::new();
    for segment in segments(server, "delta_log", spec.id)? {
        for file in numbered(&segment)?.into_values() {
            for delete in binlog::read_deletes(&read(&file)?)? {
                let last: &mut u64 = deleted.entry(delete.key).or_default();
                *last = delete.tick.number().max(*last);
            }
        }
    }
    Ok(deleted)
}

/// What the files say.
fn kept(server: &Server, spec: &CollectionSpec) -> Result<Rows> {
    let deleted = deletes(server, spec)?;
    let primary = spec.schema.primary().context("a primary key")?;
    let mut rows = Rows::new();
    for segment in segments(server, "insert_log", spec.id)? {
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (mut times, mut keys) = (Vec::new(), Vec::new());
        for (id, folder) in numbered(&segment)? {
            let field = spec.schema.fields.iter().find(|field| field.id == id);
            let field = field.cloned().unwrap_or_else(|| dynamic_field(primary, id));
            for file in numbered(&folder)?.into_values() {
                let log = binlog::read_field(&read(&file)?)?;
                ensure!(log.descriptor.field == id, "{:?}", log.descriptor);
                match (id, &log.values) {
                    (ROW_ID, _) => continue,
                    (TIME, Values::Ints(values)) => times.extend(values.iter().copied()),
                    _ => columns
                        .entry(field.name.clone())
                        .or_default()
                        .extend(values(&field, &log)?),
                }
                if id != primary.id {
                    continue;
                }
                match &log.values {
                    Values::Ints(values) => keys.extend(values.iter().copied().map(Key::Int64)),
                    Values::Blobs(values) => {
                        for key in values.iter() {
                            keys.push(Key::VarChar(std::str::from_utf8(key)?.to_owned()));
                        }
                    }
                    other => anyhow::bail!("no keys: {other:?}"),
                }
            }
        }
        let counts = columns.values().map(Vec::len);
        ensure!(counts.clone().all(|count| count == keys.len()) && times.len() == keys.len());
        for (row, key) in keys.into_iter().enumerate() {
            let time = times[row].cast_unsigned();
            if deleted.get(&key).is_none_or(|deleted| *deleted <= time) {
                let values = columns
                    .iter()
                    .map(|(name, column)| (name.clone(), column[row].clone()));
                rows.insert(key, values.collect());
            }
        }
    }
    Ok(rows)
}

/// What a query answers.
async fn answered(client: &Client, spec: &CollectionSpec) -> Result<Rows> {
    let range = KeyRange::all();
    let read = RangeRead {
        collection: &spec.name.collection,
        partition: None,
        primary: spec.schema.primary().context("a primary key")?,
        fields: &spec.schema.stored_names(),
        range: &range,
        seen: client.read_point().await?,
    };
    let mut rows = Rows::new();
    for batch in client.query_parts(&read).await? {
        let keys = milvus::keys(&batch, &read.primary.name)?;
        rows.extend(keys.into_iter().zip(cells(&batch)?));
    }
    Ok(rows)
}

fn cells(batch: &Batch) -> Result<Vec<BTreeMap<String, String>>> {
    let mut rows = vec![BTreeMap::new(); batch.rows as usize];
    for column in &batch.columns {
        let reader = ColumnReader::new(column, batch.rows)?;
        for (place, row) in rows.iter_mut().enumerate() {
            row.insert(column.name.clone(), told(&reader.cell(place)?)?);
        }
    }
    Ok(rows)
}

/// Has a server write a collection to files, and holds them against its answers: how many rows and how many deleted keys there are.
async fn hold_against(
    server: &Server,
    client: &Client,
    spec: &CollectionSpec,
) -> Result<(usize, usize)> {
    let collection = &spec.name.collection;
    let flush = client.flush(collection).await?;
    client.wait_for_flush(collection, &flush, LIMIT).await?;
    let (kept, answered) = (kept(server, spec)?, answered(client, spec).await?);
    for (key, row) in &answered {
        let found = kept.get(key);
        let found = found.with_context(|| format!("{collection}: {key:?} is in no file"))?;
        assert_eq!(found, row, "{collection}: {key:?}");
    }
    assert_eq!(kept.len(), answered.len(), "{collection}: rows");
    Ok((kept.len(), deletes(server, spec)?.len()))
}

async fn hold_all_against(turn: &Turn) -> Result<()> {
    let client = turn.server.client().await?;
    let (mut types, mut compared) = (BTreeSet::new(), 0);
    for name in &turn.collections {
        let (database, collection) = name.split_once('.').context("database.collection")?;
        let client = client.in_database(database);
        let spec = client.describe_collection(collection).await?;
        if matches!(spec.load, LoadState::Loaded { .. }) {
            compared += hold_against(&turn.server, &client, &spec).await?.0;
            types.extend(spec.schema.fields.iter().map(|field| field.data_type));
        }
    }
    assert!(compared > 2000, "{compared} rows");
    assert!(types.len() >= 11, "{types:?}");
    Ok(())
}

#[test]
fn what_2_3_5_keeps_in_its_segments_is_what_it_answers() -> Result<()> {
    fleet::run(async { hold_all_against(&fleet::full().await?).await })
}

#[test]
fn what_2_2_16_keeps_in_its_segments_is_what_it_answers() -> Result<()> {
    fleet::run(async { hold_all_against(&fleet::full_old().await?).await })
}

#[test]
fn deletes_in_the_files_are_those_that_a_server_heeds() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let keys: Vec<Key> = (0..3000).map(Key::Int64).collect();
        let place = Place::make(server.uri(), "kept_in_files", KeyKind::Int64, 4).await?;
        place.insert(&keys, 1.0).await?;
        let (client, primary) = (&place.client, place.primary());
        client
            .delete(&place.name, None, primary, &keys[500..1500])
            .await?;
        // Some come back: their deletes are older than they are.
        place.insert(&keys[1000..1200], 2.0).await?;
        let spec = client.describe_collection(&place.name).await?;
        assert_eq!(hold_against(server, client, &spec).await?, (2200, 1000));
        place.drop().await
    })
}
