//! Reading the source: rows in key ranges, the borders of those ranges, and changes from the log.
//!
//! The reader knows nothing of the link; what it reads is handed on by [`crate::job`].

pub(crate) mod changes;
pub(crate) mod divide;
pub(crate) mod rows;
pub(crate) mod segments;

use model::{Batch, Fault, Key, KeyRange};
use std::future::Future;

/// A way to read a collection's rows.
pub(crate) trait RowReader: Send + Sync {
    /// Every row whose key lies in the range, in one part or, where one answer can't hold them, in several.
    fn read(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
    ) -> impl Future<Output = Result<Vec<Batch>, Fault>> + Send;

    /// Some keys of the range, rising, at most `limit`; none exactly if there is no row in the range. They serve as borders: which of
    /// the keys they are does not matter.
    fn keys(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Key>, Fault>> + Send;
}
