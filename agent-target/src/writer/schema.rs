//! Definitions: databases, collections, partitions, indexes, load state, aliases, in the order that makes loading cheap.
//!
//! ```text
//!  check ─► begin ─► create: database, collection, partitions ─► (rows) ─► finish: flush, indexes, load ─► seal: aliases
//! ```
//! Each step may be taken again: what is there already is found, and left as it is.

use super::mapping::{self, Mapping};
use crate::records::{CollectionRecord, Step};
use milvus::{Client, Kind, MilvusError, NewCollection, SchemaChanges};
use model::job::OnConflict;
use model::{
    Class, CollectionName, CollectionSpec, Fault, Finding, JobSpec, LoadState, Severity, codes,
};
use protocol::call::CollectionPlan;
use std::time::Duration;
use uuid::Uuid;

/// How long one flush, one index build or one load may take before the job tells that it waits. It goes on waiting all the same.
pub(super) const PATIENCE: Duration = Duration::from_secs(3600);

/// The partition that every collection has.
const DEFAULT_PARTITION: &str = "_default";

/// Looks at what would become of a collection; whether the job leaves it out. `is_ours` says that the job has begun it already.
pub(crate) async fn check(
    milvus: &Client,
    spec: &JobSpec,
    plan: &CollectionPlan,
    is_ours: bool,
) -> Result<(Vec<Finding>, bool), Fault> {
    let Mapping { mut findings, .. } = mapping::map(milvus.capabilities(), spec, plan);
    let mut skip = false;
    if !is_ours && let Some(taken) = taken(milvus, &plan.target).await? {
        let subject = &plan.target;
        let find = |severity, text: &str| {
            Finding::new(
                severity,
                codes::NAME_TAKEN,
                subject,
                format!("the target has {taken} of this name already: {text}"),
            )
        };
        let is_alias = taken != "a collection";
        findings.push(match spec.on_conflict {
            OnConflict::Skip => {
                skip = true;
                find(Severity::Note, "this collection is left out")
            }
            OnConflict::Replace if !is_alias => find(Severity::Changed, "it is dropped with all its rows, and made anew"),
            OnConflict::Append if !is_alias => find(Severity::Changed, "rows are added to it; rows of the same keys are replaced"),
            _ => find(Severity::Blocked, "rename the collection under `rename` in the job file, or set `on_conflict` to skip, replace or append"),
        });
    }
    if skip {
        findings.retain(|finding| finding.code == codes::NAME_TAKEN);
    }
    Ok((findings, skip))
}

