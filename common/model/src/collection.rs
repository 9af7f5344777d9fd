//! Everything that makes a collection what it is, apart from its rows.

use crate::{CollectionName, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSpec {
    /// The name.
    pub name: String,
    /// The properties; empty where the server can't tell them (before 2.4.3).
    pub properties: BTreeMap<String, String>,
}

/// An index of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSpec {
    /// The name of the index.
    pub name: String,
    /// The field that it is of.
    pub field: String,
    /// The parameters: `index_type`, `metric_type`, `params` and so on, as the server gave them.
    pub params: BTreeMap<String, String>,
}

/// Another name for a collection.
pub type Alias = String;

/// Whether a collection is in memory, ready to be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadState {
    /// Not in memory.
    NotLoaded,
    /// On the way into memory.
    Loading,
    /// In memory, so many times.
    Loaded {
        /// The number of replicas; 0 where the server can't tell it.
        replicas: u32,
    },
}

/// A collection, apart from its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionSpec {
    /// The name.
    pub name: CollectionName,
    /// The server's id; another id under the same name is another collection.
    pub id: i64,
    /// What its rows look like.
    pub schema: Schema,
    /// The number of shards.
    pub shards: u32,
    /// The virtual channels in whose topics its changes are logged, one for each shard; none on a server without a log (Lite).
    pub channels: Vec<String>,
    /// Milvus's number of the consistency level: Strong 0, Session 1, Bounded 2, Eventually 3, Customized 4.
    pub consistency_level: i32,
    /// The properties.
    pub properties: BTreeMap<String, String>,
    /// The partitions, sorted; those that a partition key makes, too.
    pub partitions: Vec<String>,
    /// The indexes, sorted by name.
    pub indexes: Vec<IndexSpec>,
    /// The aliases, sorted.
    pub aliases: Vec<Alias>,
    /// Whether it is loaded.
    pub load: LoadState,
}
