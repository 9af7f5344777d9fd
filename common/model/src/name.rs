//! The full name of a collection.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The database that exists on every Milvus.
pub const DEFAULT_DATABASE: &str = "default";

/// A collection and the database that it lives in. As text: `database.collection`, or `collection` alone for the database `default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct CollectionName {
    /// The database; `default` where the server knows no databases.
    pub database: String,
    /// The name inside the database.
    pub collection: String,
}

impl CollectionName {
    /// The collection of this name in this database.
    pub fn new(database: impl Into<String>, collection: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            collection: collection.into(),
        }
    }
}

impl From<String> for CollectionName {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for CollectionName {
    fn from(text: &str) -> Self {
        match text.split_once('.') {
            Some((database, collection)) => Self::new(database, collection),
            None => Self::new(DEFAULT_DATABASE, text),
        }
    }
}

impl From<CollectionName> for String {
    fn from(name: CollectionName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for CollectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.collection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_dot_means_the_default_database() {
        assert_eq!(
            CollectionName::from("docs"),
            CollectionName::new("default", "docs")
        );
        assert_eq!(CollectionName::from("sales.docs").to_string(), "sales.docs");
    }
}
