//! A connection after its handshake.

use super::error::TlsError;
use super::identity::PeerIdentity;
use super::socket::Socket;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio_rustls::TlsStream;

/// What went wrong with a connection after its handshake. In TLS 1.3 the dialling side is done before the listening side has seen
/// its certificate, so a refusal arrives only with the first bytes; and what carries our frames does not hand the cause up.
pub(crate) type Trouble = Arc<OnceLock<TlsError>>;

/// Bytes to and from a peer that is known.
pub(crate) struct Secured {
    stream: TlsStream<BufReader<Socket>>,
    peer: Arc<PeerIdentity>,
    trouble: Trouble,
    explain: Explain,
}

/// Says what an error of the stream means.
pub(super) type Explain = Box<dyn Fn(&io::Error) -> Option<TlsError> + Send + Sync>;

impl Secured {
    pub(super) fn new(
        stream: TlsStream<BufReader<Socket>>,
        peer: PeerIdentity,
        explain: Explain,
    ) -> Self {
        Self {
            stream,
            peer: Arc::new(peer),
            trouble: Trouble::default(),
            explain,
        }
    }

    /// Who the peer is.
    pub(crate) fn peer(&self) -> Arc<PeerIdentity> {
        self.peer.clone()
    }

    /// Where the peer is; `None` when the connection is gone already.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.stream.get_ref().0.get_ref().address()
    }

    /// Where to look when the connection broke.
    pub(crate) fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled
            && let Some(trouble) = (self.explain)(error)
        {
            self.trouble.set(trouble).ok();
        }
        polled
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note(polled)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
