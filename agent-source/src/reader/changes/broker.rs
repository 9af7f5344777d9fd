//! Reading a log that a message broker keeps, over the network.
//!
//! Hundreds of collections may share a few topics, and nearly always their readers wait for the same next message. So a topic is
//! read once at its end for all who wait there, and its newest messages are kept a while for those who come a little later. Who is
//! further behind reads for himself; only a few may do so at a time.
//!
//! Invariants:
//! - a read goes wrong rather than leave something out: what a topic holds is looked at whenever reading begins at a place;
//! - each step of reading runs in a task of its own, so that it gets on though nobody who wants it happens to be polled: else one
//!   reader that rests would hold up all others;
//! - a fault that is about one reader's place is nobody else's.
//!
//! Non-goal: to try again. Whoever reads is told of a fault, and may ask again: the broker is then connected to anew.
//!
//! ```text
//! Shared    who reads what, with whom           (async)
//!   Window  a topic's newest messages           (pure)
//! Broker    one kind of message broker: NATS, Kafka
//! ```

mod faults;
#[cfg(test)]
mod tests;
mod tls;
mod window;

pub(super) use faults::{BrokerFault, topic_missing, unreachable};
pub(super) use tls::client_config;

use super::{ChangeSource, Message};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared as SharedFuture};
use model::{Class, Fault, Offset};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use window::{Kept, Window};

/// How many may read for themselves at a time.
const APART: usize = 4;

/// What a topic holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The place of its oldest message; where it has none, as `next`.
    pub(crate) first: u64,
    /// The place that its next message will have.
    pub(crate) next: u64,
}

impl Extent {
    /// Whether all messages behind a place are there, and the place is one that the topic had.
    fn holds_all_behind(self, place: Offset) -> bool {
        let next = place.number().saturating_add(1);
        (self.first..=self.next).contains(&next)
    }
}

/// One kind of message broker.
pub(crate) trait Broker: Send + Sync + 'static {
    /// A reading of one topic.
    type Reading: Reading;

    /// What it is called in messages, with its address.
    fn name(&self) -> &str;

    /// The place of a topic's very first message.
    const FIRST: u64;

    /// What keeps messages for longer, in the words of its configuration.
    const RETENTION: &'static str;

    /// What a topic holds.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    fn extent(&self, topic: &str) -> impl Future<Output = Result<Extent, Fault>> + Send;

    /// Begins to read a topic behind a place, and tells what it holds.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    fn open(
        &self,
        topic: &str,
        behind: Offset,
    ) -> impl Future<Output = Result<(Self::Reading, Extent), Fault>> + Send;
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

/// A broker that many read from.
pub(crate) struct Shared<B: Broker>(Arc<Inner<B>>);

struct Inner<B: Broker> {
    broker: B,
    topics: Mutex<HashMap<String, Topic<B::Reading>>>,
    apart: Semaphore,
}

/// What is known of a topic.
struct Topic<R> {
    window: Option<Window>,
    /// Reads on where the window ends.
    at_end: Option<R>,
    /// What is under way there.
    step: Option<Step>,
    /// The last readings that somebody had for himself, oldest first, and where they go on.
    apart: Vec<(Offset, R)>,
}

/// The reading of the messages behind a place, for all who want them.
#[derive(Clone)]
struct Step {
    place: Offset,
    outcome: SharedFuture<BoxFuture<'static, Result<Arc<[Message]>, Fault>>>,
}

/// How a reader comes to its messages.
enum Way {
    Here(Vec<Message>),
    With(Step),
    Apart,
}

impl<B: Broker> Shared<B> {
    pub(super) fn new(broker: B) -> Self {
        Self(Arc::new(Inner {
            broker,
            topics: Mutex::default(),
            apart: Semaphore::new(APART),
        }))
    }
}

impl<B: Broker> fmt::Debug for Shared<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared")
            .field(&self.0.broker.name())
            .finish()
    }
}

impl<B: Broker> ChangeSource for Shared<B> {
    async fn end(&self, topic: &str) -> Result<Offset, Fault> {
        let extent = self.0.broker.extent(topic).await?;
        match extent.next.checked_sub(1) {
            Some(newest) if extent.next > B::FIRST => Ok(Offset::new(newest)),
            _ => Err(faults::empty(&self.0.broker, topic)),
        }
    }

