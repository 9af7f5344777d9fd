//! The log of a Milvus that keeps it in Kafka.
//!
//! Milvus writes into the first partition of each topic, and a message's place is its offset there. It is fetched by offset from the
//! broker that leads the partition, without a group and without a commit, so that Milvus's own consumers see nothing of it.
//!
//! The library tries again for as long as it is let. Here it has one try, and a limit of time for it: trying again is the reader's.

mod faults;
#[cfg(test)]
mod tests;

use super::Message;
use super::broker::{Broker, Extent, Reading, Shared, client_config};
use bytes::Bytes;
use faults::Error;
use model::{Fault, Offset};
use rskafka::BackoffConfig;
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{ClientBuilder, Credentials, SaslConfig};
use runtime::config::{KafkaSasl, KafkaSection, SaslMechanism};
use rustls::ClientConfig;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time;

/// The partition that Milvus writes into.
const PARTITION: i32 = 0;

/// How long a fetch waits for a message that is not there yet. A broker answers earlier when there is one, and Milvus writes five ticks a
/// second, so that longer is seldom waited; librdkafka's mock of a broker waits to the end, and what comes meanwhile is late by that.
const WAIT: Duration = Duration::from_millis(100);

/// How long Kafka may take to be connected to, and to answer what needs no waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// The log of a Milvus, in Kafka.
pub(crate) struct Kafka {
    name: Arc<str>,
    brokers: Vec<String>,
    tls: Option<Arc<ClientConfig>>,
    sasl: Option<KafkaSasl>,
}

/// A reading of a topic.
pub(crate) struct Fetching {
    name: Arc<str>,
    partition: PartitionClient,
    next: i64,
}

impl Kafka {
    /// The log in this cluster. Nothing is connected to yet.
    ///
    /// # Errors
    /// TLS files that can't be used: the operator's.
    pub(crate) fn open(section: &KafkaSection) -> Result<Shared<Self>, Fault> {
        let brokers: Vec<_> = section.brokers.iter().map(ToString::to_string).collect();
        let tls = section.tls.as_ref().map(client_config).transpose()?;
        Ok(Shared::new(Self {
            name: format!("Kafka at {}", brokers.join(", ")).into(),
            brokers,
            tls: tls.map(Arc::new),
            sasl: section.sasl.clone(),
        }))
    }

    /// Connects to the broker that leads a topic's partition, with the secret as it is now, and tells what the topic holds.
    async fn connect(&self, topic: &str) -> Result<(PartitionClient, Extent), Fault> {
        let mut builder = ClientBuilder::new(self.brokers.clone())
            .client_id("passage")
            .backoff_config(one_try());
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(tls.clone());
        }
        if let Some(sasl) = &self.sasl {
            builder = builder.sasl_config(sasl_config(sasl)?);
        }
        let connecting = in_time(PATIENCE, async {
            let client = builder.build().await?;
            // A question for a topic by its name would make it, where Kafka makes topics by itself.
            let topics = client.list_topics().await?;
            if !topics.iter().any(|known| known.name == topic) {
                return Err(Error::NoTopic);
            }
            let handling = UnknownTopicHandling::Error;
            let partition = client.partition_client(topic, PARTITION, handling).await?;
            let extent = Extent {
                first: unsigned(partition.get_offset(OffsetAt::Earliest).await?),
                next: unsigned(partition.get_offset(OffsetAt::Latest).await?),
            };
            Ok((partition, extent))
        });
        // It takes much room, and is rare.
        let connected = Box::pin(connecting).await;
        connected.map_err(|error| faults::of(&self.name, topic, &error))
    }

    fn fetching(&self, partition: PartitionClient, next: u64) -> Fetching {
        Fetching {
            name: self.name.clone(),
            partition,
            next: i64::try_from(next).unwrap_or(i64::MAX),
        }
    }
}

impl Broker for Kafka {
    type Reading = Fetching;

    const RETENTION: &'static str = "the retention.ms and retention.bytes of Kafka's topics";

    fn name(&self) -> &str {
        &self.name
    }

    async fn newest(&self, topic: &str) -> Result<Option<Offset>, Fault> {
        let (_, extent) = self.connect(topic).await?;
        Ok(extent.newest(0))
    }

    async fn open(&self, topic: &str, behind: Offset) -> Result<Fetching, Fault> {
        let (partition, extent) = self.connect(topic).await?;
        extent.must_hold_all_behind(self, topic, behind)?;
        Ok(self.fetching(partition, behind.number().saturating_add(1)))
    }

    async fn open_oldest(&self, topic: &str) -> Result<Option<Fetching>, Fault> {
        let (partition, extent) = self.connect(topic).await?;
        Ok((!extent.is_empty()).then(|| self.fetching(partition, extent.first)))
    }
}

impl Fetching {
    async fn fetch(&mut self, most_bytes: usize) -> Result<Vec<Message>, Error> {
        let most_bytes = i32::try_from(most_bytes).unwrap_or(i32::MAX);
        let wait_ms = i32::try_from(WAIT.as_millis()).unwrap_or(i32::MAX);
        loop {
            let bytes = 1..most_bytes.saturating_add(1);
            let fetching = self.partition.fetch_records(self.next, bytes, wait_ms);
            let (records, end) = in_time(WAIT + PATIENCE, async { Ok(fetching.await?) }).await?;
            if let Some(last) = records.last() {
                self.next = last.offset.saturating_add(1);
                let messages = records.into_iter().map(|found| Message {
                    offset: Offset::new(unsigned(found.offset)),
                    payload: Bytes::from(found.record.value.unwrap_or_default()),
                });
                return Ok(messages.collect());
            }
            if end > self.next {
                let next = self.next;
                return Err(Error::Unreadable { next, end });
            }
        }
    }
}

impl Reading for Fetching {
    async fn more(&mut self, most_bytes: usize) -> Result<Vec<Message>, Fault> {
        let fetched = Box::pin(self.fetch(most_bytes)).await;
        fetched.map_err(|error| faults::of(&self.name, self.partition.topic(), &error))
    }

    async fn close(self) {}
}

fn sasl_config(sasl: &KafkaSasl) -> Result<SaslConfig, Fault> {
    let password = sasl.password.read()?.expose().to_owned();
    let credentials = Credentials::new(sasl.user.clone(), password);
    Ok(match sasl.mechanism {
        SaslMechanism::Plain => SaslConfig::Plain(credentials),
        SaslMechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
        SaslMechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
    })
}

/// Whatever the library would try again is over at once.
fn one_try() -> BackoffConfig {
    BackoffConfig {
        deadline: Some(Duration::ZERO),
        ..BackoffConfig::default()
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let ended = time::timeout(limit, work).await;
    ended.unwrap_or(Err(Error::Late(limit)))
}

/// Offsets begin with 0.
fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}
