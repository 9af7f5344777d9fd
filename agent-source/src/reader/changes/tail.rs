//! The changes of a collection, as one of its channels has them, in order.
//!
//! Invariants:
//! - a change is released once a tick in the log says that all before it are known;
//! - every change is released once: a tail that begins where another's release ended goes on with the change behind it;
//! - nothing behind a message that can't be understood is released. Every further try meets that message again.
//!
//! What lies between two ticks of the log is held in memory. Milvus writes a tick every 200 ms. The ticks and the times of changes
//! are given out by the same coordinator, so that a log without ticks does not grow.
//!
//! A topic holds other channels too. A message belongs to the channel that it names. One that names none is of the collection's one
//! channel in the topic: each channel of a collection has another topic (`dml_channels.go` of 2.2 takes them from a heap, each once).
//! That goes for the deletes of 2.2, and for drops, which so come out of every channel of the collection.

mod order;
#[cfg(test)]
mod tests;

use super::{ChangeSource, Message, topic_of};
use milvus::log::{self, Cause, LogError, LogMessage, OfCollection};
use model::{Change, Class, Fault, Offset, Position, Tick, codes};
use order::{Arrival, Order};

/// Changes that are complete up to a position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Released {
    /// By their ticks; those of the same tick with deletes first, else as the log has them. Perhaps none: then only the position
    /// moved.
    pub(crate) changes: Vec<Change>,
    /// Where reading goes on once the changes are done.
    pub(crate) position: Position,
}

/// Follows one channel of one collection.
#[derive(Debug)]
pub(crate) struct Tail<'a, S> {
    source: &'a S,
    collection_id: i64,
    channel: String,
    topic: String,
    /// The newest message that was taken in.
    behind: Offset,
    order: Order,
    most_bytes: usize,
}

impl<'a, S: ChangeSource> Tail<'a, S> {
    /// Begins behind a position. A release, with what waits for its tick meanwhile, has about `most_bytes`.
    pub(crate) fn new(
        source: &'a S,
        collection_id: i64,
        position: Position,
        most_bytes: usize,
    ) -> Self {
        let topic = topic_of(&position.channel).to_owned();
        Self {
            source,
            collection_id,
            topic,
            behind: position.offset,
            order: Order::new(position.tick, position.offset),
            channel: position.channel,
            most_bytes,
        }
    }

    /// What the next ticks release: as many as were read at once. Waits until there is a tick; its position is always younger than
    /// the one before.
    ///
    /// # Cancel safety
    /// Nothing is lost: messages are taken in when all are there, and released without a further wait.
    ///
    /// # Errors
    /// `log_malformed` when a message can't be understood, whichever collection it is of; those of [`ChangeSource::read`]. The tail
    /// may be asked again.
    pub(crate) async fn next(&mut self) -> Result<Released, Fault> {
        loop {
            let reading = self.source.read(&self.topic, self.behind, self.most_bytes);
            let messages = reading.await?;
            let outcome = messages
                .iter()
                .try_for_each(|message| self.take_in(message));
            // What precedes a message that is not understood goes first.
            if let Some(released) = self.order.release() {
                let position = Position {
                    channel: self.channel.clone(),
                    offset: released.offset,
                    tick: released.tick,
                };
                let changes = released.changes;
                return Ok(Released { changes, position });
            }
            outcome?;
        }
    }

    fn take_in(&mut self, message: &Message) -> Result<(), Fault> {
        let not_understood = |error: LogError| malformed(&self.topic, message.offset, &error);
        match log::decode(&message.payload).map_err(not_understood)? {
            LogMessage::TimeTick(tick) => self.order.tick(self.behind, tick),
            LogMessage::OfCollection(ours) if self.is_ours(&ours) => {
                let offset = message.offset;
                for (tick, kind) in ours.changes().map_err(not_understood)? {
                    self.add(Change { tick, offset, kind });
                }
            }
            LogMessage::OfCollection(_) => {}
        }
        self.behind = message.offset;
        Ok(())
    }

    fn is_ours(&self, message: &OfCollection) -> bool {
        message.collection_id() == self.collection_id
            && message
                .channel()
                .is_none_or(|channel| channel == self.channel)
    }

    fn add(&mut self, change: Change) {
        let (tick, offset) = (change.tick, change.offset);
        if let Arrival::Late { watermark } = self.order.add(self.behind, change) {
            let channel = &self.channel;
            tracing::warn!(%channel, %offset, %tick, %watermark, "a change stands behind a tick that should have followed it");
        }
    }
}

/// The time of a message by the source's clock.
///
/// # Errors
/// `log_malformed` when it can't be understood.
pub(crate) fn tick_of(topic: &str, message: &Message) -> Result<Tick, Fault> {
    let not_understood = |error: LogError| malformed(topic, message.offset, &error);
    match log::decode(&message.payload).map_err(not_understood)? {
        LogMessage::TimeTick(tick) => Ok(tick),
        LogMessage::OfCollection(ours) => {
            let changes = ours.changes().map_err(not_understood)?;
            let ticks = changes.into_iter().map(|(tick, _)| tick);
            Ok(ticks.min().unwrap_or(ours.tick()))
        }
    }
}

fn malformed(topic: &str, offset: Offset, error: &LogError) -> Fault {
    let hint = match error.cause() {
        Cause::Imported => "wait until the import is done, then move the collection by a new job",
        _ => {
            "the job waits at this message: look for a release of Passage that knows this version of Milvus"
        }
    };
    let message = format!("message {offset} of topic {topic}: {error}");
    Fault::new(codes::LOG_MALFORMED, Class::Operator, message, hint)
}