    async fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        loop {
            match self.0.way(topic, behind, most_bytes) {
                Way::Here(messages) => return Ok(messages),
                Way::Apart => {
                    let reading = self
                        .0
                        .clone()
                        .read_apart(topic.to_owned(), behind, most_bytes);
                    let task = AbortOnDropHandle::new(tokio::spawn(reading));
                    return task
                        .await
                        .unwrap_or_else(|error| Err(faults::ended(&error)));
                }
                Way::With(step) => match step.outcome.await {
                    Ok(messages) if step.place <= behind => {
                        let wanted = messages.iter().filter(|message| message.offset > behind);
                        let wanted: Vec<_> = wanted.cloned().collect();
                        if !wanted.is_empty() {
                            return Ok(wanted);
                        }
                    }
                    Err(fault) if step.place == behind || fault.class != Class::Permanent => {
                        return Err(fault);
                    }
                    // It was of another place: look again.
                    Ok(_) | Err(_) => {}
                },
            }
        }
    }
}

impl<B: Broker> Inner<B> {
    fn with<T>(&self, topic: &str, act: impl FnOnce(&mut Topic<B::Reading>) -> T) -> T {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        act(topics.entry(topic.to_owned()).or_default())
    }

    fn way(self: &Arc<Self>, name: &str, behind: Offset, most_bytes: usize) -> Way {
        self.with(name, |topic| {
            let window = topic.window.as_ref();
            match window.map(|window| window.behind(behind, most_bytes)) {
                Some(Kept::Messages(messages)) => Way::Here(messages),
                Some(Kept::Gone) => Way::Apart,
                // What waits there for a message that is yet to come is not waited for by those for whom there are some.
                _ if topic.step.as_ref().is_some_and(|step| behind < step.place) => Way::Apart,
                at_end => {
                    let step = topic.step.get_or_insert_with(|| {
                        let is_at_end = matches!(at_end, Some(Kept::End));
                        let reading = topic.at_end.take();
                        self.clone()
                            .step(name, behind, most_bytes, reading, is_at_end)
                    });
                    Way::With(step.clone())
                }
            }
        })
    }

    /// Begins a step at a place, with the reading at the topic's end if the place `is_at_end`.
    fn step(
        self: Arc<Self>,
        topic: &str,
        place: Offset,
        most_bytes: usize,
        reading: Option<B::Reading>,
        is_at_end: bool,
    ) -> Step {
        let topic = topic.to_owned();
        let task = tokio::spawn(async move {
            let (reading, other) = if is_at_end {
                (reading, None)
            } else {
                (None, reading)
            };
            if let Some(other) = other {
                other.close().await;
            }
            let outcome = self.advance(&topic, place, most_bytes, reading).await;
            self.with(&topic, |topic| {
                topic.step = None;
                let (reading, messages) = outcome?;
                topic.at_end = Some(reading);
                let window = topic.window.take().filter(|window| window.end() == place);
                let window = topic
                    .window
                    .insert(window.unwrap_or_else(|| Window::at(place)));
                window.push(&messages);
                Ok(messages.into())
            })
        });
        let outcome = async {
            task.await
                .unwrap_or_else(|error| Err(faults::ended(&error)))
        };
        let outcome = outcome.boxed().shared();
        Step { place, outcome }
    }

    async fn read_apart(
        self: Arc<Self>,
        name: String,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        // It is never closed.
        let _permit = self.apart.acquire().await.ok();
        let reading = self.with(&name, |topic| {
            let kept = topic.apart.iter().position(|(place, _)| *place == behind);
            kept.map(|kept| topic.apart.remove(kept).1)
        });
        let (reading, messages) = self.advance(&name, behind, most_bytes, reading).await?;
        let place = messages.last().map_or(behind, |last| last.offset);
        let oldest = self.with(&name, |topic| {
            topic.apart.push((place, reading));
            (topic.apart.len() > APART).then(|| topic.apart.remove(0).1)
        });
        if let Some(oldest) = oldest {
            oldest.close().await;
        }
        Ok(messages)
    }

    /// Reads on behind a place by the reading that is there, or by a new one.
    async fn advance(
        &self,
        topic: &str,
        place: Offset,
        most_bytes: usize,
        reading: Option<B::Reading>,
    ) -> Result<(B::Reading, Vec<Message>), Fault> {
        if let Some(mut reading) = reading {
            match reading.more(most_bytes).await {
                Ok(messages) => return Ok((reading, messages)),
                // Brokers end what rests for long.
                Err(fault) => tracing::debug!(topic, error = %fault, "reading begins anew"),
            }
            reading.close().await;
        }
        let (mut reading, extent) = self.broker.open(topic, place).await?;
        let messages = if extent.holds_all_behind(place) {
            reading.more(most_bytes).await
        } else {
            Err(faults::truncated(&self.broker, topic, place, extent))
        };
        match messages {
            Ok(messages) => Ok((reading, messages)),
            Err(fault) => {
                reading.close().await;
                Err(fault)
            }
        }
    }
}

impl<R> Default for Topic<R> {
    fn default() -> Self {
        Self {
            window: None,
            at_end: None,
            step: None,
            apart: Vec::new(),
        }
    }
}
