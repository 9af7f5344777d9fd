//! A connection to a broker: commands and answers.
//!
//! It has no task of its own. It is read from only when somebody waits for something, so that what the broker sends meanwhile waits on
//! the line; a connection that rests for minutes is ended by the broker.

use super::error::Error;
use super::frame::{self, Entry, Said};
use super::seat::{Seat, Stream};
use super::{QUIET, in_time};
use bytes::BytesMut;
use futures::FutureExt;
use proto::pulsar::base_command::Body;
use proto::pulsar::{Connect, Connected, Ping, Pong};
use runtime::config::HostPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time;

/// The version of the protocol that is asked for: brokers then know nothing of what came later.
const PROTOCOL_VERSION: i32 = 15;

/// The largest message that a broker takes, unless it says otherwise; and the largest that it may say.
const MESSAGE_BYTES: usize = 5 << 20;
const MOST_MESSAGE_BYTES: usize = 64 << 20;

/// What a frame may have beside a message: the command and the metadata.
const BESIDE_BYTES: usize = 64 << 10;

/// So much is read at once.
const READ_BYTES: usize = 64 << 10;

/// A connection to a broker that has accepted who calls.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    /// What came and was not looked at yet: at most one frame, and what was read with its end.
    received: BytesMut,
    most_bytes: usize,
    last_request: u64,
}

impl Connection {
    /// Connects to a broker; by way of a proxy at this address, if the `broker` behind it is named.
    pub(super) async fn open(
        seat: &Seat,
        address: &HostPort,
        broker: Option<&HostPort>,
    ) -> Result<Self, Error> {
        in_time(async {
            let mut connection = Self {
                stream: seat.dial(address).await?,
                received: BytesMut::new(),
                most_bytes: MESSAGE_BYTES + BESIDE_BYTES,
                last_request: 0,
            };
            connection.greet(seat, broker).await?;
            Ok(connection)
        })
        .await
    }

    async fn greet(&mut self, seat: &Seat, broker: Option<&HostPort>) -> Result<(), Error> {
        let (method, data) = match &seat.token {
            Some(token) => (Some("token"), Some(token.expose().to_owned())),
            None => (seat.has_certificate.then_some("tls"), None),
        };
        self.send(Body::Connect(Connect {
            client_version: concat!("Passage-", env!("CARGO_PKG_VERSION")).to_owned(),
            auth_data: data.map(Into::into),
            protocol_version: Some(PROTOCOL_VERSION),
            auth_method_name: method.map(str::to_owned),
            proxy_to_broker_url: broker.map(ToString::to_string),
        }))
        .await?;
        loop {
            match self.said().await? {
                Said::Command(Some(Body::Connected(connected))) => {
                    self.agree(&connected);
                    return Ok(());
                }
                Said::Command(Some(Body::Error(error))) => return Err(refused(error)),
                Said::Command(Some(Body::AuthChallenge(_))) => return Err(Error::Login),
                Said::Command(None) => {}
                said => return Err(unasked(&said)),
            }
        }
    }

    fn agree(&mut self, connected: &Connected) {
        let told = connected.max_message_size.map(usize::try_from);
        let most = told.and_then(Result::ok).filter(|most| *most > 0);
        self.most_bytes = most.unwrap_or(MESSAGE_BYTES).min(MOST_MESSAGE_BYTES) + BESIDE_BYTES;
    }

    /// Asks, by a command that the number is given to, and waits for the answer to it.
    ///
    /// # Errors
    /// What the broker refuses with; it is no answer that entries of the log come.
    pub(super) async fn ask(&mut self, question: impl FnOnce(u64) -> Body) -> Result<Body, Error> {
        self.last_request += 1;
        let number = self.last_request;
        in_time(async {
            self.send(question(number)).await?;
            loop {
                match self.said().await? {
                    Said::Command(Some(Body::Error(error))) if error.request_id == number => {
                        return Err(refused(error));
                    }
                    Said::Command(Some(answer)) if request(&answer) == Some(number) => {
                        return Ok(answer);
                    }
                    Said::Command(None) => {}
                    said => return Err(unasked(&said)),
                }
            }
        })
        .await
    }

    /// Waits for the next entry of the log. A broker that says nothing for long is asked whether it is there.
    pub(super) async fn entry(&mut self) -> Result<Entry, Error> {
        loop {
            if let Some(entry) = self.entry_at_hand().await? {
                return Ok(entry);
            }
            self.fill().await?;
        }
    }

    /// The next entry, if it has come already.
    pub(super) async fn entry_at_hand(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            let Some(said) = self.said_at_hand().await? else {
                // What lies on the line is taken, too; nothing is waited for.
                match self.fill().now_or_never() {
                    Some(filled) => filled?,
                    None => return Ok(None),
                }
                continue;
            };
            match said {
                Said::Entry(entry) => return Ok(Some(entry)),
                Said::Command(None) => {}
                Said::Command(Some(Body::CloseConsumer(_))) => return Err(Error::Closed),
                Said::Command(Some(Body::ReachedEndOfTopic(_))) => return Err(Error::Terminated),
                Said::Command(Some(Body::Error(error))) => return Err(refused(error)),
                said => return Err(unasked(&said)),
            }
        }
    }

    async fn said(&mut self) -> Result<Said, Error> {
        loop {
            if let Some(said) = self.said_at_hand().await? {
                return Ok(said);
            }
            self.fill().await?;
        }
    }

    /// What the broker has said, as far as it has come; a question whether we are there is answered.
    async fn said_at_hand(&mut self) -> Result<Option<Said>, Error> {
        while let Some(length) = frame::length(&self.received, self.most_bytes)? {
            if self.received.len() < length {
                break;
            }
            match frame::decode(self.received.split_to(length).freeze())? {
                Said::Command(Some(Body::Ping(_))) => self.send(Body::Pong(Pong {})).await?,
                Said::Command(Some(Body::Pong(_))) => {}
                said => return Ok(Some(said)),
            }
        }
        Ok(None)
    }

    /// Sends a command.
    pub(super) async fn send(&mut self, body: Body) -> Result<(), Error> {
        let frame = frame::encode(body);
        in_time(async {
            self.stream.write_all(&frame).await?;
            Ok(self.stream.flush().await?)
        })
        .await
    }

    /// Waits for more bytes.
    async fn fill(&mut self) -> Result<(), Error> {
        self.received.reserve(READ_BYTES);
        let quiet = time::timeout(QUIET, self.stream.read_buf(&mut self.received)).await;
        let read = match quiet {
            Ok(read) => read?,
            Err(_) => {
                self.send(Body::Ping(Ping {})).await?;
                let reading = self.stream.read_buf(&mut self.received);
                in_time(async { Ok(reading.await?) }).await?
            }
        };
        match read {
            0 => Err(Error::HungUp),
            _ => Ok(()),
        }
    }
}

/// The number of the question that this answers.
fn request(answer: &Body) -> Option<u64> {
    match answer {
        Body::Success(success) => Some(success.request_id),
        Body::LookupAnswer(answer) => Some(answer.request_id),
        Body::LastMessageId(answer) => Some(answer.request_id),
        _ => None,
    }
}

fn refused(error: proto::pulsar::Error) -> Error {
    Error::Refused {
        number: error.error,
        message: error.message,
    }
}

/// What was said has no place here.
fn unasked(said: &Said) -> Error {
    let what = match said {
        Said::Entry(_) => "a message that was not asked for",
        Said::Command(_) => "an answer to another question",
    };
    Error::Unasked(what.to_owned())
}
