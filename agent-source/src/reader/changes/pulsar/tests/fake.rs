//! A broker that answers from memory: its topic, and what Pulsar does with readers whose place is gone, which is to go on with what there
//! is and say nothing.

use super::wire::{self, Fields};
use runtime::config::{HostPort, PulsarSection};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) const TOPIC: &str = "by-dev-rootcoord-dml_0";

/// Ledger and entry.
pub(super) type Id = (u64, u64);

const NONE: Id = (u64::MAX, u64::MAX);

// What is said, by its number.
const CONNECT: u64 = 2;
const CONNECTED: u64 = 3;
const SUBSCRIBE: u64 = 4;
const FLOW: u64 = 11;
const SUCCESS: u64 = 13;
const ERROR: u64 = 14;
const CLOSE_CONSUMER: u64 = 16;
const PING: u64 = 18;
const PONG: u64 = 19;
const LOOKUP: u64 = 23;
const LOOKUP_ANSWER: u64 = 24;
const GET_LAST: u64 = 29;
const LAST: u64 = 30;

/// The errors that it refuses with.
pub(super) const AUTHENTICATION_ERROR: u64 = 3;
const TOPIC_NOT_FOUND: u64 = 11;

/// What the broker holds, and how it behaves.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// As they are stored: metadata and payload.
    pub(super) entries: BTreeMap<Id, Vec<u8>>,
    /// The newest there ever was.
    last: Option<Id>,
    /// The token that it wants.
    pub(super) token: Option<&'static str>,
    /// How often it names itself as the broker to ask before it says that it has the topic.
    pub(super) redirects: u64,
    /// Whether it is a proxy before the broker that it names.
    pub(super) is_proxy: bool,
    /// The entry whose checksum it tells wrong.
    pub(super) damaged: Option<Id>,
    /// It hangs up before this entry, once.
    pub(super) hang_up_before: Option<Id>,
    /// It sends no entry and no answer any more, though the line stands.
    pub(super) is_silent: bool,
    /// It sends a frame of 4 GiB in place of an entry.
    pub(super) is_oversized: bool,
    /// A port with TLS before its own.
    pub(super) tls_port: Option<u16>,
    /// It tells every reader that the topic moves away, once.
    pub(super) lets_go: bool,
}

/// A fake of Pulsar's broker.
#[derive(Debug, Clone)]
pub(super) struct FakePulsar {
    pub(super) port: u16,
    state: Arc<watch::Sender<State>>,
    /// Every command that it was given, with its number.
    heard: Arc<Mutex<Vec<(u64, Fields)>>>,
}

