//! Rows as they lie in the files of a collection's segments: no query is asked, and the collection need not be loaded.
//!
//! ```text
//! added    what rows have for fields that came after them
//! list     which segments there are, and their files
//! told     which files those are by the server's own word
//! grouped  rows in files of several fields
//! numbers  rows by the numbers that Milvus gave them
//! kept     files that the server removes none of while they are read
//! values   the values of some fields
//! log      the values of some rows, field by field
//! alive    which rows are there: not deleted, not expired, the newest of their key
//! borders  keys that divide all keys into ranges
//! proof    the digest of each of those ranges
//! shipped  what of a segment whose files go as they are is left out of its import
//! ```
//! Rows lie in no order of their keys. So what must know all keys reads the fields of keys and times alone, and what must know all rows
//! takes them segment by segment: memory holds few files at a time, and of all rows only what is small.

mod added;
mod alive;
mod borders;
mod grouped;
mod kept;
mod list;
mod log;
mod numbers;
mod proof;
mod shipped;
mod told;
mod values;

pub(crate) use alive::Alive;
pub(crate) use borders::Borders;
pub(crate) use kept::{how_kept, keep_files};
use list::deletes_folder;
pub(crate) use list::{GROUPED, LogFiles, folder, rows_folder, unread};
pub(crate) use log::{KeyLog, LogRows};
pub(crate) use numbers::{RowNumbers, ShippedRows};
pub(crate) use proof::{Proof, Proofs};
pub(crate) use shipped::{Fate, Replaced};
pub(crate) use told::how_listed;

use crate::agent::Agent;
use binlog::BinlogError;
use bytes::Bytes;
use model::schema::DYNAMIC_FIELD;
use model::{Class, CollectionName, CollectionSpec, DataType, Fault, Field, codes};
use std::collections::BTreeMap;
use storage::{Storage, StorageError, StorageKind};

/// The ids of the fields that Milvus adds to every collection: a number and a time for each row.
const ROW_ID: i64 = 0;
const TIME: i64 = 1;

/// The most bytes that a file may have. Milvus writes files of 16 MiB, and not much larger ones when it compacts.
const MOST_FILE_BYTES: u64 = 256 << 20;

/// The files of a collection's segments.
#[derive(Debug)]
pub(crate) struct Segments<'a> {
    agent: &'a Agent,
    storage: &'a Storage,
    source: &'a CollectionSpec,
    primary: &'a Field,
    /// The partitions' names.
    names: BTreeMap<i64, String>,
    /// The same; those that a partition key makes have none here, for rows in them are placed anew.
    partitions: BTreeMap<i64, Option<String>>,
    /// What is read of each row, in the order of a query's answer. The dynamic field's id is not described: it is the one that no
    /// other field has.
    fields: Vec<Field>,
}

impl<'a> Segments<'a> {
    /// Opens a collection.
    ///
    /// # Errors
    /// `segments_unreadable` where there is no storage, and Milvus's.
    pub(crate) async fn open(agent: &'a Agent, source: &'a CollectionSpec) -> Result<Self, Fault> {
        let storage = agent.storage.as_ref().ok_or_else(|| {
            let what = "the source's agent has no storage configured";
            unreadable(&source.name, what, "give it a `storage` section again")
        })?;
        let primary = source.schema.primary().ok_or_else(|| {
            let hint = "exclude the collection, or look for a newer release of Passage";
            unreadable(
                &source.name,
                "it has no primary key that is understood",
                hint,
            )
        })?;
        let milvus = agent.milvus.in_database(&source.name.database);
        let mut names = milvus.partition_ids(&source.name.collection).await?;
        let is_placed = source.schema.has_partition_key();
        // One that was made since has its rows in the log, and the target has no such partition yet.
        names.retain(|_, name| is_placed || source.partitions.contains(name));
        let named = |(id, name)| (id, (!is_placed).then_some(name));
        Ok(Self {
            agent,
            storage,
            source,
            primary,
            partitions: names.clone().into_iter().map(named).collect(),
            names: names.into_iter().collect(),
            fields: fields(source, primary),
        })
    }

    /// A file that was listed, whole.
    async fn read(&self, path: &str) -> Result<Bytes, Fault> {
        let read = self.storage.read(path, MOST_FILE_BYTES).await;
        read.map_err(|error| self.unread(error))
    }

    /// Why a file that was listed can't be read.
    fn unread(&self, error: StorageError) -> Fault {
        match error.kind() {
            StorageKind::Missing => vanished(&error.to_string()),
            _ => error.into(),
        }
    }

    /// The name of the primary key's field.
    pub(crate) fn primary_name(&self) -> &str {
        &self.primary.name
    }

    /// The names of the partitions that rows are read of; a single `None` where a partition key places them.
    pub(crate) fn partition_names(&self) -> Vec<Option<String>> {
        let mut names: Vec<_> = self.partitions.values().cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// The name of a partition, also of one that a partition key makes; `None` for one that is not there any more.
    pub(crate) fn name(&self, id: i64) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// The name of a partition, as it is told to the target with rows; `None` for one that is not there any more.
    pub(crate) fn partition(&self, id: i64) -> Option<&Option<String>> {
        self.partitions.get(&id)
    }
}

/// What is read of each row.
fn fields(source: &CollectionSpec, primary: &Field) -> Vec<Field> {
    let names = source.schema.stored_names();
    let found = names.iter().filter_map(|name| {
        if name == DYNAMIC_FIELD {
            return Some(Field {
                id: 0,
                name: DYNAMIC_FIELD.to_owned(),
                data_type: DataType::JSON,
                element_type: None,
                is_primary: false,
                auto_id: false,
                is_partition_key: false,
                is_dynamic: true,
                nullable: false,
                ..primary.clone()
            });
        }
        source.schema.field(name).cloned()
    });
    found.collect()
}

/// A file that was there when it was listed.
pub(crate) fn vanished(what: &str) -> Fault {
    let message = format!("{what}; it was there when it was listed");
    let hint = "Milvus has compacted its segment and removed it: the segments are listed again by themselves, nothing is lost. If it goes on, raise dataCoord.gc.dropTolerance";
    Fault::new(codes::STORAGE_MISSING, Class::Transient, message, hint)
}

/// A collection whose segments can't be read as its rows.
fn unreadable(collection: &CollectionName, what: &str, hint: &str) -> Fault {
    let message = format!("collection {collection}: {what}");
    Fault::new(codes::SEGMENTS_UNREADABLE, Class::Operator, message, hint)
}

/// A file that is not understood.
fn malformed(storage: &Storage, path: &str, error: &BinlogError) -> Fault {
    segment_malformed(format!("storage {}, {path:?}: {error}", storage.name()))
}

fn segment_malformed(message: String) -> Fault {
    let hint = "see whether Milvus itself can load the collection; with `copy: rows` it is asked for the rows instead";
    Fault::new(codes::SEGMENT_MALFORMED, Class::Operator, message, hint)
}
