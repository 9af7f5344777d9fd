//! Deleting by key.

use super::Applied;
use crate::call::{Call, Kind as CallKind};
use crate::{Client, MilvusError, expression};
use model::{Field, Key};
use proto::milvus::service as wire;

/// What one expression may name: the server parses every key.
const MAX_KEYS: usize = 4_096;
const MAX_BYTES: usize = 1 << 20;

impl Client {
    /// Deletes the rows of these keys, in one partition or in all of them. A key that is not there is no error.
    ///
    /// Cancel safety: as [`Client::upsert`].
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn delete(
        &self,
        collection: &str,
        partition: Option<&str>,
        primary: &Field,
        keys: &[Key],
    ) -> Result<Applied, MilvusError> {
        let mut done = Applied::default();
        for some in portions(keys) {
            let call = Call::new("Delete", collection, CallKind::Write);
            let message = wire::DeleteRequest {
                db_name: self.db_name(),
                collection_name: collection.to_owned(),
                partition_name: partition.unwrap_or_default().to_owned(),
                expr: expression::one_of(self.dialect(), &primary.name, some),
            };
            let answer = self
                .call(
                    call,
                    message,
                    |mut stub, q| async move { stub.delete(q).await },
                )
                .await
                .map_err(|error| error.with_unknown_outcome(done.requests > 0))?;
            let rows = u64::try_from(answer.delete_cnt).unwrap_or_default();
            done.add(Applied {
                rows,
                timestamp: answer.timestamp,
                requests: 1,
            });
        }
        Ok(done)
    }
}

/// Keys in portions that one expression may name.
pub(crate) fn portions(keys: &[Key]) -> impl Iterator<Item = &[Key]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take(MAX_KEYS).take_while(|key| {
            bytes += key.size_bytes();
            bytes <= MAX_BYTES
        });
        let count = fitting.count().max(1).min(rest.len());
        let (some, left) = rest.split_at(count);
        rest = left;
        (!some.is_empty()).then_some(some)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_one_portion_and_no_portion_is_too_large() {
        let long = Key::VarChar("x".repeat(2 << 20));
        let mut keys: Vec<Key> = (0..10_000).map(Key::Int64).collect();
        keys.insert(5, long);
        let found: Vec<&[Key]> = portions(&keys).collect();
        assert_eq!(found.concat(), keys);
        assert!(found.iter().all(|some| some.len() <= MAX_KEYS));
        assert_eq!(found[1].len(), 1);
        assert_eq!(portions(&[]).count(), 0);
    }
}
