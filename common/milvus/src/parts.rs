//! Reading a range that one answer may not hold.

use crate::error::Kind;
use crate::query::RangeRead;
use crate::retry::Patience;
use crate::{Client, MilvusError};
use model::{Batch, KeyRange};

/// How many keys are looked at to split a range.
const KEYS_OF_SPLIT: u32 = 16_384;

impl Client {
    /// Reads every row of a range, in as many parts as it takes. Each part is what one answer holds; their ranges rise.
    ///
    /// Cancel safe: nothing is changed.
    ///
    /// # Errors
    /// As [`Client::query_range`]; of kind [`Kind::RowTooLarge`] when a single row is larger than an answer may be.
    pub async fn query_parts(&self, read: &RangeRead<'_>) -> Result<Vec<Batch>, MilvusError> {
        let mut parts = Vec::new();
        let mut waiting = vec![read.range.clone()];
        while let Some(range) = waiting.pop() {
            let part = RangeRead {
                range: &range,
                ..*read
            };
            match Patience::over_a_hiccup()
                .retry(|| self.query_range(&part))
                .await
            {
                Ok(batch) => parts.push(batch),
                // Milvus 2.2 with several shards does not refuse an answer beyond 100 MiB, but hangs.
                Err(error) if error.is_too_large() || error.kind() == Kind::Timeout => {
                    let (lower, upper) = self.split(&part, error).await?;
                    waiting.extend([upper, lower]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(parts)
    }

    /// Splits a range in the middle of its keys.
    async fn split(
        &self,
        read: &RangeRead<'_>,
        error: MilvusError,
    ) -> Result<(KeyRange, KeyRange), MilvusError> {
        let keys = self.border_keys(read, KEYS_OF_SPLIT).await?;
        match keys.as_slice() {
            [] | [_] if error.is_too_large() => Err(error.of_kind(Kind::RowTooLarge)),
            [] | [_] => Err(error),
            keys => Ok(read.range.split_at(keys[(keys.len() - 1) / 2].clone())),
        }
    }

    /// As [`Client::keys_after`], with fewer keys where so many are too large for an answer.
    ///
    /// Cancel safe: nothing is changed.
    ///
    /// # Errors
    /// As [`Client::keys_after`].
    pub async fn border_keys(
        &self,
        read: &RangeRead<'_>,
        limit: u32,
    ) -> Result<Vec<model::Key>, MilvusError> {
        let mut limit = limit;
        loop {
            match Patience::over_a_hiccup()
                .retry(|| self.keys_after(read, limit))
                .await
            {
                Err(error) if error.is_too_large() && limit > 1 => limit /= 2,
                outcome => return outcome,
            }
        }
    }
}
