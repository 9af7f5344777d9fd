//! What belongs to a collection: partitions, indexes, aliases.

use super::{gone, to_pairs};
use crate::call::{Call, Kind as CallKind};
use crate::error::Kind;
use crate::{Client, MilvusError};
use model::IndexSpec;
use proto::milvus::service as wire;
use std::collections::BTreeSet;

/// A partition that is made only to be dropped: see [`Client::renew_partitions`].
const OTHER_PARTITION: &str = "passage_other";

impl Client {
    /// Makes sure that a partition that a call did not find is not there.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::PartitionUnseen`] when the server lists it all the same: its rows must not be taken for gone.
    /// See [`Client::renew_partitions`].
    pub async fn ensure_no_partition(
        &self,
        collection: &str,
        partition: &str,
    ) -> Result<(), MilvusError> {
        if !self.lists_partition(collection, partition).await? {
            return Ok(());
        }
        let call = Call::new("ShowPartitions", collection, CallKind::Describe);
        let text = format!("partition {partition} is listed and not found");
        Err(MilvusError::new(call, Kind::PartitionUnseen, text))
    }

    /// Has the server read anew which partitions the collection has, by making another one and dropping it again.
    ///
    /// A proxy of Milvus 2.3 keeps that list, drops it before a partition is made, and reads it again with the next query. A query that
    /// comes between has it overlook the partition for good. Without a restart that moment is too short to be met; after a kill it lasts
    /// half a minute, for which the proxy of before is waited for (seen on 2.3.5). Describing, loading and altering the collection does
    /// not help.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::Unimplemented`] before 2.3, where nothing is made. After any other one, the partition
    /// `passage_other` may be left.
    pub async fn renew_partitions(&self, collection: &str) -> Result<(), MilvusError> {
        if !self.capabilities().release_partition {
            let call = Call::new("ReleasePartitions", collection, CallKind::Define);
            let text = "a partition can't be released by itself";
            return Err(MilvusError::new(call, Kind::Unimplemented, text));
        }
        if !self.lists_partition(collection, OTHER_PARTITION).await? {
            self.create_partition(collection, OTHER_PARTITION).await?;
        }
        let other = BTreeSet::from([OTHER_PARTITION.to_owned()]);
        self.drop_partitions(collection, &other).await
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
                    && self
                        .lists_partition(collection, partition)
                        .await
                        .unwrap_or_default() =>
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

    /// Whether the server lists such a partition.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn lists_partition(
        &self,
        collection: &str,
        partition: &str,
    ) -> Result<bool, MilvusError> {
        let names = self.list_partitions(collection).await?;
        Ok(names.iter().any(|name| name == partition))
    }

    /// Drops partitions, those that are there, with all their rows; whether or not they are loaded.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked: some may be dropped then.
    pub async fn drop_partitions(
        &self,
        collection: &str,
        partitions: &BTreeSet<String>,
    ) -> Result<(), MilvusError> {
        // One that is loaded can't be dropped; what keeps it from being released keeps it from being dropped, and says why.
        let released = self.release_partitions(collection, partitions).await;
        for partition in partitions {
            if released.is_err() {
                // One of the others may not be there.
                let alone = BTreeSet::from([partition.clone()]);
                if let Err(error) = self.release_partitions(collection, &alone).await {
                    tracing::debug!(%error, partition, "a partition is not released");
                }
            }
            self.drop_partition(collection, partition).await?;
        }
        Ok(())
    }

    async fn drop_partition(&self, collection: &str, partition: &str) -> Result<(), MilvusError> {
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
}
