//! A connection to one broker: one question at a time.

use crate::answers::Address;
use crate::error::Error;
use crate::requests::Request;
use crate::wire::{Malformed, Reader};
use bytes::BytesMut;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsConnector;

/// How long a broker may take to be connected to, and to answer what needs no waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer. One batch comes whole, however little was asked for; Milvus's have about 10 MiB.
const MOST_BYTES: usize = 256 << 20;

/// TLS for all brokers.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Whom to believe, and who calls.
    pub config: Arc<ClientConfig>,
    /// The name that each broker's certificate must bear; absent, that of its address.
    pub server_name: Option<String>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An open connection. One whose question was given up is not used again.
pub(crate) struct Connection {
    address: String,
    stream: Box<dyn Stream>,
    number: i32,
}

impl Connection {
    /// Connects, with TLS where there is some.
    pub(crate) async fn open(to: &Address, tls: Option<&Tls>) -> Result<Self, Error> {
        let address = format!("{}:{}", to.host, to.port);
        let connected = in_time(PATIENCE, TcpStream::connect((&*to.host, to.port))).await;
        let stream = connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = stream.map_err(|cause| Error::Unreachable {
            address: address.clone(),
            cause,
        })?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(tls) => Box::new(secured(stream, to, tls).await.map_err(|cause| Error::Tls {
                address: address.clone(),
                cause,
            })?),
        };
        Ok(Self {
            address,
            stream,
            number: 0,
        })
    }

    /// The broker's host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks, and decodes the answer.
    pub(crate) async fn ask<T>(
        &mut self,
        request: &Request,
        decode: impl FnOnce(Reader) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let answer = self.ask_patiently(request, Duration::ZERO).await?;
        decode(answer).map_err(|cause| self.malformed(cause))
    }

    /// Asks what the broker may take so long to answer.
    pub(crate) async fn ask_patiently(
        &mut self,
        request: &Request,
        wait: Duration,
    ) -> Result<Reader, Error> {
        self.number = self.number.wrapping_add(1);
        let frame = request.frame(self.number);
        let answer = in_time(PATIENCE + wait, self.exchange(&frame)).await;
        let mut answer = answer.map_err(|cause| Error::Broken {
            address: self.address.clone(),
            cause,
        })?;
        match answer.i32() {
            Ok(number) if number == self.number => Ok(answer),
            _ => Err(self.malformed(Malformed("it answers another question"))),
        }
    }

    /// An answer of this broker's that is none.
    pub(crate) fn malformed(&self, cause: Malformed) -> Error {
        Error::Malformed {
            address: self.address.clone(),
            cause,
        }
    }

    async fn exchange(&mut self, frame: &[u8]) -> io::Result<Reader> {
        self.stream.write_all(frame).await?;
        self.stream.flush().await?;
        let length = self.stream.read_i32().await?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MOST_BYTES {
            let cause = "it announces an answer that is too long for Kafka's";
            return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
        }
        let mut answer = BytesMut::new();
        let mut rest = (&mut self.stream).take(length as u64);
        while answer.len() < length {
            if rest.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Reader::new(answer.freeze()))
    }
}

async fn secured(stream: TcpStream, to: &Address, tls: &Tls) -> io::Result<impl Stream + use<>> {
    let name = tls.server_name.as_ref().unwrap_or(&to.host).clone();
    let name = ServerName::try_from(name)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the name is none of a server"))?;
    let connector = TlsConnector::from(tls.config.clone());
    in_time(PATIENCE, connector.connect(name, stream)).await
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| {
        let cause = format!("no answer within {} s", limit.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, cause)
    };
    time::timeout(limit, work).await.map_err(late)?
}
