//! The messages of one topic, without a gap.

use super::entry::{self, EntryId};
use super::error::Error;
use super::frame::Entry;
use super::subscription::Subscription;
use super::{Cluster, faults};
use crate::reader::changes::Message;
use crate::reader::changes::broker::Reading;
use model::{Fault, Offset};
use std::sync::Arc;

/// A reading of a topic. It is of no more use after an error.
pub(crate) struct Reader {
    cluster: Arc<Cluster>,
    topic: String,
    subscription: Subscription,
    /// The newest entry that came.
    at: EntryId,
    /// What came with the first entry and was not given yet.
    ready: Vec<Message>,
    /// What is wrong behind the messages that were given.
    ended: Option<Error>,
}

/// The place of a topic's newest message; `None` where there is none.
pub(super) async fn newest(cluster: &Cluster, topic: &str) -> Result<Option<Offset>, Error> {
    let mut subscription = Subscription::make(cluster, topic, EntryId::LATEST).await?;
    let last = subscription.last().await?;
    subscription.end().await;
    let Some(id) = last else {
        return Ok(None);
    };
    // Behind all of the entry, however many messages it has.
    match id.place(Offset::LAST_INDEX) {
        Some(place) => Ok(Some(place)),
        None => Err(unreadable(topic, id, entry::Unreadable::Number)),
    }
}

impl Reader {
    /// Begins behind a place: with the message of the place, which is proof that nothing behind it was deleted.
    pub(super) async fn behind(
        cluster: Arc<Cluster>,
        topic: &str,
        place: Offset,
    ) -> Result<Self, Error> {
        let at = EntryId::at(place);
        let mut subscription = Subscription::make(&cluster, topic, at).await?;
        let last = subscription.last().await?;
        if last.is_none_or(|last| last < at) {
            // It would be waited for: what comes next may be long in coming.
            return Err(Error::Beyond { place, last });
        }
        let (found, entry) = subscription.first().await?;
        let gone = Error::Gone { place, found };
        if found != at {
            return Err(gone);
        }
        let mut ready = Vec::new();
        if !is_end(place) {
            ready = messages(topic, found, &entry)?;
            if ready.last().is_none_or(|last| last.offset < place) {
                return Err(gone);
            }
            ready.retain(|message| message.offset > place);
        }
        Ok(Self {
            cluster,
            topic: topic.to_owned(),
            subscription,
            at,
            ready,
            ended: None,
        })
    }

    /// Begins with the oldest message; `None` where there is none.
    pub(super) async fn oldest(cluster: Arc<Cluster>, topic: &str) -> Result<Option<Self>, Error> {
        let mut subscription = Subscription::make(&cluster, topic, EntryId::NONE).await?;
        if subscription.last().await?.is_none() {
            return Ok(None);
        }
        let (at, entry) = subscription.first().await?;
        Ok(Some(Self {
            cluster,
            topic: topic.to_owned(),
            subscription,
            at,
            ready: messages(topic, at, &entry)?,
            ended: None,
        }))
    }

    /// The messages behind those that were given, as far as they have come; waits until one has.
    async fn read(&mut self, most_bytes: usize) -> Result<Vec<Message>, Error> {
        if let Some(error) = self.ended.take() {
            return Err(error);
        }
        let mut messages = std::mem::take(&mut self.ready);
        if messages.is_empty() {
            let (id, entry) = self.subscription.next().await?;
            messages = self.take(id, &entry).await?;
        }
        let mut bytes = size(&messages);
        while bytes < most_bytes {
            match self.more_at_hand().await {
                Ok(Some(more)) => {
                    bytes += size(&more);
                    messages.extend(more);
                }
                Ok(None) => break,
                Err(error) => {
                    // What precedes it goes first.
                    self.ended = Some(error);
                    break;
                }
            }
        }
        Ok(messages)
    }

    async fn more_at_hand(&mut self) -> Result<Option<Vec<Message>>, Error> {
        match self.subscription.next_at_hand().await? {
            Some((id, entry)) => self.take(id, &entry).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes an entry that came, if it is the one behind the last.
    async fn take(&mut self, id: EntryId, entry: &Entry) -> Result<Vec<Message>, Error> {
        let behind = self.at;
        let follows = if id.ledger == behind.ledger {
            id.entry == behind.entry.saturating_add(1)
        } else {
            let may_follow = id.ledger > behind.ledger && id.entry == 0;
            // It takes much room, and is rare.
            may_follow && Box::pin(has(&self.cluster, &self.topic, behind)).await?
        };
        if !follows {
            return Err(Error::Gap { behind, found: id });
        }
        self.at = id;
        messages(&self.topic, id, entry)
    }
}

/// Whether the topic still has this entry: then, what is behind it was not deleted before now.
async fn has(cluster: &Cluster, topic: &str, id: EntryId) -> Result<bool, Error> {
    let mut probe = Subscription::make(cluster, topic, id).await?;
    let (found, _) = probe.first().await?;
    probe.end().await;
    Ok(found == id)
}

fn messages(topic: &str, id: EntryId, entry: &Entry) -> Result<Vec<Message>, Error> {
    entry::messages(id, entry).map_err(|cause| unreadable(topic, id, cause))
}

fn unreadable(topic: &str, id: EntryId, cause: entry::Unreadable) -> Error {
    let topic = topic.to_owned();
    Error::Unreadable { topic, id, cause }
}

fn size(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.payload.len()).sum()
}

/// Whether a place is behind all messages of its entry.
fn is_end(place: Offset) -> bool {
    let (_, _, index) = place.ledger_entry_index();
    index == Offset::LAST_INDEX
}

impl Reading for Reader {
    async fn more(&mut self, most_bytes: usize) -> Result<Vec<Message>, Fault> {
        let read = Box::pin(self.read(most_bytes)).await;
        read.map_err(|error| faults::of(&self.cluster.name, &self.topic, error))
    }

    async fn close(self) {
        self.subscription.end().await;
    }
}
