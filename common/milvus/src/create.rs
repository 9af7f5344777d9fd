//! Making and dropping databases, collections, partitions, indexes and aliases.
//!
//! Everything here may be done again: what is gone already counts as dropped, and what is there already is an error of kind
//! [`Kind::AlreadyExists`], or none where the server takes the same definition twice (Milvus does for collections, partitions
//! and indexes; Milvus Lite does not).

mod within;

use crate::call::{Answer, Call, Kind as CallKind};
use crate::client::Stub;
use crate::error::Kind;
use crate::{Client, MilvusError};
use bytes::Bytes;
use proto::milvus::common::{KeyValuePair, Status as Done};
use proto::milvus::service as wire;
use std::collections::BTreeMap;
use std::future::Future;
use tonic::{Request, Response, Status};

/// A collection to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCollection {
    /// The name; the same as in the schema.
    pub name: String,
    /// The serialized schema, as [`crate::schema::rewrite`] gives it.
    pub schema: Bytes,
    /// The number of shards; 0 leaves it to the server.
    pub shards: u32,
    /// Milvus's number of the consistency level.
    pub consistency_level: i32,
    /// The properties.
    pub properties: BTreeMap<String, String>,
    /// The number of partitions, where a partition key makes them; 0 leaves it to the server.
    pub key_partitions: u32,
}

impl Client {
    /// Makes a database.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::AlreadyExists`] when there is one of this name.
    pub async fn create_database(
        &self,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), MilvusError> {
        let properties = to_pairs(properties);
        let message = wire::CreateDatabaseRequest {
            db_name: name.to_owned(),
            properties,
        };
        let call = Call::new("CreateDatabase", name, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.create_database(q).await
        })
        .await
    }

    /// Drops an empty database.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn drop_database(&self, name: &str) -> Result<(), MilvusError> {
        let message = wire::DropDatabaseRequest {
            db_name: name.to_owned(),
        };
        let call = Call::new("DropDatabase", name, CallKind::Define);
        gone(
            self.define(call, message, |mut stub, q| async move {
                stub.drop_database(q).await
            })
            .await,
        )
    }

    /// Makes a collection in this client's database.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::AlreadyExists`] when there is another collection or an alias of this name.
    pub async fn create_collection(&self, new: &NewCollection) -> Result<(), MilvusError> {
        let message = wire::CreateCollectionRequest {
            db_name: self.db_name(),
            collection_name: new.name.clone(),
            schema: new.schema.clone(),
            shards_num: i32::try_from(new.shards).unwrap_or(i32::MAX),
            consistency_level: new.consistency_level,
            properties: to_pairs(&new.properties),
            num_partitions: i64::from(new.key_partitions),
        };
        let call = Call::new("CreateCollection", &new.name, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.create_collection(q).await
        })
        .await
    }

    /// Sets and removes properties of a collection.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn alter_collection(
        &self,
        collection: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), MilvusError> {
        let message = wire::AlterCollectionRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            properties: to_pairs(set),
            delete_keys: remove.to_vec(),
        };
        let call = Call::new("AlterCollection", collection, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.alter_collection(q).await
        })
        .await
    }

    /// Drops a collection with all its rows and its aliases. Left alone, an alias would keep newer versions from dropping the
    /// collection, and on 2.2 and 2.3 it would stay behind, naming nothing and not to be made again.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked; of kind [`Kind::Refused`] when the name is another collection's
    /// alias, which Milvus Lite would take for the collection itself.
    pub async fn drop_collection(&self, collection: &str) -> Result<(), MilvusError> {
        let call = Call::new("DropCollection", collection, CallKind::Define);
        let aliases = match self.list_aliases(collection).await {
            Ok((own_name, aliases)) if own_name == collection => aliases,
            Ok((own_name, _)) => {
                let text = format!("this is an alias of {own_name:?}");
                return Err(MilvusError::new(call, Kind::Refused, text));
            }
            Err(error) => return gone(Err(error)),
        };
        for alias in aliases {
            self.drop_alias(&alias).await?;
        }
        let (db_name, collection_name) = (self.db_name(), collection.to_owned());
        let message = wire::DropCollectionRequest {
            db_name,
            collection_name,
        };
        gone(
            self.define(call, message, |mut stub, q| async move {
                stub.drop_collection(q).await
            })
            .await,
        )
    }

    pub(crate) async fn define<Q, F, R>(
        &self,
        call: Call<'_>,
        message: Q,
        rpc: F,
    ) -> Result<(), MilvusError>
    where
        Done: Answer,
        F: FnOnce(Stub, Request<Q>) -> R,
        R: Future<Output = Result<Response<Done>, Status>>,
    {
        self.call(call, message, rpc).await.map(|_: Done| ())
    }
}

/// What is not there need not be dropped.
fn gone(dropped: Result<(), MilvusError>) -> Result<(), MilvusError> {
    match dropped {
        Err(error) if is_missing(error.kind()) => Ok(()),
        dropped => dropped,
    }
}

fn is_missing(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DatabaseNotFound
            | Kind::CollectionNotFound
            | Kind::PartitionNotFound
            | Kind::IndexNotFound
            | Kind::AliasNotFound
    )
}

pub(crate) fn to_pairs(settings: &BTreeMap<String, String>) -> Vec<KeyValuePair> {
    let pair = |(key, value): (&String, &String)| KeyValuePair {
        key: key.clone(),
        value: value.clone(),
    };
    settings.iter().map(pair).collect()
}
