//! The log of a Milvus that keeps it in Kafka.
//!
//! Milvus writes into the first partition of each topic, and a message's place is its offset there. It is fetched by offset from the
//! broker that leads the partition, without a group and without a commit, so that Milvus's own consumers see nothing of it.

mod faults;
#[cfg(test)]
mod tests;

use super::Message;
use super::broker::{Broker, Extent, Reading, Shared, client_config};
use ::kafka::{Cluster, Error, Login, Mechanism, Partition, Tls};
use model::{Fault, Offset};
use runtime::config::{KafkaSasl, KafkaSection, SaslMechanism};
use std::sync::Arc;
use std::time::Duration;

/// How long a fetch waits for a message that is not there yet: what Kafka's own clients do. A broker answers earlier when there is one.
const WAIT: Duration = Duration::from_millis(500);

/// The log of a Milvus, in Kafka.
#[derive(Debug)]
pub(crate) struct Kafka {
    name: Arc<str>,
    cluster: Cluster,
    sasl: Option<KafkaSasl>,
}

/// A reading of a topic's partition.
pub(crate) struct Fetching {
    name: Arc<str>,
    partition: Partition,
    next: i64,
}

impl Kafka {
    /// The log in this cluster. Nothing is connected to yet.
    ///
    /// # Errors
    /// TLS files that can't be used: the operator's.
    pub(crate) fn open(section: &KafkaSection) -> Result<Shared<Self>, Fault> {
        let names: Vec<_> = section.brokers.iter().map(ToString::to_string).collect();
        let brokers = section.brokers.iter();
        let brokers = brokers.map(|broker| (broker.host.clone(), broker.port));
        let tls = match &section.tls {
            None => None,
            Some(tls) => Some(Tls {
                config: Arc::new(client_config(tls)?),
                server_name: tls.server_name.clone(),
            }),
        };
        Ok(Shared::new(Self {
            name: format!("Kafka at {}", names.join(", ")).into(),
            cluster: Cluster::new(brokers.collect(), tls),
            sasl: section.sasl.clone(),
        }))
    }

    async fn partition(&self, topic: &str) -> Result<Partition, Fault> {
        let login = match &self.sasl {
            None => None,
            Some(sasl) => Some(Login {
                mechanism: match sasl.mechanism {
                    SaslMechanism::Plain => Mechanism::Plain,
                    SaslMechanism::ScramSha256 => Mechanism::ScramSha256,
                    SaslMechanism::ScramSha512 => Mechanism::ScramSha512,
                },
                user: sasl.user.clone(),
                password: sasl.password.read()?.expose().to_owned(),
            }),
        };
        let opened = self.cluster.partition(topic, login.as_ref()).await;
        opened.map_err(|error| faults::of(&self.name, &error))
    }
}

impl Broker for Kafka {
    type Reading = Fetching;

    const FIRST: u64 = 0;
    const RETENTION: &'static str = "the retention.ms and retention.bytes of Kafka's topics";

    fn name(&self) -> &str {
        &self.name
    }

    async fn extent(&self, topic: &str) -> Result<Extent, Fault> {
        let mut partition = self.partition(topic).await?;
        let extent = partition.extent().await;
        extent
            .map(extent_of)
            .map_err(|error| faults::of(&self.name, &error))
    }

    async fn open(&self, topic: &str, behind: Offset) -> Result<(Fetching, Extent), Fault> {
        let mut partition = self.partition(topic).await?;
        let extent = partition.extent().await;
        let extent = extent.map_err(|error| faults::of(&self.name, &error))?;
        let fetching = Fetching {
            name: self.name.clone(),
            partition,
            next: i64::try_from(behind.number())
                .unwrap_or(i64::MAX)
                .saturating_add(1),
        };
        Ok((fetching, extent_of(extent)))
    }
}

impl Fetching {
    async fn fetch(&mut self, most_bytes: usize) -> Result<Vec<Message>, Error> {
        loop {
            let fetched = self.partition.fetch(self.next, most_bytes, WAIT).await?;
            self.next = fetched.next;
            if !fetched.records.is_empty() {
                let records = fetched.records.into_iter();
                let messages = records.map(|record| Message {
                    offset: Offset::new(unsigned(record.offset)),
                    payload: record.value,
                });
                return Ok(messages.collect());
            }
        }
    }
}

impl Reading for Fetching {
    async fn more(&mut self, most_bytes: usize) -> Result<Vec<Message>, Fault> {
        let fetched = self.fetch(most_bytes).await;
        fetched.map_err(|error| faults::of(&self.name, &error))
    }

    async fn close(self) {}
}

fn extent_of(extent: ::kafka::Extent) -> Extent {
    Extent {
        first: unsigned(extent.first),
        next: unsigned(extent.next),
    }
}

/// Offsets begin with 0.
fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}
