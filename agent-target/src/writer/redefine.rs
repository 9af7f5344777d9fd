//! Indexes and properties that were altered on the source while its changes were followed.

use super::schema::{self, PATIENCE};
use crate::records::CollectionRecord;
use milvus::{Client, Kind};
use model::{CollectionSpec, Fault, IndexSpec, LoadState};
use std::collections::BTreeMap;

/// Makes the actual definition the wanted one, as far as it can be altered; both as they can be compared. A collection that was there
/// before the job stays as it is.
pub(crate) async fn redefine(
    milvus: &Client,
    record: &CollectionRecord,
    wanted: &CollectionSpec,
    actual: &CollectionSpec,
) -> Result<(), Fault> {
    if record.appended {
        return Ok(());
    }
    let name = &record.expected.name;
    let milvus = milvus.in_database(&name.database);
    properties(&milvus, wanted, actual).await?;
    indexes(&milvus, record, wanted, actual).await
}

async fn properties(
    milvus: &Client,
    wanted: &CollectionSpec,
    actual: &CollectionSpec,
) -> Result<(), Fault> {
    let set: BTreeMap<String, String> = wanted
        .properties
        .iter()
        .filter(|(name, value)| actual.properties.get(*name) != Some(*value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let is_old = |name: &&String| !wanted.properties.contains_key(*name);
    let remove: Vec<String> = actual.properties.keys().filter(is_old).cloned().collect();
    if set.is_empty() && remove.is_empty() {
        return Ok(());
    }
    let collection = &actual.name.collection;
    match milvus.alter_collection(collection, &set, &remove).await {
        // The comparison of the definitions names what is missing.
        Err(error) if error.kind() == Kind::Unimplemented => Ok(()),
        altered => Ok(altered?),
    }
}

async fn indexes(
    milvus: &Client,
    record: &CollectionRecord,
    wanted: &CollectionSpec,
    actual: &CollectionSpec,
) -> Result<(), Fault> {
    let is_among = |index: &IndexSpec, others: &[IndexSpec]| {
        let mut others = others.iter();
        others.any(|other| {
            (&other.name, &other.field, &other.params) == (&index.name, &index.field, &index.params)
        })
    };
    let stale = || {
        actual
            .indexes
            .iter()
            .filter(|index| !is_among(index, &wanted.indexes))
    };
    // Ordered as they were defined, not as they can be compared.
    let defined = record.expected.indexes.iter().zip(&wanted.indexes);
    let missing: Vec<&IndexSpec> = defined
        .filter(|(_, wanted)| !is_among(wanted, &actual.indexes))
        .map(|(defined, _)| defined)
        .collect();
    if stale().next().is_none() && missing.is_empty() {
        return Ok(());
    }
    let name = &record.expected.name;
    let is_released = stale().next().is_some() && actual.load != LoadState::NotLoaded;
    if is_released {
        milvus.release(&name.collection).await?;
    }
    for index in stale() {
        milvus.drop_index(&name.collection, index).await?;
    }
    for index in missing {
        schema::found(milvus.create_index(&name.collection, index).await)?;
    }
    milvus
        .wait_for_indexes(&name.collection, PATIENCE, |_| ())
        .await?;
    let replicas = match actual.load {
        LoadState::Loaded { replicas } => replicas.max(1),
        _ => 1,
    };
    // It may have been released for want of an index that is there again.
    let is_to_be_loaded = is_released || record.expected.load != LoadState::NotLoaded;
    if is_to_be_loaded && schema::is_loadable(&record.expected) {
        schema::load(milvus, name, replicas).await?;
    }
    Ok(())
}
