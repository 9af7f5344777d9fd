//! A broker that answers from memory. See Kafka's protocol guide for the forms.

use std::iter;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(super) const TOPIC: &str = "by-dev-rootcoord-dml_0";

// The requests that are known, and the version of each.
const FETCH: (u16, u16) = (1, 4);
const LIST_OFFSETS: (u16, u16) = (2, 1);
const METADATA: (u16, u16) = (3, 1);
const SASL_HANDSHAKE: (u16, u16) = (17, 1);
const API_VERSIONS: (u16, u16) = (18, 3);
const SASL_AUTHENTICATE: (u16, u16) = (36, 0);

const WRONG_PASSWORD: u16 = 58;
const UNKNOWN_MECHANISM: u16 = 33;

/// What a broker was asked, each request as it came.
pub(super) type Asked = Arc<Mutex<Vec<Vec<u8>>>>;

/// One with offsets 5 to 9 in the first partition of its topic, which it leads; a fetch gives none of them.
#[derive(Debug, Clone)]
pub(super) struct Fake {
    pub(super) topic: &'static str,
    /// Kafka's number of what is wrong with the topic, if not 0.
    pub(super) refusal: u16,
    /// The same for a fetch.
    pub(super) fetch_refusal: u16,
    pub(super) login: Option<Login>,
}

/// A mechanism, and what a login by it is answered; nothing, it is refused.
#[derive(Debug, Clone)]
pub(super) struct Login {
    mechanism: &'static str,
    answer: Option<&'static str>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            topic: TOPIC,
            refusal: 0,
            fetch_refusal: 0,
            login: None,
        }
    }
}

impl Fake {
    pub(super) fn refusing_login(mechanism: &'static str) -> Self {
        let login = Login {
            mechanism,
            answer: None,
        };
        Self {
            login: Some(login),
            ..Self::default()
        }
    }

    pub(super) fn answering_login(mechanism: &'static str, answer: &'static str) -> Self {
        let login = Login {
            mechanism,
            answer: Some(answer),
        };
        Self {
            login: Some(login),
            ..Self::default()
        }
    }

    /// Answers whoever connects, and hangs up on what it does not know.
    pub(super) async fn listen(self) -> (u16, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Asked::default();
        let heard = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (fake, heard) = (self.clone(), heard.clone());
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u32().await {
                        let mut request = vec![0; length as usize];
                        stream.read_exact(&mut request).await.unwrap();
                        heard.lock().unwrap().push(request.clone());
                        let Some(body) = fake.answer(&request, port) else {
                            break;
                        };
                        let number = &request[4..8];
                        let length = body.len() as u32 + 4;
                        let answer = [&length.to_be_bytes(), number, &body].concat();
                        stream.write_all(&answer).await.unwrap();
                    }
                });
            }
        });
        (port, asked)
    }

    fn answer(&self, request: &[u8], port: u16) -> Option<Vec<u8>> {
        let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
        match (word(0), word(2)) {
            API_VERSIONS => Some(versions()),
            SASL_HANDSHAKE => self.handshake(request),
            SASL_AUTHENTICATE => self.login.as_ref().map(Login::authenticate),
            METADATA => Some(self.metadata(port)),
            LIST_OFFSETS => Some(self.offset(request)),
            FETCH => Some(self.fetched()),
            _ => None,
        }
    }

    fn handshake(&self, request: &[u8]) -> Option<Vec<u8>> {
        let login = self.login.as_ref()?;
        let is_known = request.ends_with(login.mechanism.as_bytes());
        let code = if is_known { 0 } else { UNKNOWN_MECHANISM };
        Some([i16(code), i32(1), text(login.mechanism)].concat())
    }

    /// Itself as the only broker, and its topic.
    fn metadata(&self, port: u16) -> Vec<u8> {
        let broker = [i32(1), text("127.0.0.1"), i32(port.into()), i16(u16::MAX)];
        let partition = [i16(0), i32(0), i32(1), i32(0), i32(0)];
        let topic = [i16(self.refusal), text(self.topic), vec![0], i32(1)];
        let topic = [topic.concat(), partition.concat()];
        [i32(1), broker.concat(), i32(1), i32(1), topic.concat()].concat()
    }

    /// The first or the next offset, as the request's last words ask.
    fn offset(&self, request: &[u8]) -> Vec<u8> {
        let is_first = request.ends_with(&(-2i64).to_be_bytes());
        let offset = if is_first { 5 } else { 10 };
        let partition = [i32(0), i16(0), i64(0), i64(offset)];
        [i32(1), text(self.topic), i32(1), partition.concat()].concat()
    }

    fn fetched(&self) -> Vec<u8> {
        let partition = [
            i32(0),
            i16(self.fetch_refusal),
            i64(10),
            i64(10),
            i32(0),
            i32(0),
        ];
        [i32(0), i32(1), text(self.topic), i32(1), partition.concat()].concat()
    }
}

impl Login {
    fn authenticate(&self) -> Vec<u8> {
        let (code, answer) = match self.answer {
            None => (WRONG_PASSWORD, ""),
            Some(answer) => (0, answer),
        };
        let length = i32(answer.len() as u32);
        [i16(code), i16(u16::MAX), length, answer.into()].concat()
    }
}

/// One that hears what it is told first, answers with these bytes whatever it was, and hangs up.
pub(super) async fn rude(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            stream.write_all(answer).await.ok();
        }
    });
    port
}

fn versions() -> Vec<u8> {
    let known = [
        FETCH,
        LIST_OFFSETS,
        METADATA,
        SASL_HANDSHAKE,
        SASL_AUTHENTICATE,
    ];
    let entries =
        known.map(|(key, version)| [i16(key), i16(version), i16(version), vec![0]].concat());
    let length = vec![known.len() as u8 + 1];
    [i16(0), length, entries.concat(), i32(0), vec![0]].concat()
}

fn i16(number: u16) -> Vec<u8> {
    number.to_be_bytes().into()
}

fn i32(number: u32) -> Vec<u8> {
    number.to_be_bytes().into()
}

fn i64(number: u64) -> Vec<u8> {
    number.to_be_bytes().into()
}

fn text(text: &str) -> Vec<u8> {
    iter::chain(i16(text.len() as u16), text.bytes()).collect()
}
