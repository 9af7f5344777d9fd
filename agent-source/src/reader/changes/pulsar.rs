//! The log of a Milvus that keeps it in Pulsar, read over Pulsar's binary protocol by a small client of our own: Pulsar's crate brings a
//! second prost and a compiler for it.
//!
//! Each topic is read through a subscription of our own that the broker does not keep (non-durable) and that ends with its
//! connection. Nothing is acknowledged, no topic is made, and Milvus's own subscriptions are others. Pulsar deletes messages ledger by
//! ledger, the oldest first, once Milvus's subscriptions have acknowledged them and its retention has passed.
//!
//! Pulsar does not tell a reader that it lost something: a reader whose place is gone is silently given what comes next. So nothing is
//! believed that was not seen:
//! - a reading behind a place begins with the very message of that place. If another one comes first, that one was deleted;
//! - entries follow each other by their numbers within a ledger;
//! - between ledgers they do not. Where another ledger begins, the last entry of the former one is read again, by another connection:
//!   while that is there, nothing between the two was deleted. So retention must outlast a ledger's end by some seconds, or a read is
//!   truncated that was not.
//!
//! What is between two entries and never given to a reader (markers of transactions and of replicated subscriptions, of which Milvus
//! has none) is taken for deleted, too. An empty topic has no place to begin at, and is told to be missing: Milvus writes into its topics
//! several times a second.
//!
//! ```text
//! Pulsar              what is asked of it                (async)
//!   Reader            messages, without a gap            (async)
//!     entry           those of an entry                  (pure)
//!     Subscription    entries, as they come              (async)
//!       Flow          how many may be under way          (pure)
//!       lookup        which broker has a topic           (async)
//!         Connection  commands and answers               (async)
//!           frame     commands as bytes                  (pure)
//!           Seat      the line to a broker               (async)
//! ```

mod connection;
mod entry;
mod error;
mod faults;
mod flow;
mod frame;
mod lookup;
mod reader;
mod seat;
mod subscription;
#[cfg(test)]
mod tests;

use super::broker::{Broker, Shared, client_config};
use error::Error;
use model::{Fault, Offset};
use reader::Reader;
use runtime::config::{HostPort, MilvusTls, PulsarSection, SecretSource};
use seat::Seat;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time;
use tokio_rustls::TlsConnector;

/// How long Pulsar may take to be connected to, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// After how much silence a broker is asked whether it is there.
const QUIET: Duration = Duration::from_secs(30);

/// The log of a Milvus, in Pulsar.
pub(crate) struct Pulsar(Arc<Cluster>);

/// Where Pulsar is, and where in it Milvus's topics are.
struct Cluster {
    /// What it is called in messages, with its address.
    name: String,
    address: HostPort,
    tls: Option<TlsConnector>,
    /// Whether a certificate of ours is shown to the broker.
    has_certificate: bool,
    token: Option<SecretSource>,
    namespace: String,
}

impl Pulsar {
    /// The log in this cluster. Nothing is connected to yet.
    ///
    /// # Errors
    /// TLS files that can't be used: the operator's.
    pub(crate) fn open(section: &PulsarSection) -> Result<Shared<Self>, Fault> {
        Self::new(section).map(Shared::new)
    }

    fn new(section: &PulsarSection) -> Result<Self, Fault> {
        let tls = section.tls.as_ref().map(client_config).transpose()?;
        let scheme = tls.as_ref().map_or("pulsar", |_| "pulsar+ssl");
        let has_certificate = |tls: &MilvusTls| tls.client.is_some();
        Ok(Self(Arc::new(Cluster {
            name: format!("Pulsar at {scheme}://{}", section.address),
            address: section.address.clone(),
            tls: tls.map(|config| TlsConnector::from(Arc::new(config))),
            has_certificate: section.tls.as_ref().is_some_and(has_certificate),
            token: section.token.clone(),
            namespace: format!("persistent://{}/{}", section.tenant, section.namespace),
        })))
    }
}

impl Cluster {
    /// How one comes to a broker, with the secret as it is now.
    fn seat(&self) -> Result<Seat, Error> {
        let token = self.token.as_ref().map(SecretSource::read).transpose();
        Ok(Seat {
            address: self.address.clone(),
            tls: self.tls.clone(),
            has_certificate: self.has_certificate,
            token: token.map_err(|error| Error::Secret(error.into()))?,
        })
    }

    /// A topic's full name.
    fn topic(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }
}

impl Broker for Pulsar {
    type Reading = Reader;

    const RETENTION: &'static str = "the retention of Milvus's namespace in Pulsar (pulsar-admin namespaces set-retention, or broker.conf's \
         defaultRetentionTimeInMinutes and defaultRetentionSizeInMB)";

    fn name(&self) -> &str {
        &self.0.name
    }

    async fn newest(&self, topic: &str) -> Result<Option<Offset>, Fault> {
        let newest = Box::pin(reader::newest(&self.0, topic)).await;
        newest.map_err(|error| faults::of(&self.0.name, topic, error))
    }

    async fn open(&self, topic: &str, behind: Offset) -> Result<Reader, Fault> {
        let reader = Box::pin(Reader::behind(self.0.clone(), topic, behind)).await;
        reader.map_err(|error| faults::of(&self.0.name, topic, error))
    }

    async fn open_oldest(&self, topic: &str) -> Result<Option<Reader>, Fault> {
        let reader = Box::pin(Reader::oldest(self.0.clone(), topic)).await;
        reader.map_err(|error| faults::of(&self.0.name, topic, error))
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let ended = time::timeout(PATIENCE, work).await;
    ended.unwrap_or(Err(Error::Late(PATIENCE)))
}
