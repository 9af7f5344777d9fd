//! A subscription of our own to one topic, which the broker does not keep and which ends with its connection: entries, as they come.

use super::connection::Connection;
use super::entry::{self, EntryId};
use super::error::Error;
use super::flow::Flow;
use super::frame::Entry;
use super::{Cluster, in_time, lookup};
use proto::pulsar as written;
use proto::pulsar::base_command::Body;
use uuid::Uuid;

/// Each connection has one consumer.
const CONSUMER: u64 = 1;

/// A subscription to a topic. It is of no more use after an error.
pub(super) struct Subscription {
    connection: Connection,
    flow: Flow,
}

impl Subscription {
    /// Subscribes, from an entry on; where that is gone, Pulsar gives what comes next. Nothing is let through yet.
    pub(super) async fn make(
        cluster: &Cluster,
        topic: &str,
        first: EntryId,
    ) -> Result<Self, Error> {
        let topic = cluster.topic(topic);
        let mut connection = lookup::connect(&cluster.seat()?, &topic).await?;
        let subscribe = |request_id| {
            Body::Subscribe(written::Subscribe {
                topic,
                subscription: format!("passage-{}", Uuid::now_v7()),
                kind: written::subscribe::Kind::Exclusive.into(),
                consumer_id: CONSUMER,
                request_id,
                consumer_name: Some("passage".to_owned()),
                durable: Some(false),
                start_message_id: Some(first.written()),
                force_topic_creation: Some(false),
            })
        };
        match connection.ask(subscribe).await? {
            Body::Success(_) => Ok(Self {
                connection,
                flow: Flow::new(),
            }),
            _ => Err(unasked("another answer than a subscription")),
        }
    }

    /// The newest entry of the topic; `None` where there is none. To be asked before anything is let through.
    pub(super) async fn last(&mut self) -> Result<Option<EntryId>, Error> {
        let question = |request_id| {
            Body::GetLastMessageId(written::GetLastMessageId {
                consumer_id: CONSUMER,
                request_id,
            })
        };
        match self.connection.ask(question).await? {
            Body::LastMessageId(answer) => Ok(EntryId::of(&answer.last_message_id)),
            _ => Err(unasked("another answer than a last message")),
        }
    }

    /// The first entry: it comes at once, where there is any.
    pub(super) async fn first(&mut self) -> Result<(EntryId, Entry), Error> {
        in_time(self.next()).await
    }

    /// The next entry. Waits until it comes.
    pub(super) async fn next(&mut self) -> Result<(EntryId, Entry), Error> {
        self.let_through().await?;
        let entry = self.connection.entry().await?;
        self.take(entry)
    }

    /// The next entry, if it has come already.
    pub(super) async fn next_at_hand(&mut self) -> Result<Option<(EntryId, Entry)>, Error> {
        self.let_through().await?;
        let entry = self.connection.entry_at_hand().await?;
        entry.map(|entry| self.take(entry)).transpose()
    }

    async fn let_through(&mut self) -> Result<(), Error> {
        let Some(message_permits) = self.flow.due() else {
            return Ok(());
        };
        let flow = written::Flow {
            consumer_id: CONSUMER,
            message_permits,
        };
        self.connection.send(Body::Flow(flow)).await
    }

    fn take(&mut self, entry: Entry) -> Result<(EntryId, Entry), Error> {
        let command = &entry.command;
        let id = EntryId::of(&command.message_id).filter(|_| command.consumer_id == CONSUMER);
        let id = id.ok_or_else(|| unasked("a message of no place"))?;
        self.flow.took(entry::count(&entry), entry.payload.len());
        Ok((id, entry))
    }

    /// Says goodbye. A broker that is not told finds out by itself.
    pub(super) async fn end(mut self) {
        let close = written::CloseConsumer {
            consumer_id: CONSUMER,
            request_id: u64::MAX,
        };
        self.connection.send(Body::CloseConsumer(close)).await.ok();
    }
}

fn unasked(what: &str) -> Error {
    Error::Unasked(what.to_owned())
}
