//! Reading rows: those of a range of keys, the keys alone, or their number.
//!
//! A range is read without a limit: the server answers every row in it, in whatever order, so that nothing depends on the order
//! of an answer. How large an answer gets is governed by the borders of the ranges. An answer beyond the server's limit is an
//! error ([`crate::Kind::TooLarge`]), never a shortened answer; the caller splits the range and reads again. Seen on 2.3.5
//! (64 MiB of message, 100 MiB of output of a shard), 2.2.16 (the same; but with several shards it does not answer at all beyond
//! the second limit, so that the call ends by its own limit in time) and Lite 3.2.2 (no limit but ours of 256 MiB).

mod answer;
mod of_keys;

use crate::call::{Call, Kind as CallKind};
use crate::error::classify;
use crate::expression::{self, KeyType};
use crate::{Client, MilvusError, columns};
use model::{Batch, DataType, Field, Key, KeyRange};
use proto::milvus::common::KeyValuePair;
use proto::milvus::service as wire;

/// The most rows that Milvus answers to a query with a limit.
const MAX_LIMIT: u32 = 16_384;
const CONSISTENCY_STRONG: i32 = 0;
const CONSISTENCY_EVENTUALLY: i32 = 3;
const CONSISTENCY_CUSTOMIZED: i32 = 4;
/// What Milvus takes for "any time will do".
const ANY_TIME: u64 = 1;

/// Which writes a read must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadPoint {
    /// All that were done before the read began. Each such read waits for the server's next tick, some 200 ms.
    Latest,
    /// All that were done before this time of the server's clock. Waits only while the server has not come so far.
    AtLeast(u64),
    /// Whatever the server has at hand.
    Any,
}

/// Which rows to read, and what of them.
#[derive(Debug, Clone, Copy)]
pub struct RangeRead<'a> {
    /// The collection.
    pub collection: &'a str,
    /// The partition; `None` for all of them, and always `None` where a partition key places the rows. Milvus Lite answers no
    /// rows for a partition that it does not have, where others refuse.
    pub partition: Option<&'a str>,
    /// The field of the primary key.
    pub primary: &'a Field,
    /// The names of the fields to answer, out of [`model::Schema::stored_names`]. The primary key is answered in any case.
    pub fields: &'a [String],
    /// The keys.
    pub range: &'a KeyRange,
    /// Which writes must be seen.
    pub seen: ReadPoint,
}

