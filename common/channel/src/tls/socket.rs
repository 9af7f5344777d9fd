//! What lies under our TLS: TCP, or the TLS of a proxy over TCP.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// rustls takes 4 KiB at a time from a socket; a buffer below it saved 10 to 16 % of the receiver's CPU.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Bytes to and from a peer, or to and from a proxy that passes them on.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP itself.
    Tcp(TcpStream),
    /// TCP to a proxy that is spoken to by TLS.
    WithinTls(Box<TlsStream<BufReader<TcpStream>>>),
}

impl Socket {
    /// Where the other end of TCP is; `None` when the connection is gone already.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let tcp = match self {
            Self::Tcp(tcp) => tcp,
            Self::WithinTls(stream) => stream.get_ref().0.get_ref(),
        };
        tcp.peer_addr().ok()
    }
}

/// With the buffer that rustls reads from. Whatever of it was not taken before, rustls reads first.
pub(crate) fn buffered<S: AsyncRead>(socket: S) -> BufReader<S> {
    BufReader::with_capacity(READ_BUFFER_BYTES, socket)
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::WithinTls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::WithinTls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::WithinTls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::WithinTls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::WithinTls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::WithinTls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
