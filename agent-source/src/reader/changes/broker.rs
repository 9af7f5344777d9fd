//! Reading a log that a message broker keeps, over the network.
//!
//! Hundreds of collections may share a few topics, and nearly always their readers wait for the same next message. So a topic is
//! read once at its end for all who wait there, and its newest messages are kept a while for those who come a little later. Who is
//! further behind reads for himself; only a few may do so at a time.
//!
//! Invariants:
//! - a read goes wrong rather than leave something out: a broker proves that all is there whenever reading begins at a place;
//! - each step of reading runs in a task of its own, so that it gets on though nobody who wants it happens to be polled: else one
//!   reader that rests would hold up all others;
//! - a fault that is about one reader's place is nobody else's.
//!
//! Non-goal: to try again. Whoever reads is told of a fault, and may ask again: the broker is then connected to anew.
//!
//! ```text
//! Shared    who reads what, with whom           (async)
//!   Window  a topic's newest messages           (pure)
//! Broker    one kind of message broker: NATS, Kafka, Pulsar
//! ```

mod faults;
mod shared;
#[cfg(test)]
mod tests;
mod tls;
mod window;

pub(super) use faults::{BrokerFault, topic_missing, truncated, unreachable};
pub(crate) use shared::Shared;
pub(super) use tls::client_config;

use super::Message;
use model::{Fault, Offset};
use std::future::Future;

/// What a topic holds, where a broker numbers its messages through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The place of its oldest message; where it has none, as `next`.
    pub(crate) first: u64,
    /// The place that its next message will have.
    pub(crate) next: u64,
}

impl Extent {
    /// The place of the newest message, also where it was deleted; `None` if there never was one. The very first has the place
    /// `first_ever`.
    pub(super) fn newest(self, first_ever: u64) -> Option<Offset> {
        let newest = self.next.checked_sub(1)?;
        (newest >= first_ever).then(|| Offset::new(newest))
    }

    /// Whether there is any message.
    pub(super) fn is_empty(self) -> bool {
        self.first >= self.next
    }

    /// That all messages behind a place are there, and the place is one that the topic had.
    ///
    /// # Errors
    /// `log_truncated`.
    pub(super) fn must_hold_all_behind(
        self,
        broker: &impl Broker,
        topic: &str,
        place: Offset,
    ) -> Result<(), Fault> {
        let next = place.number().saturating_add(1);
        if (self.first..=self.next).contains(&next) {
            Ok(())
        } else {
            Err(faults::out_of(self, broker, topic, place))
        }
    }
}

/// One kind of message broker.
pub(crate) trait Broker: Send + Sync + 'static {
    /// A reading of one topic.
    type Reading: Reading;

    /// What it is called in messages, with its address.
    fn name(&self) -> &str;

    /// What keeps messages for longer, in the words of its configuration.
    const RETENTION: &'static str;

    /// The place of a topic's newest message, also where it was deleted; `None` where there was none.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    fn newest(&self, topic: &str) -> impl Future<Output = Result<Option<Offset>, Fault>> + Send;

    /// Begins to read a topic behind a place.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`; `log_truncated` unless all messages behind the place are there, and it is one that the
    /// topic had.
    fn open(
        &self,
        topic: &str,
        behind: Offset,
    ) -> impl Future<Output = Result<Self::Reading, Fault>> + Send;

    /// Begins to read a topic with its oldest message; `None` where there is none.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    fn open_oldest(
        &self,
        topic: &str,
    ) -> impl Future<Output = Result<Option<Self::Reading>, Fault>> + Send;
}

/// A reading of one topic.
pub(crate) trait Reading: Send + 'static {
    /// The messages behind those that were given before, in their order and without a gap: so many that they have about `most_bytes`.
    /// Waits until there is one.
    ///
    /// # Errors
    /// The reading is over then. To begin another at the same place may help.
    fn more(
        &mut self,
        most_bytes: usize,
    ) -> impl Future<Output = Result<Vec<Message>, Fault>> + Send;

    /// Takes away what the broker holds of it.
    fn close(self) -> impl Future<Output = ()> + Send;
}
