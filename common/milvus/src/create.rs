//! Making and dropping databases, collections, partitions, indexes and aliases.
//!
//! Everything here may be done again: what is gone already counts as dropped, and what is there already is an error of kind
//! [`Kind::AlreadyExists`], or none where the server takes the same definition twice (Milvus does for collections, partitions
//! and indexes; Milvus Lite does not).

use crate::call::{Answer, Call, Kind as CallKind};
use crate::client::Stub;
use crate::error::Kind;
use crate::{Client, MilvusError};
use bytes::Bytes;
use model::IndexSpec;
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

    /// Makes a partition.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::AlreadyExists`] on Milvus Lite when there is one of this name, and none elsewhere.
    pub async fn create_partition(
        &self,
        collection: &str,
        partition: &str,
    ) -> Result<(), MilvusError> {
        let message = wire::CreatePartitionRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            partition_name: partition.to_owned(),
        };
        let call = Call::new("CreatePartition", collection, CallKind::Define);
        let made = self
            .define(call, message, |mut stub, q| async move {
                stub.create_partition(q).await
            })
            .await;
        match made {
            // Lite's words for "there already" are the partition's name and nothing else.
            Err(error)
                if error.kind() == Kind::Refused
                    && self.has_partition(collection, partition).await =>
            {
                Err(MilvusError::new(
                    call,
                    Kind::AlreadyExists,
                    "there is such a partition",
                ))
            }
            made => made,
        }
    }

    async fn has_partition(&self, collection: &str, partition: &str) -> bool {
        let names = self.list_partitions(collection).await.unwrap_or_default();
        names.iter().any(|name| name == partition)
    }

    /// Drops a partition with all its rows.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn drop_partition(
        &self,
        collection: &str,
        partition: &str,
    ) -> Result<(), MilvusError> {
        let message = wire::DropPartitionRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            partition_name: partition.to_owned(),
        };
        let call = Call::new("DropPartition", collection, CallKind::Define);
        gone(
            self.define(call, message, |mut stub, q| async move {
                stub.drop_partition(q).await
            })
            .await,
        )
    }

    /// Orders an index. It is built in the background: see [`Client::wait_for_indexes`].
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::AlreadyExists`] when the field has another one, or (Lite) any.
    pub async fn create_index(
        &self,
        collection: &str,
        index: &IndexSpec,
    ) -> Result<(), MilvusError> {
        let message = wire::CreateIndexRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            field_name: index.field.clone(),
            extra_params: to_pairs(&index.params),
            index_name: index.name.clone(),
        };
        let call = Call::new("CreateIndex", collection, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.create_index(q).await
        })
        .await
    }

    /// Drops an index; the collection must not be loaded.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn drop_index(&self, collection: &str, index: &IndexSpec) -> Result<(), MilvusError> {
        let message = wire::DropIndexRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            field_name: index.field.clone(),
            index_name: index.name.clone(),
        };
        let call = Call::new("DropIndex", collection, CallKind::Define);
        gone(
            self.define(call, message, |mut stub, q| async move {
                stub.drop_index(q).await
            })
            .await,
        )
    }

    /// Gives a collection another name.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::AlreadyExists`] when a collection has this name. Some versions (2.2, 2.3) silently take an
    /// alias that is there already, if it is the same collection's.
    pub async fn create_alias(&self, collection: &str, alias: &str) -> Result<(), MilvusError> {
        let message = wire::CreateAliasRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            alias: alias.to_owned(),
        };
        let call = Call::new("CreateAlias", alias, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.create_alias(q).await
        })
        .await
    }

    /// Makes an alias mean another collection. Not on Zilliz Cloud, where it must be dropped and made again.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn alter_alias(&self, collection: &str, alias: &str) -> Result<(), MilvusError> {
        let message = wire::AlterAliasRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            alias: alias.to_owned(),
        };
        let call = Call::new("AlterAlias", alias, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.alter_alias(q).await
        })
        .await
    }

    /// Drops an alias.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn drop_alias(&self, alias: &str) -> Result<(), MilvusError> {
        let message = wire::DropAliasRequest {
            db_name: self.db_name(),
            alias: alias.to_owned(),
        };
        let call = Call::new("DropAlias", alias, CallKind::Define);
        gone(
            self.define(call, message, |mut stub, q| async move {
                stub.drop_alias(q).await
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

fn to_pairs(settings: &BTreeMap<String, String>) -> Vec<KeyValuePair> {
    let pair = |(key, value): (&String, &String)| KeyValuePair {
        key: key.clone(),
        value: value.clone(),
    };
    settings.iter().map(pair).collect()
}
