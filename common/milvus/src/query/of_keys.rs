//! Reading the rows of given keys.

use super::{RangeRead, answer, query_call};
use crate::expression;
use crate::mutate::portions;
use crate::retry::Patience;
use crate::{Client, MilvusError};
use model::{Batch, Key};

impl Client {
    /// Reads the rows that have one of these keys, in as many parts as it takes; the read's own range does not matter. A key that no
    /// row has is no error.
    ///
    /// Cancel safe: nothing is changed.
    ///
    /// # Errors
    /// As [`Client::query_range`].
    pub async fn query_keys(
        &self,
        read: &RangeRead<'_>,
        keys: &[Key],
    ) -> Result<Vec<Batch>, MilvusError> {
        let mut waiting: Vec<&[Key]> = portions(keys).collect();
        waiting.reverse();
        let mut parts = Vec::new();
        while let Some(some) = waiting.pop() {
            let these = expression::one_of(self.dialect(), &read.primary.name, some);
            let ask = || self.query_where(read, these.clone(), read.fields.to_vec(), Vec::new());
            match Patience::over_a_hiccup().retry(ask).await {
                Ok(found) => parts.push(answer::batch(query_call(read), read, found)?),
                Err(error) if error.is_too_large() && some.len() > 1 => {
                    let (lower, upper) = some.split_at(some.len() / 2);
                    waiting.extend([upper, lower]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(parts)
    }
}
