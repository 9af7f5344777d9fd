//! A consumer of ours, and the questions that it is asked, one after the other.

use super::api::{self, ConsumerInfo, NewConsumer, Next, Refusal, StreamInfo};
use super::{Link, PATIENCE, faults};
use crate::reader::changes::Message;
use crate::reader::changes::broker::{Extent, Reading};
use async_nats::{Client, RequestErrorKind, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use model::{Fault, Offset};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time;

/// How long a question for a message that is not there yet waits.
const WAIT: Duration = Duration::from_secs(10);

/// After how long without a question the server takes a consumer away.
const UNASKED: Duration = Duration::from_secs(60);

/// The most messages of one answer.
const MOST_MESSAGES: usize = 10_000;

// What ends an answer that has fewer messages than were asked for.
const NO_MESSAGES: u16 = 404;
const TIME_IS_UP: u16 = 408;
const TOO_LARGE: u16 = 409;

/// Why a stream can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The server does not answer. It may pass.
    #[error("{0}")]
    Silent(String),
    /// The server has no JetStream.
    #[error("the server has no streams")]
    NoStreams,
    /// The server refuses.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer can't be understood.
    #[error("the server's answer can't be understood")]
    Malformed,
    /// The consumer is gone, or gives other messages than the next.
    #[error("the consumer {0}")]
    Lost(String),
}

/// A consumer of a stream. It is of no more use after an error.
#[derive(Debug)]
pub(crate) struct Consumer {
    broker: String,
    link: Link,
    stream: String,
    name: String,
    inbox: String,
    answers: Subscriber,
    /// The newest message that was given.
    behind: u64,
}

/// What a stream holds.
pub(super) async fn extent(client: &Client, stream: &str) -> Result<Extent, Error> {
    let info: StreamInfo = ask(client, api::info_subject(stream), &()).await?;
    Ok(info.extent())
}

impl Consumer {
    /// Makes one that begins behind a place.
    pub(super) async fn make(
        broker: &str,
        link: Link,
        stream: &str,
        behind: u64,
    ) -> Result<Self, Error> {
        let wanted = NewConsumer::from(stream, behind.saturating_add(1), UNASKED);
        let made: ConsumerInfo = ask(&link.client, api::create_subject(stream), &wanted).await?;
        let inbox = link.client.new_inbox();
        let subscribed = link.client.subscribe(inbox.clone()).await;
        let answers = subscribed.map_err(|error| Error::Silent(error.to_string()))?;
        Ok(Self {
            broker: broker.to_owned(),
            link,
            stream: stream.to_owned(),
            name: made.name,
            inbox,
            answers,
            behind,
        })
    }

    async fn read(&mut self, most_bytes: usize) -> Result<Vec<Message>, Error> {
        loop {
            let there = Next::of_those_there(MOST_MESSAGES, most_bytes);
            let messages = self.answer(&there, MOST_MESSAGES, PATIENCE).await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
            // None is there, or the first is larger than all that was asked for.
            let one = Next::one_within(WAIT);
            let messages = self.answer(&one, 1, WAIT + PATIENCE).await?;
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
    }

    /// Asks for so many messages, and takes what comes until the server says that it was all.
    async fn answer(
        &mut self,
        question: &Next,
        most: usize,
        limit: Duration,
    ) -> Result<Vec<Message>, Error> {
        let subject = api::next_subject(&self.stream, &self.name);
        let publish =
            self.link
                .client
                .publish_with_reply(subject, self.inbox.clone(), json(question)?);
        publish
            .await
            .map_err(|error| Error::Silent(error.to_string()))?;
        let mut messages = Vec::new();
        while messages.len() < most {
            let answer = self.next_answer(limit).await?;
            let Some(status) = answer.status else {
                messages.push(self.message(answer)?);
                continue;
            };
            let description = answer.description.unwrap_or_default();
            match status.as_u16() {
                NO_MESSAGES | TIME_IS_UP => break,
                TOO_LARGE if description.contains("MaxBytes") => break,
                status => return Err(Error::Lost(format!("is gone ({status} {description})"))),
            }
        }
        Ok(messages)
    }

    async fn next_answer(&mut self, limit: Duration) -> Result<async_nats::Message, Error> {
        let lost = || Error::Silent("the connection was lost".to_owned());
        tokio::select! {
            answer = self.answers.next() => answer.ok_or_else(lost),
            () = self.link.lost.cancelled() => Err(lost()),
            () = time::sleep(limit) => Err(Error::Silent(format!("no answer within {} s", limit.as_secs()))),
        }
    }

    fn message(&mut self, answer: async_nats::Message) -> Result<Message, Error> {
        let number = answer.reply.as_deref().and_then(api::number);
        let number = number.ok_or(Error::Malformed)?;
        // Numbers of a stream have gaps only where messages were deleted.
        if number != self.behind.saturating_add(1) {
            return Err(Error::Lost(format!(
                "gives message {number} after {}",
                self.behind
            )));
        }
        self.behind = number;
        Ok(Message {
            offset: Offset::new(number),
            // Not a view of all that was received with it, which would stay in memory.
            payload: Bytes::copy_from_slice(&answer.payload),
        })
    }
}

impl Reading for Consumer {
    async fn more(&mut self, most_bytes: usize) -> Result<Vec<Message>, Fault> {
        self.read(most_bytes)
            .await
            .map_err(|error| faults::of(&self.broker, &self.stream, &error))
    }

    async fn close(mut self) {
        if self.link.is_up() {
            self.answers.unsubscribe().await.ok();
            let subject = api::delete_subject(&self.stream, &self.name);
            // What is left is the server's to take away.
            ask::<serde_json::Value>(&self.link.client, subject, &())
                .await
                .ok();
        }
    }
}

async fn ask<T: DeserializeOwned>(
    client: &Client,
    subject: String,
    question: &impl Serialize,
) -> Result<T, Error> {
    let answer = client.request(subject, json(question)?).await;
    let answer = answer.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => Error::NoStreams,
        _ => Error::Silent(error.to_string()),
    })?;
    let answer = api::answer(&answer.payload).ok_or(Error::Malformed)?;
    answer.map_err(Error::Refused)
}

fn json(question: &impl Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(question)
        .map(Bytes::from)
        .map_err(|_| Error::Malformed)
}
