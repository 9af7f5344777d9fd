//! The admin API's TCP port: whoever has no certificate that `admin.peers` names stays outside.

use channel::tls::Trust;
use channel::{LinkError, secure};
use model::Fault;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// How long a handshake may take, and how many may go on at a time.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
const MAX_STRANGERS: usize = 32;

/// How long the loop rests after the system refused to accept, for want of file descriptors as a rule.
const REST: Duration = Duration::from_millis(100);

/// A connection whose other end is known.
pub(super) type Admitted = Known<Box<dyn Stream>>;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connections with operators, as they come, until the receiver is dropped.
pub(super) fn admitted(
    listener: TcpListener,
    trust: Trust,
) -> ReceiverStream<io::Result<Admitted>> {
    let (known, operators) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            () = known.closed() => {}
            () = accept(listener, trust, &known) => {}
        }
    });
    ReceiverStream::new(operators)
}

async fn accept(listener: TcpListener, trust: Trust, known: &mpsc::Sender<io::Result<Admitted>>) {
    let places = Arc::new(Semaphore::new(MAX_STRANGERS));
    loop {
        // Waiting for a place before accepting leaves a crowd in the kernel's queue; each place is free again within a limit.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((socket, address)) => {
                tokio::spawn(meet(socket, address, trust.clone(), known.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the admin api can't be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn meet(
    socket: TcpStream,
    address: SocketAddr,
    trust: Trust,
    known: mpsc::Sender<io::Result<Admitted>>,
    _place: OwnedSemaphorePermit,
) {
    match tokio::time::timeout(HANDSHAKE_LIMIT, secure::accept(&trust, socket)).await {
        Ok(Ok((stream, operator))) => {
            tracing::info!(operator = %operator.name, %address, "operator connected");
            known.send(Ok(Known(Box::new(stream)))).await.ok();
        }
        Ok(Err(error)) => {
            let fault = Fault::from(LinkError::Tls {
                peer: address.to_string(),
                error,
            });
            tracing::warn!(error = %fault, "a connection to the admin api was refused");
        }
        Err(_) => tracing::warn!(%address, "a handshake with the admin api took too long"),
    }
}

/// A stream about which tonic need not know more.
pub(super) struct Known<S>(S);

impl<S> Connected for Known<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl<S: AsyncRead + Unpin> AsyncRead for Known<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Known<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