impl Client {
    /// The server's clock now; `None` where the server does not tell it (Lite; before 2.2.13).
    ///
    /// # Errors
    /// [`MilvusError`] when the server can't be asked.
    pub async fn alloc_timestamp(&self) -> Result<Option<u64>, MilvusError> {
        if !self.capabilities().alloc_timestamp {
            return Ok(None);
        }
        let call = Call::new("AllocTimestamp", "", CallKind::Describe);
        let message = wire::AllocTimestampRequest {};
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.alloc_timestamp(q).await
        });
        Ok(Some(answer.await?.timestamp))
    }

    /// The point from which on reads see every write that is done by now. Take it once and use it for many reads: only the first
    /// of them can have to wait.
    ///
    /// # Errors
    /// [`MilvusError`] when the server can't be asked.
    pub async fn read_point(&self) -> Result<ReadPoint, MilvusError> {
        Ok(self
            .alloc_timestamp()
            .await?
            .map_or(ReadPoint::Latest, ReadPoint::AtLeast))
    }

    /// Reads every row of a range. The columns stay encoded; they come in the order of the names asked for.
    ///
    /// Cancel safe: nothing is changed.
    ///
    /// # Errors
    /// [`MilvusError`]: of kind [`Kind::TooLarge`](crate::Kind) when the range must be split, [`Kind::NotLoaded`](crate::Kind) when the collection must be
    /// loaded first, [`Kind::Answer`](crate::Kind) when a field is missing from the answer.
    pub async fn query_range(&self, read: &RangeRead<'_>) -> Result<Batch, MilvusError> {
        let answer = self.query(read, read.fields.to_vec(), Vec::new()).await?;
        answer::batch(query_call(read), read, answer)
    }

    /// Up to `limit` keys of a range, sorted: the least ones on a server that keeps its order (2.3 and later, and Lite), any ones
    /// on others. Good for finding borders; nothing may depend on their being complete. At most 16384 are answered.
    ///
    /// Cancel safe: nothing is changed.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn keys_after(
        &self,
        read: &RangeRead<'_>,
        limit: u32,
    ) -> Result<Vec<Key>, MilvusError> {
        let mut params = vec![("limit", limit.clamp(1, MAX_LIMIT).to_string())];
        if self.capabilities().ordered_query {
            params.push(("iterator", "True".to_owned()));
            params.push(("reduce_stop_for_best", "True".to_owned()));
        }
        let names = vec![read.primary.name.clone()];
        let answer = self.query(read, names.clone(), params).await?;
        let call = query_call(read);
        let batch = answer::batch(
            call,
            &RangeRead {
                fields: &names,
                ..*read
            },
            answer,
        )?;
        let mut keys = columns::keys(&batch, &read.primary.name)
            .map_err(|error| classify::answer(call, error.to_string()))?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// How many rows a range has, rows of the same key counted each; `None` where the server can't count (before 2.3).
    ///
    /// Cancel safe: nothing is changed.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn count(&self, read: &RangeRead<'_>) -> Result<Option<u64>, MilvusError> {
        if !self.capabilities().count {
            return Ok(None);
        }
        let answer = self
            .query(read, vec!["count(*)".to_owned()], Vec::new())
            .await?;
        answer::count(query_call(read), answer).map(Some)
    }

    /// Whether there is a row with this key; the read's own range does not matter.
    ///
    /// Cancel safe: nothing is changed.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn has_key(&self, read: &RangeRead<'_>, key: &Key) -> Result<bool, MilvusError> {
        let names = vec![read.primary.name.clone()];
        let this_key = expression::one_of(self.dialect(), &read.primary.name, [key]);
        let answer = self
            .query_where(read, this_key, names.clone(), Vec::new())
            .await?;
        let asked = RangeRead {
            fields: &names,
            ..*read
        };
        Ok(answer::batch(query_call(read), &asked, answer)?.rows > 0)
    }

    /// Roughly how many rows a collection has: those in flushed segments, deleted ones perhaps included.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn count_flushed(&self, collection: &str) -> Result<u64, MilvusError> {
        let call = Call::new("GetCollectionStatistics", collection, CallKind::Describe);
        let message = wire::GetCollectionStatisticsRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
        };
        let answer = self
            .call(call, message, |mut stub, q| async move {
                stub.get_collection_statistics(q).await
            })
            .await?;
        let rows = answer.stats.iter().find(|stat| stat.key == "row_count");
        rows.and_then(|stat| stat.value.parse().ok())
            .ok_or_else(|| classify::answer(call, "the statistics have no row_count"))
    }

    async fn query(
        &self,
        read: &RangeRead<'_>,
        output_fields: Vec<String>,
        params: Vec<(&str, String)>,
    ) -> Result<wire::QueryResults, MilvusError> {
        self.query_where(read, self.expression(read), output_fields, params)
            .await
    }

    async fn query_where(
        &self,
        read: &RangeRead<'_>,
        expr: String,
        output_fields: Vec<String>,
        params: Vec<(&str, String)>,
    ) -> Result<wire::QueryResults, MilvusError> {
        let (consistency_level, guarantee_timestamp) = match read.seen {
            ReadPoint::Latest => (CONSISTENCY_STRONG, 0),
            ReadPoint::AtLeast(timestamp) => (CONSISTENCY_CUSTOMIZED, timestamp),
            ReadPoint::Any => (CONSISTENCY_EVENTUALLY, ANY_TIME),
        };
        let pair = |(key, value): (&str, String)| KeyValuePair {
            key: key.to_owned(),
            value,
        };
        let message = wire::QueryRequest {
            db_name: self.db_name(),
            collection_name: read.collection.to_owned(),
            expr,
            output_fields,
            partition_names: read.partition.map(str::to_owned).into_iter().collect(),
            guarantee_timestamp,
            query_params: params.into_iter().map(pair).collect(),
            consistency_level,
            use_default_consistency: false,
        };
        self.call(query_call(read), message, |mut stub, q| async move {
            stub.query(q).await
        })
        .await
    }

    fn expression(&self, read: &RangeRead<'_>) -> String {
        let key_type = match read.primary.data_type {
            DataType::INT64 => KeyType::Int64,
            _ => KeyType::VarChar,
        };
        expression::in_range(self.dialect(), &read.primary.name, key_type, read.range)
    }
}

fn query_call<'a>(read: &RangeRead<'a>) -> Call<'a> {
    Call::new("Query", read.collection, CallKind::Read)
}
