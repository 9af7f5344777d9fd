//! Changes as Milvus's log has them: a source of messages for each message queue, and what is made of the messages.
//!
//! Nothing of Milvus's own is touched: no consumer group, no offset, no message.

pub(crate) mod broker;
pub(crate) mod channels;
pub(crate) mod kafka;
pub(crate) mod nats;
pub(crate) mod rocksmq;
pub(crate) mod tail;

use bytes::Bytes;
use model::{Fault, Offset};
use rocksmq::RocksMq;
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

/// The log of the source's Milvus.
#[derive(Debug)]
pub(crate) enum Log {
    /// That of a standalone Milvus: a folder beside it.
    RocksMq(RocksMq),
    /// That of a standalone Milvus: the NATS server inside it.
    Nats(broker::Shared<nats::Nats>),
    /// That of a Milvus with Kafka.
    Kafka(broker::Shared<kafka::Kafka>),
}

impl Log {
    /// The newest place of a virtual channel's topic.
    pub(crate) async fn end_of(&self, channel: &str) -> Result<Offset, Fault> {
        self.end(topic_of(channel)).await
    }
}

impl ChangeSource for Log {
    async fn end(&self, topic: &str) -> Result<Offset, Fault> {
        match self {
            Self::RocksMq(log) => log.end(topic).await,
            Self::Nats(log) => log.end(topic).await,
            Self::Kafka(log) => log.end(topic).await,
        }
    }

    async fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        match self {
            Self::RocksMq(log) => log.read(topic, behind, most_bytes).await,
            Self::Nats(log) => log.read(topic, behind, most_bytes).await,
            Self::Kafka(log) => log.read(topic, behind, most_bytes).await,
        }
    }
}

/// The topic of a virtual channel: `by-dev-rootcoord-dml_3` of `by-dev-rootcoord-dml_3_445829v1`.
pub(crate) fn topic_of(channel: &str) -> &str {
    channel.rsplit_once('_').map_or(channel, |(topic, _)| topic)
}
