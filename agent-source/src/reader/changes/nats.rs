//! The log of a standalone Milvus that keeps it in a NATS server inside itself (its `natsmq`, 2.3 to 2.5), read over JetStream.
//!
//! Each topic is a stream of the same name, and a message's place is its number there, from 1 on. It is read through a consumer of
//! our own that asks for no confirmation and is held in the server's memory: taken away when it is done with, and by the server
//! itself when nobody asked it for a while. Milvus's own consumers are others, and nothing is deleted for having been read: Milvus's
//! streams keep messages by age.
//!
//! A consumer is asked rather than pushed to, so that no more is under way than was asked for. Reading message by message from the
//! stream would need no consumer, but costs a question for each, has the payload in base64, and can't wait for the next one.
//!
//! Not seen: that the server lost its newest messages, and wrote others in their place up to the wanted one, since they were read.
//!
//! ```text
//! Nats        the connection, made anew when it is lost
//!   Consumer  a consumer of ours, and what it is asked
//!     api     questions and answers             (pure)
//! ```

mod api;
mod consumer;
mod faults;
#[cfg(test)]
mod tests;

use super::broker::{self, Broker, Extent, Shared, client_config};
use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event};
use consumer::Consumer;
use model::{Fault, Offset};
use runtime::config::{MilvusCredentials, NatsSection};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The number of a stream's very first message.
const FIRST: u64 = 1;

/// How long the server may take to be connected to, and to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a silent connection is tested; the second unanswered test ends it.
const PING_EVERY: Duration = Duration::from_secs(5);

/// The log of a standalone Milvus, in its NATS server.
#[derive(Debug)]
pub(crate) struct Nats {
    name: String,
    url: String,
    credentials: Option<MilvusCredentials>,
    tls: Option<rustls::ClientConfig>,
    link: Mutex<Option<Link>>,
}

/// A connection. It is not mended but made anew, with the secret as it is then.
#[derive(Debug, Clone)]
struct Link {
    client: Client,
    /// Cancelled when the connection is lost.
    lost: CancellationToken,
}

impl Nats {
    /// The log in this server. Nothing is connected to yet.
    ///
    /// # Errors
    /// TLS files that can't be used: the operator's.
    pub(crate) fn open(section: &NatsSection) -> Result<Shared<Self>, Fault> {
        let url = format!("nats://{}", section.address);
        Ok(Shared::new(Self {
            name: format!("NATS at {url}"),
            url,
            credentials: section.credentials.clone(),
            tls: section.tls.as_ref().map(client_config).transpose()?,
            link: Mutex::default(),
        }))
    }

    async fn link(&self) -> Result<Link, Fault> {
        let held = self.held().clone();
        if let Some(link) = held.filter(Link::is_up) {
            return Ok(link);
        }
        let link = self.connect().await?;
        let mut held = self.held();
        // Somebody else may have connected meanwhile: one connection is enough.
        let link = held.take().filter(Link::is_up).unwrap_or(link);
        *held = Some(link.clone());
        Ok(link)
    }

    async fn connect(&self) -> Result<Link, Fault> {
        let lost = CancellationToken::new();
        let ended = lost.clone();
        let mut options = ConnectOptions::new()
            .name("passage")
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ping_interval(PING_EVERY)
            .ignore_discovered_servers()
            .max_reconnects(1)
            .event_callback(move |event| {
                let is_over = matches!(event, Event::Disconnected | Event::Closed);
                let ended = ended.clone();
                async move {
                    if is_over {
                        ended.cancel();
                    }
                }
            });
        if let Some(credentials) = &self.credentials {
            let secret = credentials.source().read()?.expose().to_owned();
            options = match credentials {
                MilvusCredentials::Password { user, .. } => {
                    options.user_and_password(user.clone(), secret)
                }
                MilvusCredentials::Token(_) => options.token(secret),
            };
        }
        if let Some(tls) = &self.tls {
            options = options.require_tls(true).tls_client_config(tls.clone());
        }
        match options.connect(&self.url).await {
            Ok(client) => Ok(Link { client, lost }),
            Err(error) => Err(broker::unreachable(&self.name, faults::connecting(&error))),
        }
    }

    async fn extent(&self, topic: &str) -> Result<(Link, Extent), Fault> {
        let link = self.link().await?;
        match consumer::extent(&link.client, topic).await {
            Ok(extent) => Ok((link, extent)),
            Err(error) => Err(faults::of(&self.name, topic, &error)),
        }
    }

    async fn consumer(&self, link: Link, topic: &str, behind: u64) -> Result<Consumer, Fault> {
        let made = Consumer::make(&self.name, link, topic, behind).await;
        made.map_err(|error| faults::of(&self.name, topic, &error))
    }

    fn held(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn is_up(&self) -> bool {
        !self.lost.is_cancelled() && self.client.connection_state() == State::Connected
    }
}

impl Broker for Nats {
    type Reading = Consumer;

    const RETENTION: &'static str =
        "Milvus's natsmq.server.retention.maxAge (and maxBytes, maxMsgs, where set)";

    fn name(&self) -> &str {
        &self.name
    }

    async fn newest(&self, topic: &str) -> Result<Option<Offset>, Fault> {
        let (_, extent) = self.extent(topic).await?;
        Ok(extent.newest(FIRST))
    }

    async fn open(&self, topic: &str, behind: Offset) -> Result<Consumer, Fault> {
        let (link, extent) = self.extent(topic).await?;
        extent.must_hold_all_behind(self, topic, behind)?;
        self.consumer(link, topic, behind.number()).await
    }

    async fn open_oldest(&self, topic: &str) -> Result<Option<Consumer>, Fault> {
        let (link, extent) = self.extent(topic).await?;
        if extent.is_empty() {
            return Ok(None);
        }
        let behind = extent.first.saturating_sub(1);
        self.consumer(link, topic, behind).await.map(Some)
    }
}
