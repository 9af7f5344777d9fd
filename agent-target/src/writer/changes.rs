//! Changes of a collection that is followed, in a form that may be applied again.

use super::rows::RowWriter;
use milvus::{Kind, MilvusError, keys};
use model::{Batch, Class, Fault, codes};
use protocol::Verb;

/// How often a partition that is not found is seen to, before that is told.
const MOST_TRIES: u32 = 3;

impl RowWriter {
    /// Applies changes; Milvus has acknowledged them all when this succeeds. Done twice, it is as if done once.
    ///
    /// # Cancel safety
    /// When dropped, the outcome is unknown.
    pub(crate) async fn apply(
        &self,
        verb: Verb,
        partition: Option<&str>,
        batch: &Batch,
    ) -> Result<(), Fault> {
        let named = partition.unwrap_or_default();
        let applied = match verb {
            Verb::Upsert => self.upsert(partition, batch).await,
            Verb::Delete => return self.delete(partition, batch).await,
            Verb::CreatePartition => self.create_partition(named).await,
            // Dropped beside the changes that follow: see `drops`.
            Verb::DropPartition => Ok(()),
        };
        Ok(applied?)
    }

    /// Milvus's log does not tell of a new partition: the first rows in it do.
    async fn upsert(&self, partition: Option<&str>, batch: &Batch) -> Result<(), MilvusError> {
        let Some(primary) = self.primary.as_ref().filter(|_| batch.rows > 0) else {
            return Ok(());
        };
        let rows = self.rows(partition, batch);
        for _ in 0..MOST_TRIES {
            match (self.milvus.replace(&rows, primary).await, partition) {
                (Err(error), Some(partition)) if error.kind() == Kind::PartitionNotFound => {
                    if !self.uncover(partition).await? {
                        self.create_partition(partition).await?;
                    }
                }
                (replaced, _) => return replaced.map(|_| ()),
            }
        }
        self.ensure_no_partition(partition.unwrap_or_default())
            .await?;
        self.milvus.replace(&rows, primary).await.map(|_| ())
    }

    async fn delete(&self, partition: Option<&str>, batch: &Batch) -> Result<(), Fault> {
        let Some(primary) = &self.primary else {
            return Ok(());
        };
        let keys = keys(batch, &primary.name).map_err(|error| {
            let hint = "install the same release of Passage on both sides";
            let message = format!("collection {}: {error}", self.target);
            Fault::new(codes::PROTOCOL_VIOLATION, Class::Permanent, message, hint)
        })?;
        let collection = &self.target.collection;
        for _ in 0..MOST_TRIES {
            let delete = self.milvus.delete(collection, partition, primary, &keys);
            match (delete.await, partition) {
                (Err(error), Some(partition)) if error.kind() == Kind::PartitionNotFound => {
                    if !self.uncover(partition).await? {
                        // What is gone holds nothing to be deleted.
                        return Ok(());
                    }
                }
                (deleted, _) => return Ok(deleted.map(|_| ())?),
            }
        }
        Ok(self
            .ensure_no_partition(partition.unwrap_or_default())
            .await?)
    }

    /// Sees to it that a partition that was not found is found if it is there. Says whether it is.
    async fn uncover(&self, partition: &str) -> Result<bool, MilvusError> {
        let collection = &self.target.collection;
        let is_there = self.milvus.lists_partition(collection, partition).await?;
        if is_there {
            tracing::info!(collection = %self.target, partition, "the target lists a partition that it does not find: it is to read its list anew");
            self.milvus.renew_partitions(collection).await?;
        }
        Ok(is_there)
    }

    async fn ensure_no_partition(&self, partition: &str) -> Result<(), MilvusError> {
        let collection = &self.target.collection;
        self.milvus.ensure_no_partition(collection, partition).await
    }

    async fn create_partition(&self, partition: &str) -> Result<(), MilvusError> {
        let collection = &self.target.collection;
        match self.milvus.create_partition(collection, partition).await {
            Err(error) if error.kind() != Kind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}
