//! The handshake over TCP, from both sides. How long it may take is its caller's to say.

use super::credentials::Trust;
use super::error::TlsError;
use super::secured::Secured;
use super::socket::{Socket, buffered};
use super::terms::{self, Outcome};
use rustls::Error;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// What is spoken above TLS.
const ALPN: &[u8] = b"h2";

/// How much rustls holds of what is to be sent; at its default of 64 KiB the sender spent up to 10 % more CPU.
const SEND_BUFFER_BYTES: usize = 1 << 20;

/// How long a refused peer may take to read why, and how much of what it still sends is read.
const PARTING_LIMIT: Duration = Duration::from_secs(1);
const PARTING_BYTES: u64 = 64 << 10;

/// The dialling side. `host` only fills the field of the protocol; the peer is known by its certificate.
pub(crate) async fn connect(
    trust: &Trust,
    host: &str,
    socket: BufReader<Socket>,
) -> Result<Secured, TlsError> {
    let (config, outcome) = terms::dialling(trust, ALPN)?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| TlsError::Other(format!("{host:?} is no host name")))?;
    let done = TlsConnector::from(Arc::new(config))
        .connect_with(name, socket, |session| {
            session.set_buffer_limit(Some(SEND_BUFFER_BYTES))
        })
        .into_fallible()
        .await;
    match done {
        Ok(stream) => secured(stream.into(), outcome),
        Err((error, socket)) => Err(part(error, socket, &outcome).await),
    }
}

/// The listening side.
pub(crate) async fn accept(trust: &Trust, socket: TcpStream) -> Result<Secured, TlsError> {
    let (config, outcome) = terms::listening(trust, ALPN)?;
    let done = TlsAcceptor::from(Arc::new(config))
        .accept_with(buffered(Socket::Tcp(socket)), |session| {
            session.set_buffer_limit(Some(SEND_BUFFER_BYTES))
        })
        .into_fallible()
        .await;
    match done {
        Ok(stream) => secured(stream.into(), outcome),
        Err((error, socket)) => Err(part(error, socket, &outcome).await),
    }
}

fn secured(stream: TlsStream<BufReader<Socket>>, outcome: Outcome) -> Result<Secured, TlsError> {
    let peer = outcome.peer()?;
    let explain = move |error: &io::Error| rustls_error(error).map(|error| outcome.meaning(error));
    Ok(Secured::new(stream, peer, Box::new(explain)))
}

/// Ends a failed handshake so that the peer can read why: a socket that is closed while bytes wait in it resets the connection,
/// and the alert on its way is lost.
async fn part(error: io::Error, mut socket: BufReader<Socket>, outcome: &Outcome) -> TlsError {
    let farewell = async {
        socket.shutdown().await.ok();
        tokio::io::copy(&mut socket.take(PARTING_BYTES), &mut tokio::io::sink())
            .await
            .ok();
    };
    tokio::time::timeout(PARTING_LIMIT, farewell).await.ok();
    match (outcome.refusal(), rustls_error(&error)) {
        (Some(found), _) => found,
        (_, Some(error)) => outcome.meaning(error),
        (_, None) if error.kind() == io::ErrorKind::UnexpectedEof => {
            TlsError::Lost("the peer closed it".into())
        }
        (_, None) => TlsError::Lost(error.to_string()),
    }
}

fn rustls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}
