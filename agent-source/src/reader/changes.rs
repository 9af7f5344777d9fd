//! Changes as Milvus's log has them: a source of messages for each message queue, and what is made of the messages.
//!
//! Nothing of Milvus's own is touched: no consumer group, no offset, no message.

pub(crate) mod broker;
pub(crate) mod channels;
pub(crate) mod kafka;
pub(crate) mod nats;
pub(crate) mod pulsar;
pub(crate) mod rocksmq;
pub(crate) mod spool;
pub(crate) mod tail;

use bytes::Bytes;
use model::{Fault, Offset, Tick};
use rocksmq::RocksMq;
use spool::Spool;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

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

/// The message queue that the source's Milvus has its log in.
#[derive(Debug)]
pub(crate) enum Queue {
    /// That of a standalone Milvus: a folder beside it.
    RocksMq(RocksMq),
    /// That of a standalone Milvus: the NATS server inside it.
    Nats(broker::Shared<nats::Nats>),
    /// That of a Milvus with Kafka.
    Kafka(broker::Shared<kafka::Kafka>),
    /// That of a Milvus with Pulsar.
    Pulsar(broker::Shared<pulsar::Pulsar>),
}

impl Queue {
    /// The oldest message of a topic.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    async fn oldest(&self, topic: &str) -> Result<Message, Fault> {
        match self {
            Self::RocksMq(queue) => queue.oldest(topic).await,
            Self::Nats(queue) => queue.oldest(topic).await,
            Self::Kafka(queue) => queue.oldest(topic).await,
            Self::Pulsar(queue) => queue.oldest(topic).await,
        }
    }
}

impl ChangeSource for Queue {
    async fn end(&self, topic: &str) -> Result<Offset, Fault> {
        match self {
            Self::RocksMq(queue) => queue.end(topic).await,
            Self::Nats(queue) => queue.end(topic).await,
            Self::Kafka(queue) => queue.end(topic).await,
            Self::Pulsar(queue) => queue.end(topic).await,
        }
    }

    async fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        match self {
            Self::RocksMq(queue) => queue.read(topic, behind, most_bytes).await,
            Self::Nats(queue) => queue.read(topic, behind, most_bytes).await,
            Self::Kafka(queue) => queue.read(topic, behind, most_bytes).await,
            Self::Pulsar(queue) => queue.read(topic, behind, most_bytes).await,
        }
    }
}

/// The log of the source's Milvus: its queue, and what of it is kept on this machine.
#[derive(Debug)]
pub(crate) struct Log {
    queue: Arc<Queue>,
    spool: Option<Spool<Queue>>,
}

impl Log {
    /// The log in this queue, of which nothing is kept on this machine.
    pub(crate) fn new(queue: Queue) -> Self {
        Self {
            queue: Arc::new(queue),
            spool: None,
        }
    }

    /// The same, with messages that jobs want kept in this folder, so many bytes of them.
    ///
    /// # Errors
    /// `spool_unusable`.
    pub(crate) fn spooled(self, folder: &Path, quota_bytes: u64) -> Result<Self, Fault> {
        let spool = Spool::open(self.queue.clone(), folder, quota_bytes)?;
        Ok(Self {
            spool: Some(spool),
            ..self
        })
    }

    /// The newest place of a virtual channel's topic.
    pub(crate) async fn end_of(&self, channel: &str) -> Result<Offset, Fault> {
        self.end(topic_of(channel)).await
    }

    /// From when on the topics of all these virtual channels have messages, by the source's clock.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`, `log_malformed`.
    pub(crate) async fn begins(&self, channels: &[String]) -> Result<Tick, Fault> {
        let mut begins = Tick::default();
        for channel in channels {
            let topic = topic_of(channel);
            let oldest = self.queue.oldest(topic).await?;
            begins = begins.max(tail::tick_of(topic, &oldest)?);
        }
        Ok(begins)
    }

    /// Messages are kept on this machine for as long as jobs want them.
    pub(crate) fn spool(&self) -> Option<&Spool<Queue>> {
        self.spool.as_ref()
    }
}

impl ChangeSource for Log {
    async fn end(&self, topic: &str) -> Result<Offset, Fault> {
        self.queue.end(topic).await
    }

    async fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        if let Some(spool) = &self.spool
            && let Some(messages) = spool.read(topic, behind, most_bytes).await?
        {
            return Ok(messages);
        }
        self.queue.read(topic, behind, most_bytes).await
    }
}

/// The topic of a virtual channel: `by-dev-rootcoord-dml_3` of `by-dev-rootcoord-dml_3_445829v1`.
pub(crate) fn topic_of(channel: &str) -> &str {
    channel.rsplit_once('_').map_or(channel, |(topic, _)| topic)
}
