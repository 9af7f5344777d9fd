//! Changes of a collection that is followed, in a form that may be applied again.

use super::rows::RowWriter;
use super::schema;
use milvus::{Kind, MilvusError, keys};
use model::{Batch, Class, Fault, codes};
use protocol::Verb;

/// How often a partition is made for rows. A server that was killed while it made one may clear that away.
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
            Verb::DropPartition => {
                schema::drop_partition(&self.milvus, &self.target.collection, named).await
            }
        };
        Ok(applied?)
    }

    /// Milvus's log does not tell of a new partition: the first rows in it do.
    async fn upsert(&self, partition: Option<&str>, batch: &Batch) -> Result<(), MilvusError> {
        let Some(primary) = self.primary.as_ref().filter(|_| batch.rows > 0) else {
            return Ok(());
        };
        let rows = self.rows(partition, batch);
        let mut tries = 0;
        loop {
            match (self.milvus.replace(&rows, primary).await, partition) {
                (Err(error), Some(partition))
                    if error.kind() == Kind::PartitionNotFound && tries < MOST_TRIES =>
                {
                    if tries > 0 {
                        self.ensure_no_partition(partition).await?;
                    }
                    self.create_partition(partition).await?;
                    tries += 1;
                }
                (replaced, _) => return replaced.map(|_| ()),
            }
        }
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
        let deleted = self
            .milvus
            .delete(collection, partition, primary, &keys)
            .await;
        match (deleted, partition) {
            (Err(error), Some(partition)) if error.kind() == Kind::PartitionNotFound => {
                // What is gone holds nothing to be deleted.
                Ok(self.ensure_no_partition(partition).await?)
            }
            (deleted, _) => Ok(deleted.map(|_| ())?),
        }
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