/// What stands under a name on the target.
async fn taken(milvus: &Client, name: &CollectionName) -> Result<Option<&'static str>, Fault> {
    if !milvus
        .databases()
        .await?
        .iter()
        .any(|database| database.name == name.database)
    {
        return Ok(None);
    }
    match milvus
        .in_database(&name.database)
        .describe_collection(&name.collection)
        .await
    {
        Ok(there) if there.name == *name => Ok(Some("a collection")),
        Ok(_) => Ok(Some("an alias")),
        Err(error) if error.kind() == Kind::CollectionNotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Decides on a collection, and makes room for it. From its record on, what is under its name is ours.
pub(crate) async fn begin(
    milvus: &Client,
    spec: &JobSpec,
    plan: CollectionPlan,
) -> Result<CollectionRecord, Fault> {
    let expected = mapping::map(milvus.capabilities(), spec, &plan).expected;
    let is_taken = taken(milvus, &plan.target).await?.is_some();
    match (is_taken, spec.on_conflict) {
        (false, _) | (true, OnConflict::Append) => {}
        (true, OnConflict::Replace) => drop_collection(milvus, &plan.target).await?,
        (true, OnConflict::Fail | OnConflict::Skip) => return Err(taken_meanwhile(&plan.target)),
    }
    let appended = is_taken && spec.on_conflict == OnConflict::Append;
    Ok(CollectionRecord {
        plan,
        expected,
        token: Uuid::now_v7(),
        step: Step::Begun,
        appended,
        loaded_to_verify: false,
        report: None,
    })
}

/// A collection can't be dropped while it has aliases.
async fn drop_collection(milvus: &Client, name: &CollectionName) -> Result<(), Fault> {
    let inside = milvus.in_database(&name.database);
    for alias in inside.describe_collection(&name.collection).await?.aliases {
        inside.drop_alias(&alias).await?;
    }
    Ok(inside.drop_collection(&name.collection).await?)
}

fn taken_meanwhile(name: &CollectionName) -> Fault {
    let message = format!("the target got a collection {name} after this job was checked");
    Fault::new(
        codes::NAME_TAKEN,
        Class::Permanent,
        message,
        "find out who made it; drop or rename it, and create the job anew",
    )
}

/// Creates the database, if it is not there. One at a time: some servers take two orders for one database badly (Lite does).
pub(crate) async fn create_database(
    milvus: &Client,
    record: &CollectionRecord,
) -> Result<(), Fault> {
    let name = &record.expected.name.database;
    let there = milvus.databases().await?;
    if there.iter().any(|database| database.name == *name) {
        return Ok(());
    }
    found(
        milvus
            .create_database(name, &record.plan.database.properties)
            .await,
    )
}

/// Creates the collection and its partitions, as far as they are not there.
pub(crate) async fn create(milvus: &Client, record: &CollectionRecord) -> Result<(), Fault> {
    let wanted = &record.expected;
    let inside = milvus.in_database(&wanted.name.database);
    if !record.appended {
        let is_there = taken(milvus, &wanted.name).await?.is_some();
        if !is_there {
            found(
                inside
                    .create_collection(&new_collection(milvus, record)?)
                    .await,
            )?;
        }
    }
    create_partitions(milvus, wanted).await
}

/// Creates the partitions that are not there, where they are addressed by name.
pub(crate) async fn create_partitions(
    milvus: &Client,
    wanted: &CollectionSpec,
) -> Result<(), Fault> {
    if wanted.schema.has_partition_key() {
        return Ok(());
    }
    let (inside, collection) = (
        milvus.in_database(&wanted.name.database),
        &wanted.name.collection,
    );
    let there = inside.list_partitions(collection).await?;
    let is_missing = |name: &&String| *name != DEFAULT_PARTITION && !there.contains(name);
    for partition in wanted.partitions.iter().filter(is_missing) {
        found(inside.create_partition(collection, partition).await)?;
    }
    Ok(())
}

/// Drops the partitions that are not among these, where they are addressed by name and the collection is this job's own.
pub(crate) async fn keep_partitions(
    milvus: &Client,
    record: &CollectionRecord,
    kept: &[String],
) -> Result<(), Fault> {
    if record.appended || record.expected.schema.has_partition_key() {
        return Ok(());
    }
    let name = &record.expected.name;
    let inside = milvus.in_database(&name.database);
    let mut others = inside.list_partitions(&name.collection).await?;
    others.retain(|partition| partition != DEFAULT_PARTITION && !kept.contains(partition));
    let others = others.into_iter().collect();
    Ok(inside.drop_partitions(&name.collection, &others).await?)
}

/// What is there already is as good as made.
pub(super) fn found(made: Result<(), MilvusError>) -> Result<(), Fault> {
    match made {
        Err(error) if error.kind() == Kind::AlreadyExists => Ok(()),
        made => Ok(made?),
    }
}

fn new_collection(milvus: &Client, record: &CollectionRecord) -> Result<NewCollection, Fault> {
    let (wanted, source) = (&record.expected, &record.plan.source);
    let keeps_attributes = milvus.capabilities().keeps_attributes;
    let changes = SchemaChanges {
        name: wanted.name.collection.clone(),
        without_auto_id: source.schema.has_auto_id() && !wanted.schema.has_auto_id(),
        without_clustering_key: false,
        without_descriptions: !keeps_attributes,
        without_properties: vec![],
        without_params: if keeps_attributes {
            vec![]
        } else {
            vec!["mmap.enabled".to_owned()]
        },
        without_functions: vec![],
    };
    let schema = milvus::schema::rewrite(&source.schema.raw, &changes).map_err(|error| {
        let message = format!(
            "the schema of collection {} can't be rewritten: {error}",
            source.name
        );
        Fault::new(
            codes::MILVUS_ANSWER,
            Class::Permanent,
            message,
            "report this as a defect of Passage",
        )
    })?;
    let key_partitions = if wanted.schema.has_partition_key() {
        wanted.partitions.len() as u32
    } else {
        0
    };
    Ok(NewCollection {
        name: wanted.name.collection.clone(),
        schema,
        shards: wanted.shards,
        consistency_level: wanted.consistency_level,
        properties: wanted.properties.clone(),
        key_partitions,
    })
}

/// Orders the indexes, flushes the rows, waits for both, loads.
pub(crate) async fn finish(milvus: &Client, record: &CollectionRecord) -> Result<(), Fault> {
    let wanted = &record.expected;
    let name = wanted.name.collection.as_str();
    let inside = milvus.in_database(&wanted.name.database);
    // Before the flush: of segments that were flushed a moment before their index was ordered, 2.3.5 builds some only when it
    // looks again, a minute later.
    let there = inside.list_indexes(name).await?;
    for index in wanted
        .indexes
        .iter()
        .filter(|index| !there.iter().any(|there| there.name == index.name))
    {
        found(inside.create_index(name, index).await)?;
    }
    let flush = inside.flush(name).await?;
    inside.wait_for_flush(name, &flush, PATIENCE).await?;
    if !wanted.indexes.is_empty() {
        inside.wait_for_indexes(name, PATIENCE, |_| ()).await?;
    }
    match wanted.load {
        LoadState::NotLoaded if record.appended => Ok(()),
        // Milvus Lite has a new collection loaded until it is told otherwise.
        LoadState::NotLoaded if inside.load_state(name).await? == LoadState::NotLoaded => Ok(()),
        LoadState::NotLoaded => Ok(inside.release(name).await?),
        LoadState::Loading => load(milvus, &wanted.name, 1).await,
        LoadState::Loaded { replicas } => load(milvus, &wanted.name, replicas).await,
    }
}

/// Loads a collection, and waits until it is.
pub(crate) async fn load(
    milvus: &Client,
    name: &CollectionName,
    replicas: u32,
) -> Result<(), Fault> {
    let inside = milvus.in_database(&name.database);
    inside.load(&name.collection, replicas).await?;
    Ok(inside
        .wait_for_load(&name.collection, PATIENCE, |_| ())
        .await?)
}

/// Sets the aliases.
pub(crate) async fn seal(milvus: &Client, record: &CollectionRecord) -> Result<(), Fault> {
    let wanted = &record.expected;
    let inside = milvus.in_database(&wanted.name.database);
    let there = inside
        .describe_collection(&wanted.name.collection)
        .await?
        .aliases;
    for alias in wanted.aliases.iter().filter(|alias| !there.contains(alias)) {
        inside.create_alias(&wanted.name.collection, alias).await?;
    }
    Ok(())
}

/// Whether a collection has every index that loading it needs.
pub(crate) fn is_loadable(spec: &CollectionSpec) -> bool {
    let vectors = || {
        spec.schema
            .fields
            .iter()
            .filter(|field| field.data_type.is_vector())
    };
    vectors().all(|field| spec.indexes.iter().any(|index| index.field == field.name))
}
