//! Changes of a collection that is followed, in a form that may be applied again.

use super::rows::RowWriter;
use milvus::{Kind, MilvusError, keys};
use model::{Batch, Class, Fault, codes};
use protocol::Verb;

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
            Verb::DropPartition => self.drop_partition(named).await,
        };
        Ok(applied?)
    }

    /// Milvus's log does not tell of a new partition: the first rows in it do.
    async fn upsert(&self, partition: Option<&str>, batch: &Batch) -> Result<(), MilvusError> {
        let Some(primary) = self.primary.as_ref().filter(|_| batch.rows > 0) else {
            return Ok(());
        };
        let rows = self.rows(partition, batch);
        match (self.milvus.replace(&rows, primary).await, partition) {
            (Err(error), Some(partition)) if error.kind() == Kind::PartitionNotFound => {
                self.create_partition(partition).await?;
                self.milvus.replace(&rows, primary).await
            }
            (replaced, _) => replaced,
        }
        .map(|_| ())
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
        match self
            .milvus
            .delete(collection, partition, primary, &keys)
            .await
        {
            // What is gone holds nothing to be deleted.
            Err(error) if error.kind() != Kind::PartitionNotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn create_partition(&self, partition: &str) -> Result<(), MilvusError> {
        let collection = &self.target.collection;
        match self.milvus.create_partition(collection, partition).await {
            Err(error) if error.kind() != Kind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    async fn drop_partition(&self, partition: &str) -> Result<(), MilvusError> {
        let collection = &self.target.collection;
        // A partition that is loaded can't be dropped; what keeps it from being released keeps it from being dropped, and says why.
        if let Err(error) = self.milvus.release_partition(collection, partition).await {
            tracing::debug!(%error, partition, "a partition is not released");
        }
        self.milvus.drop_partition(collection, partition).await
    }
}
