//! Rows as Milvus answers them to a query: works on every Milvus whose collection is loaded.
//!
//! All reads of a collection see the same point of the server's clock, the one at which reading began; the source is not written to
//! meanwhile.

use super::RowReader;
use crate::agent::Agent;
use milvus::{ColumnError, Kind, MilvusError, RangeRead, ReadPoint};
use model::{Batch, Class, CollectionSpec, Fault, Field, Key, KeyRange, Tick, codes};
use runtime::telemetry::metric_names::{READER_BYTES, READER_PAGE, READER_ROWS};
use std::time::Instant;

/// A collection of the source.
#[derive(Debug)]
pub(crate) struct MilvusRows<'a> {
    agent: &'a Agent,
    milvus: milvus::Client,
    collection: String,
    primary: Field,
    fields: Vec<String>,
    seen: ReadPoint,
    /// Known to hold no row; perhaps not even loadable.
    is_empty: bool,
    /// Written to meanwhile: a partition that is not there was dropped, and the log tells of it.
    is_live: bool,
}

impl<'a> MilvusRows<'a> {
    /// Opens a collection at the server's present time.
    pub(crate) async fn new(
        agent: &'a Agent,
        source: &CollectionSpec,
        is_empty: bool,
    ) -> Result<Self, Fault> {
        let primary = source
            .schema
            .primary()
            .cloned()
            .ok_or_else(|| no_primary(source))?;
        let milvus = agent.milvus.in_database(&source.name.database);
        let seen = milvus.read_point().await?;
        let collection = source.name.collection.clone();
        Ok(Self {
            agent,
            milvus,
            collection,
            primary,
            fields: source.schema.stored_names(),
            seen,
            is_empty,
            is_live: false,
        })
    }

    /// The same, of a collection that is written to meanwhile, if it is.
    pub(crate) fn live(self, is_live: bool) -> Self {
        Self { is_live, ..self }
    }

    /// The same, as it was at this time of the server's clock, which is in the past.
    pub(crate) fn seen_at(self, tick: Tick) -> Self {
        let seen = ReadPoint::AtLeast(tick.number());
        Self { seen, ..self }
    }

    /// What was read; nothing of a partition that was dropped while changes are followed.
    async fn unless_dropped<T: Default>(
        &self,
        partition: Option<&str>,
        read: Result<T, MilvusError>,
    ) -> Result<T, Fault> {
        match (read, partition) {
            (Err(error), Some(partition))
                if self.is_live && error.kind() == Kind::PartitionNotFound =>
            {
                let gone = self.milvus.ensure_no_partition(&self.collection, partition);
                gone.await?;
                Ok(T::default())
            }
            (read, _) => Ok(read?),
        }
    }

    fn read_of<'r>(&'r self, partition: Option<&'r str>, range: &'r KeyRange) -> RangeRead<'r> {
        let Self {
            collection,
            primary,
            fields,
            seen,
            ..
        } = self;
        RangeRead {
            collection,
            partition,
            primary,
            fields,
            range,
            seen: *seen,
        }
    }

    /// The name of the primary key's field.
    pub(crate) fn primary_name(&self) -> &str {
        &self.primary.name
    }

    /// The rows of these keys, as they are now; or, once nothing changes any more, as they were then.
    pub(crate) async fn read_keys(
        &self,
        partition: Option<&str>,
        keys: &[Key],
        fenced_at: Option<Tick>,
    ) -> Result<Vec<Batch>, Fault> {
        if self.is_empty {
            return Ok(vec![]);
        }
        let seen = match fenced_at {
            Some(tick) => ReadPoint::AtLeast(tick.number()),
            None => self.milvus.read_point().await?,
        };
        let range = KeyRange::all();
        let read = RangeRead {
            seen,
            ..self.read_of(partition, &range)
        };
        self.unless_dropped(partition, self.milvus.query_keys(&read, keys).await)
            .await
    }

    /// How many rows there are in a range, further rows of a key counted; `None` where the server can't count.
    pub(crate) async fn count(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
    ) -> Result<Option<u64>, Fault> {
        if self.is_empty {
            return Ok(Some(0));
        }
        Ok(self.milvus.count(&self.read_of(partition, range)).await?)
    }
}

impl RowReader for MilvusRows<'_> {
    async fn read(&self, partition: Option<&str>, range: &KeyRange) -> Result<Vec<Batch>, Fault> {
        if self.is_empty {
            return Ok(vec![Batch::default()]);
        }
        let begun = Instant::now();
        let read = self.read_of(partition, range);
        let parts = self.milvus.query_parts(&read).await;
        let mut parts = self.unless_dropped(partition, parts).await?;
        if parts.is_empty() {
            // A batch without a row is one nevertheless: somebody waits for it.
            parts.push(Batch::default());
        }
        metrics::histogram!(READER_PAGE).record(begun.elapsed());
        let (rows, bytes) = parts.iter().fold((0, 0), |sum, part| {
            (
                sum.0 + u64::from(part.rows),
                sum.1 + part.size_bytes() as u64,
            )
        });
        metrics::counter!(READER_ROWS).increment(rows);
        metrics::counter!(READER_BYTES).increment(bytes);
        self.agent.throttle(rows, bytes).await;
        Ok(parts)
    }

    async fn keys(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
        limit: u32,
    ) -> Result<Vec<Key>, Fault> {
        if self.is_empty {
            return Ok(vec![]);
        }
        let read = self.read_of(partition, range);
        self.unless_dropped(partition, self.milvus.border_keys(&read, limit).await)
            .await
    }
}

fn no_primary(source: &CollectionSpec) -> Fault {
    let message = format!(
        "collection {} has no primary key that this build understands",
        source.name
    );
    Fault::new(
        codes::TYPE_UNSUPPORTED,
        Class::Permanent,
        message,
        "exclude the collection, or look for a newer release of Passage",
    )
}

/// An answer's columns are not what Milvus would send.
pub(crate) fn malformed(error: &ColumnError) -> Fault {
    let hint = "report this as a defect of Passage, with Milvus's version";
    Fault::new(
        codes::MILVUS_ANSWER,
        Class::Permanent,
        error.to_string(),
        hint,
    )
}
