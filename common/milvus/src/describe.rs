//! What there is on a Milvus: databases, collections, and everything that makes a collection what it is.

use crate::call::{Call, Kind as CallKind};
use crate::error::{Kind, classify};
use crate::schema::{self, pairs};
use crate::{Client, MilvusError};
use model::name::DEFAULT_DATABASE;
use model::{CollectionName, CollectionSpec, DatabaseSpec, IndexSpec, LoadState};
use proto::milvus::service as wire;
use std::collections::{BTreeMap, BTreeSet};

impl Client {
    /// The names of the databases, sorted; the default one alone where the server knows none (before 2.2.9).
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn list_databases(&self) -> Result<Vec<String>, MilvusError> {
        let call = Call::new("ListDatabases", "", CallKind::Describe);
        let message = wire::ListDatabasesRequest {};
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.list_databases(q).await
        });
        let mut names = answer.await?.db_names;
        names.sort_unstable();
        Ok(names)
    }

    /// The databases with their properties, by name. Properties are empty where the server can't tell them (before 2.4.3).
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn databases(&self) -> Result<Vec<DatabaseSpec>, MilvusError> {
        if !self.capabilities().databases {
            let name = DEFAULT_DATABASE.to_owned();
            return Ok(vec![DatabaseSpec {
                name,
                properties: Default::default(),
            }]);
        }
        let mut databases = Vec::new();
        for name in self.list_databases().await? {
            databases.push(self.describe_database(&name).await?);
        }
        Ok(databases)
    }

    /// A database with its properties.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn describe_database(&self, name: &str) -> Result<DatabaseSpec, MilvusError> {
        let mut spec = DatabaseSpec {
            name: name.to_owned(),
            properties: Default::default(),
        };
        if self.capabilities().describe_database {
            let call = Call::new("DescribeDatabase", name, CallKind::Describe);
            let message = wire::DescribeDatabaseRequest {
                db_name: name.to_owned(),
            };
            let client = self.in_database(name);
            let answer = client.call(call, message, |mut stub, q| async move {
                stub.describe_database(q).await
            });
            spec.properties = pairs(answer.await?.properties);
        }
        Ok(spec)
    }

    /// The names of this database's collections, sorted. A user without rights may be shown fewer than there are.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked; of kind [`Kind::DatabaseNotFound`] without the database.
    pub async fn list_collections(&self) -> Result<Vec<String>, MilvusError> {
        let call = Call::new("ShowCollections", self.database(), CallKind::Describe);
        let message = wire::ShowCollectionsRequest {
            db_name: self.db_name(),
        };
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.show_collections(q).await
        });
        let mut names = answer.await?.collection_names;
        names.sort_unstable();
        Ok(names)
    }

    /// Everything about a collection but its rows. Asked by an alias, it answers under the collection's own name. The parts are
    /// asked for one after the other: a change in between may show in some of them only.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked; of kind [`Kind::CollectionNotFound`] without the collection (2.2
    /// and 2.3 say so too when it is the database that is missing).
    pub async fn describe_collection(&self, name: &str) -> Result<CollectionSpec, MilvusError> {
        let (answer, own_name) = self.describe(name).await?;
        let call = Call::new("DescribeCollection", name, CallKind::Describe);
        let schema = schema::decode(&answer.schema)
            .map_err(|error| classify::answer(call, error.to_string()))?;
        Ok(CollectionSpec {
            id: answer.collection_id,
            schema,
            shards: u32::try_from(answer.shards_num).unwrap_or(0),
            channels: answer.virtual_channel_names,
            consistency_level: answer.consistency_level,
            properties: pairs(answer.properties),
            partitions: self.list_partitions(&own_name).await?,
            indexes: self.list_indexes(&own_name).await?,
            aliases: self.aliases(&own_name, answer.aliases).await?,
            load: self.load_state(&own_name).await?,
            name: CollectionName::new(self.database(), own_name),
        })
    }

    /// A description, and the collection's own name: the one in its schema, because some versions answer under the name asked for.
    async fn describe(
        &self,
        name: &str,
    ) -> Result<(wire::DescribeCollectionResponse, String), MilvusError> {
        let call = Call::new("DescribeCollection", name, CallKind::Describe);
        let message = wire::DescribeCollectionRequest {
            db_name: self.db_name(),
            collection_name: name.to_owned(),
        };
        let answer = self
            .call(call, message, |mut stub, q| async move {
                stub.describe_collection(q).await
            })
            .await?;
        let own_name = schema::name_of(&answer.schema)
            .map_err(|error| classify::answer(call, error.to_string()))?;
        Ok((answer, own_name))
    }

    /// A collection's own name and its aliases, sorted; it may be asked for by one of them.
    ///
    /// # Errors
    /// As [`Client::describe_collection`].
    pub async fn list_aliases(&self, name: &str) -> Result<(String, Vec<String>), MilvusError> {
        let (answer, own_name) = self.describe(name).await?;
        let aliases = self.aliases(&own_name, answer.aliases).await?;
        Ok((own_name, aliases))
    }

    /// The names of a collection's partitions, sorted.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn list_partitions(&self, collection: &str) -> Result<Vec<String>, MilvusError> {
        let mut names = self.show_partitions(collection).await?.partition_names;
        names.sort_unstable();
        Ok(names)
    }

    /// The names of a collection's partitions by their ids.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn partition_ids(
        &self,
        collection: &str,
    ) -> Result<BTreeMap<i64, String>, MilvusError> {
        let answer = self.show_partitions(collection).await?;
        Ok(answer
            .partition_ids
            .into_iter()
            .zip(answer.partition_names)
            .collect())
    }

    async fn show_partitions(
        &self,
        collection: &str,
    ) -> Result<wire::ShowPartitionsResponse, MilvusError> {
        let call = Call::new("ShowPartitions", collection, CallKind::Describe);
        let message = wire::ShowPartitionsRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
        };
        self.call(call, message, |mut stub, q| async move {
            stub.show_partitions(q).await
        })
        .await
    }

    /// A collection's indexes, sorted by name.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn list_indexes(&self, collection: &str) -> Result<Vec<IndexSpec>, MilvusError> {
        let described = self.describe_indexes(collection).await?;
        let spec = |index: wire::IndexDescription| IndexSpec {
            name: index.index_name,
            field: index.field_name,
            params: pairs(index.params),
        };
        let mut indexes: Vec<IndexSpec> = described.into_iter().map(spec).collect();
        indexes.sort_by(|a, b| (&a.name, &a.field).cmp(&(&b.name, &b.field)));
        Ok(indexes)
    }

    /// Having no index is an error for Milvus, but not for us.
    pub(crate) async fn describe_indexes(
        &self,
        collection: &str,
    ) -> Result<Vec<wire::IndexDescription>, MilvusError> {
        let call = Call::new("DescribeIndex", collection, CallKind::Describe);
        let message = wire::DescribeIndexRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
        };
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.describe_index(q).await
        });
        match answer.await {
            Ok(answer) => Ok(answer.index_descriptions),
            Err(error) if error.kind() == Kind::IndexNotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn aliases(
        &self,
        collection: &str,
        described: Vec<String>,
    ) -> Result<Vec<String>, MilvusError> {
        let mut aliases: BTreeSet<String> = described.into_iter().collect();
        if self.capabilities().list_aliases {
            let call = Call::new("ListAliases", collection, CallKind::Describe);
            let message = wire::ListAliasesRequest {
                db_name: self.db_name(),
                collection_name: collection.to_owned(),
            };
            let answer = self.call(call, message, |mut stub, q| async move {
                stub.list_aliases(q).await
            });
            aliases.extend(answer.await?.aliases);
        }
        Ok(aliases.into_iter().collect())
    }

    /// Whether a collection is loaded.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn load_state(&self, collection: &str) -> Result<LoadState, MilvusError> {
        let call = Call::new("GetLoadState", collection, CallKind::Describe);
        let message = wire::GetLoadStateRequest {
            collection_name: collection.to_owned(),
            db_name: self.db_name(),
        };
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.get_load_state(q).await
        });
        match answer.await?.state {
            0 => Err(MilvusError::new(
                call,
                Kind::CollectionNotFound,
                "no such collection",
            )),
            1 => Ok(LoadState::NotLoaded),
            2 => Ok(LoadState::Loading),
            _ => Ok(LoadState::Loaded {
                replicas: self.replicas(collection).await?,
            }),
        }
    }

    /// The number of replicas in memory; 0 where the server can't tell it.
    async fn replicas(&self, collection: &str) -> Result<u32, MilvusError> {
        if !self.capabilities().replicas {
            return Ok(0);
        }
        let call = Call::new("GetReplicas", collection, CallKind::Describe);
        let message = wire::GetReplicasRequest {
            collection_name: collection.to_owned(),
            db_name: self.db_name(),
            collection_id: 0,
        };
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.get_replicas(q).await
        });
        match answer.await {
            Ok(answer) => Ok(u32::try_from(answer.replicas.len()).unwrap_or(0)),
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::Unimplemented) => Ok(0),
            Err(error) => Err(error),
        }
    }
}
