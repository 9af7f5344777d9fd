//! What a verification found.

use crate::{CollectionName, Key, Verification};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds of difference between a source and its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The source has the row, the target lacks it.
    MissingRow,
    /// The target has the row, the source lacks it.
    ExtraRow,
    /// The target holds several rows of one primary key.
    DuplicateRow,
    /// The row is in another partition.
    WrongPartition,
    /// A value differs.
    Value,
    /// The schema differs.
    Schema,
    /// A partition is missing or too many.
    Partition,
    /// An index differs.
    Index,
    /// An alias is missing, too many, or elsewhere.
    Alias,
    /// A property differs.
    Property,
    /// The load state differs.
    LoadState,
    /// The collection is missing.
    Collection,
    /// The number of rows differs.
    Count,
    /// The rows could not be compared.
    NotCompared,
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingRow => "missing row",
            Self::ExtraRow => "extra row",
            Self::DuplicateRow => "duplicate row",
            Self::WrongPartition => "wrong partition",
            Self::Value => "value",
            Self::Schema => "schema",
            Self::Partition => "partition",
            Self::Index => "index",
            Self::Alias => "alias",
            Self::Property => "property",
            Self::LoadState => "load state",
            Self::Collection => "collection",
            Self::Count => "count",
            Self::NotCompared => "not compared",
        })
    }
}

/// One difference. It names the row by its key and the field by its name, and never shows a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The kind.
    pub kind: DifferenceKind,
    /// The partition, where rows are in named ones.
    pub partition: Option<String>,
    /// The row's primary key, where a row differs.
    pub key: Option<Key>,
    /// The field, index, alias or property that differs, where one does.
    pub field: Option<String>,
    /// More, in words; no row's value.
    pub detail: String,
}

/// What is known about one collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionReport {
    /// The source's name.
    pub source: CollectionName,
    /// The target's name.
    pub target: CollectionName,
    /// The outcome.
    pub outcome: Verification,
    /// Rows compared.
    pub rows: u64,
    /// Key ranges compared.
    pub ranges: u64,
    /// Rows on the source whose primary key another row has, too.
    pub source_duplicates: u64,
    /// The first such keys, at most [`CollectionReport::MAX_DUPLICATES`].
    pub source_duplicate_keys: Vec<Key>,
    /// The first differences, at most [`CollectionReport::MAX_NAMED`].
    pub differences: Vec<Difference>,
    /// How many differences there are in all.
    pub differences_total: u64,
}

impl CollectionReport {
    /// The most differences that are named for one collection; beyond, they are counted.
    pub const MAX_NAMED: usize = 1000;

    /// The most duplicate keys of the source that are named for one collection.
    pub const MAX_DUPLICATES: usize = 100;
}

/// What a verification found, collection by collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct VerifyReport {
    /// One entry for each collection, in the job's order.
    pub collections: Vec<CollectionReport>,
}

impl VerifyReport {
    /// Whether every collection was compared and found equal.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.collections
            .iter()
            .all(|collection| collection.outcome == Verification::Clean)
    }
}
