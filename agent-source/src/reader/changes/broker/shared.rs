//! Who reads what, and with whom.

use super::window::{Kept, Window};
use super::{Broker, Reading, faults};
use crate::reader::changes::{ChangeSource, Message};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared as SharedFuture};
use model::{Class, Fault, Offset};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

/// How many may read for themselves at a time.
const APART: usize = 4;

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
    /// The broker, read from by nobody yet.
    pub(crate) fn new(broker: B) -> Self {
        Self(Arc::new(Inner {
            broker,
            topics: Mutex::default(),
            apart: Semaphore::new(APART),
        }))
    }
}

impl<B: Broker> Shared<B> {
    /// The topic's oldest message.
    ///
    /// # Errors
    /// `log_unreachable`, `log_topic_missing`.
    pub(crate) async fn oldest(&self, topic: &str) -> Result<Message, Fault> {
        let broker = &self.0.broker;
        let none = || faults::empty(broker, topic);
        // Connecting takes much room, and is rare.
        let reading = Box::pin(broker.open_oldest(topic)).await?;
        let mut reading = reading.ok_or_else(none)?;
        let messages = reading.more(1).await;
        reading.close().await;
        messages?.into_iter().next().ok_or_else(none)
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
        let broker = &self.0.broker;
        // As above.
        let newest = Box::pin(broker.newest(topic)).await?;
        newest.ok_or_else(|| faults::empty(broker, topic))
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
        let mut reading = self.broker.open(topic, place).await?;
        match reading.more(most_bytes).await {
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