impl FakePulsar {
    pub(super) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::new(watch::Sender::new(State::default())),
            heard: Arc::default(),
        };
        let served = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Connection {
                    fake: served.clone(),
                    stream,
                    reader: None,
                };
                tokio::spawn(connection.serve());
            }
        });
        fake
    }

    /// One with these entries of one message each, whose payload is the entry's id.
    pub(super) async fn with(ids: impl IntoIterator<Item = Id>) -> Self {
        let fake = Self::listen().await;
        for id in ids {
            fake.write(id);
        }
        fake
    }

    pub(super) fn section(&self) -> PulsarSection {
        PulsarSection {
            address: HostPort {
                host: "127.0.0.1".to_owned(),
                port: self.port,
            },
            tls: None,
            token: None,
            tenant: "acme".to_owned(),
            namespace: "milvus".to_owned(),
        }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    pub(super) fn write(&self, id: Id) {
        self.write_stored(id, wire::entry(payload(id).as_bytes(), &[]));
    }

    pub(super) fn write_stored(&self, id: Id, stored: Vec<u8>) {
        self.set(|state| {
            state.entries.insert(id, stored);
            state.last = Some(id);
        });
    }

    /// Deletes a ledger, as Pulsar does once nobody is to have it any more.
    pub(super) fn delete_ledger(&self, ledger: u64) {
        self.set(|state| state.entries.retain(|id, _| id.0 != ledger));
    }

    /// All commands of a kind that it was given.
    pub(super) fn heard(&self, kind: u64) -> Vec<Fields> {
        let heard = self.heard.lock().unwrap();
        let of_kind = heard.iter().filter(|(heard, _)| *heard == kind);
        of_kind.map(|(_, fields)| fields.clone()).collect()
    }

    /// The kinds of command that it was given.
    pub(super) fn kinds(&self) -> Vec<u64> {
        let mut kinds: Vec<_> = self
            .heard
            .lock()
            .unwrap()
            .iter()
            .map(|heard| heard.0)
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    pub(super) fn subscriptions(&self) -> Vec<Fields> {
        self.heard(SUBSCRIBE)
    }

    pub(super) fn connects(&self) -> Vec<Fields> {
        self.heard(CONNECT)
    }
}

/// What an entry that was written without a payload has.
pub(super) fn payload((ledger, entry): Id) -> String {
    format!("{ledger}:{entry}")
}

/// A reader's cursor.
#[derive(Debug)]
struct Cursor {
    next: Id,
    permits: u64,
}

struct Connection {
    fake: FakePulsar,
    stream: TcpStream,
    reader: Option<Cursor>,
}

impl Connection {
    async fn serve(mut self) {
        let mut state = self.fake.state.subscribe();
        let mut received = Vec::new();
        loop {
            while let Some(body) = next_frame(&mut received) {
                if self.answer(&body).await.is_none() {
                    return;
                }
            }
            if self.deliver().await.is_none() {
                return;
            }
            tokio::select! {
                read = self.stream.read_buf(&mut received) => match read {
                    Ok(1..) => {}
                    _ => return,
                },
                _ = state.changed() => {}
            }
        }
    }

    /// Answers a command; `None` when it hangs up.
    async fn answer(&mut self, body: &[u8]) -> Option<()> {
        let command = Fields::read(&body[4..]);
        let kind = command.number(1).unwrap();
        let asked = command.message(kind).unwrap();
        self.fake.heard.lock().unwrap().push((kind, asked.clone()));
        let state = self.fake.state.borrow().clone();
        if state.is_silent {
            return Some(());
        }
        match kind {
            CONNECT => self.connect(&state, &asked).await,
            LOOKUP => self.lookup(&state, &asked).await,
            SUBSCRIBE => self.subscribe(&state, &asked).await,
            GET_LAST => {
                // Pulsar knows no last message whose ledger is gone.
                let is_there = |last: &Id| state.entries.keys().any(|id| id.0 == last.0);
                let last = wire::message_id(state.last.filter(is_there).unwrap_or(NONE));
                let answer = [wire::bytes(1, &last), number_of(&asked)(2)].concat();
                self.send(wire::command(LAST, &answer)).await
            }
            FLOW => {
                self.reader.as_mut()?.permits += asked.number(2)?;
                Some(())
            }
            CLOSE_CONSUMER => {
                self.reader = None;
                Some(())
            }
            PING => self.send(wire::command(PONG, &[])).await,
            PONG => Some(()),
            other => panic!("command {other} is none of a reader's"),
        }
    }

    async fn connect(&mut self, state: &State, asked: &Fields) -> Option<()> {
        if state.token.is_some() && state.token != asked.text(3) {
            let why = (AUTHENTICATION_ERROR, "Failed to authenticate");
            return self.refuse(u64::MAX, why).await;
        }
        let answer = [
            wire::bytes(1, b"fake"),
            wire::number(2, 15),
            wire::number(3, 1 << 20),
        ];
        self.send(wire::command(CONNECTED, &answer.concat())).await
    }

    async fn lookup(&mut self, state: &State, asked: &Fields) -> Option<()> {
        let left = state.redirects;
        self.fake.state.send_if_modified(|state| {
            state.redirects = state.redirects.saturating_sub(1);
            false
        });
        let url = format!("pulsar://127.0.0.1:{}", self.fake.port);
        let tls = state.tls_port;
        let url_tls = tls.map(|port| format!("pulsar+ssl://127.0.0.1:{port}"));
        let answer = [
            wire::bytes(1, url.as_bytes()),
            url_tls.map_or(Vec::new(), |url| wire::bytes(2, url.as_bytes())),
            wire::number(3, u64::from(left == 0)),
            number_of(asked)(4),
            wire::number(5, u64::from(left > 0)),
            wire::number(8, u64::from(state.is_proxy)),
        ];
        self.send(wire::command(LOOKUP_ANSWER, &answer.concat()))
            .await
    }

    async fn subscribe(&mut self, state: &State, asked: &Fields) -> Option<()> {
        let request = asked.number(5)?;
        if asked.text(1)? != format!("persistent://acme/milvus/{TOPIC}") {
            return self
                .refuse(request, (TOPIC_NOT_FOUND, "Topic does not exist"))
                .await;
        }
        let start = asked.message(9)?;
        let start = (start.number(1)?, start.number(2)?);
        let beyond = state.last.map(|(ledger, entry)| (ledger, entry + 1));
        let next = match start {
            NONE => (0, 0),
            start if Some(start) >= beyond => beyond.unwrap_or_default(),
            start => start,
        };
        self.reader = Some(Cursor { next, permits: 0 });
        self.send(wire::command(SUCCESS, &wire::number(1, request)))
            .await
    }

    async fn deliver(&mut self) -> Option<()> {
        loop {
            let state = self.fake.state.borrow().clone();
            let Some(reader) = self.reader.as_mut().filter(|reader| reader.permits > 0) else {
                return Some(());
            };
            if state.lets_go {
                self.reader = None;
                self.fake.set(|state| state.lets_go = false);
                let closed = [wire::number(1, 1), wire::number(2, 0)].concat();
                return self.send(wire::command(CLOSE_CONSUMER, &closed)).await;
            }
            let Some((id, stored)) = state.entries.range(reader.next..).next() else {
                return Some(());
            };
            if state.is_silent {
                return Some(());
            }
            if state.hang_up_before == Some(*id) {
                self.fake.set(|state| state.hang_up_before = None);
                return None;
            }
            reader.next = (id.0, id.1 + 1);
            reader.permits -= 1;
            let damage = u32::from(state.damaged == Some(*id));
            let frame = if state.is_oversized {
                vec![0xff; 8]
            } else {
                wire::delivery(*id, stored, damage)
            };
            self.send(frame).await?;
        }
    }

    async fn refuse(&mut self, request: u64, (error, why): (u64, &str)) -> Option<()> {
        let answer = [
            wire::number(1, request),
            wire::number(2, error),
            wire::bytes(3, why.as_bytes()),
        ];
        self.send(wire::command(ERROR, &answer.concat())).await
    }

    async fn send(&mut self, frame: Vec<u8>) -> Option<()> {
        self.stream.write_all(&frame).await.ok()
    }
}

/// The number of a question, as a field of its answer.
fn number_of(asked: &Fields) -> impl Fn(u64) -> Vec<u8> {
    let request = asked.number(2).unwrap();
    move |field| wire::number(field, request)
}

/// What follows a whole frame's first number.
fn next_frame(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let head = received.first_chunk::<4>()?;
    let end = 4 + u32::from_be_bytes(*head) as usize;
    (received.len() >= end).then(|| received.drain(..end).skip(4).collect())
}
