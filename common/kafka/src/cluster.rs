//! A cluster, and the partition of a topic at the broker that leads it.

use crate::answers::{self, Address, Extent, Fetched, codes};
use crate::connection::{Connection, Tls};
use crate::error::Error;
use crate::records::Unreadable;
use crate::requests::{End, Request};
use crate::sasl::{self, Login};
use std::time::Duration;

/// A cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    brokers: Vec<Address>,
    tls: Option<Tls>,
}

/// The first partition of a topic. After an error it is of no more use; opening it anew may help.
pub struct Partition {
    topic: String,
    connection: Connection,
}

impl Cluster {
    /// The cluster that these brokers, each a host and a port, are of. Nothing is connected to yet.
    #[must_use]
    pub fn new(brokers: Vec<(String, u16)>, tls: Option<Tls>) -> Self {
        let address = |(host, port)| Address { host, port };
        Self {
            brokers: brokers.into_iter().map(address).collect(),
            tls,
        }
    }

    /// Connects to the broker that leads a topic's first partition.
    ///
    /// # Errors
    /// When no broker can be reached or lets us in, when there is no such topic, and when it has no leader.
    pub async fn partition(&self, topic: &str, login: Option<&Login>) -> Result<Partition, Error> {
        let mut connection = self.any(login).await?;
        let question = Request::metadata(topic);
        let leader = connection.ask(&question, answers::metadata).await?;
        let leader = leader.map_err(|code| refusal(&connection, topic, 0, code))?;
        let connection = self.connect(&leader, login).await?;
        let topic = topic.to_owned();
        Ok(Partition { topic, connection })
    }

    /// The first broker that can be reached, and does not refuse who calls.
    async fn any(&self, login: Option<&Login>) -> Result<Connection, Error> {
        let mut last = None;
        for broker in &self.brokers {
            match self.connect(broker, login).await {
                Ok(connection) => return Ok(connection),
                Err(error @ Error::Credentials { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "a broker can't be used");
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::Unreachable {
            address: "no broker".to_owned(),
            cause: std::io::ErrorKind::InvalidInput.into(),
        }))
    }

    async fn connect(&self, to: &Address, login: Option<&Login>) -> Result<Connection, Error> {
        let mut connection = Connection::open(to, self.tls.as_ref()).await?;
        if let Some(login) = login {
            sasl::log_in(&mut connection, login).await?;
        }
        Ok(connection)
    }
}

impl Partition {
    /// What it holds now.
    ///
    /// # Errors
    /// Those of the connection; the topic or its leader may be gone.
    pub async fn extent(&mut self) -> Result<Extent, Error> {
        Ok(Extent {
            first: self.offset(End::First).await?,
            next: self.offset(End::Next).await?,
        })
    }

    /// Records from an offset on: about so many bytes of them, but at least one batch. Waits so long for one, and then gives none.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; those of [`Self::extent`].
    pub async fn fetch(
        &mut self,
        offset: i64,
        most_bytes: usize,
        wait: Duration,
    ) -> Result<Fetched, Error> {
        let most_bytes = i32::try_from(most_bytes).unwrap_or(i32::MAX);
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let request = Request::fetch(&self.topic, offset, most_bytes, wait_ms);
        let answer = self.connection.ask_patiently(&request, wait).await?;
        let fetched = answers::fetch(answer, offset).map_err(|cause| match cause {
            Unreadable::Malformed(cause) => self.connection.malformed(cause),
            Unreadable::Form(form) => Error::Form {
                topic: self.topic.clone(),
                form,
            },
        })?;
        fetched.map_err(|code| refusal(&self.connection, &self.topic, offset, code))
    }

    async fn offset(&mut self, end: End) -> Result<i64, Error> {
        let question = Request::list_offsets(&self.topic, end);
        let offset = self
            .connection
            .ask(&question, answers::list_offsets)
            .await?;
        offset.map_err(|code| refusal(&self.connection, &self.topic, 0, code))
    }
}

fn refusal(connection: &Connection, topic: &str, offset: i64, code: i16) -> Error {
    let topic = topic.to_owned();
    match code {
        codes::OFFSET_OUT_OF_RANGE => Error::OutOfRange { topic, offset },
        codes::UNKNOWN_TOPIC_OR_PARTITION => Error::TopicMissing { topic },
        codes::LEADER_NOT_AVAILABLE | codes::NOT_LEADER => Error::NoLeader { topic },
        codes::TOPIC_AUTHORIZATION_FAILED => Error::Denied { topic },
        code => Error::Refused {
            address: connection.address().to_owned(),
            topic,
            code,
        },
    }
}
