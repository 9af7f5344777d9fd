//! Changes as Milvus's log has them: a source of messages for each message queue, and what is made of the messages.
//!
//! Nothing of Milvus's own is touched: no consumer group, no offset, no message.

pub(crate) mod rocksmq;

use bytes::Bytes;
use model::{Fault, Offset};
use std::future::Future;

/// A message of the log, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its place in the topic.
    pub(crate) offset: Offset,
    /// What Milvus wrote.
    pub(crate) payload: Bytes,
}

/// A way to see Milvus's log. A topic is a physical channel, such as `by-dev-rootcoord-dml_3`.
pub(crate) trait ChangeSource: Send + Sync {
    /// The place of the topic's newest message, or one that is greater than that of every message now in it and smaller than that of
    /// every later one.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    fn end(&self, topic: &str) -> impl Future<Output = Result<Offset, Fault>> + Send;

    /// The messages behind a place, in their order: all there are, or so many that their payloads have about `most_bytes`. Waits
    /// until there is one.
    ///
    /// # Cancel safety
    /// Reads only.
    ///
    /// # Errors
    /// `log_unreachable`; `log_truncated` when messages behind the place are no longer in the log.
    fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> impl Future<Output = Result<Vec<Message>, Fault>> + Send;
}
