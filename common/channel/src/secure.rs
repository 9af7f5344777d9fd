//! Single connections under the same trust as links, for those who carry something else over them: the admin API over TCP.
//!
//! How long a handshake may take, and how many go on at a time, is the caller's to say.

use crate::tls::{self, PeerIdentity, Socket, TlsError, Trust};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Lets in who is at the other end of an accepted socket, if the list names them; the connection speaks HTTP/2.
///
/// # Cancel safety
/// Dropping the future ends the connection.
///
/// # Errors
/// Why the peer is not let in: the peer's operator's, or ours.
pub async fn accept(
    trust: &Trust,
    socket: TcpStream,
) -> Result<
    (
        impl AsyncRead + AsyncWrite + Send + Unpin + use<>,
        Arc<PeerIdentity>,
    ),
    TlsError,
> {
    let secured = tls::accept(trust, socket).await?;
    let peer = secured.peer();
    Ok((secured, peer))
}

/// Makes sure who is at the other end of a dialled socket; the connection speaks HTTP/2. `host` is what was dialled.
///
/// # Cancel safety
/// Dropping the future ends the connection.
///
/// # Errors
/// Why the peer is not trusted, or does not trust us.
pub async fn connect(
    trust: &Trust,
    host: &str,
    socket: TcpStream,
) -> Result<
    (
        impl AsyncRead + AsyncWrite + Send + Unpin + use<>,
        Arc<PeerIdentity>,
    ),
    TlsError,
> {
    let secured = tls::connect(trust, host, tls::buffered(Socket::Tcp(socket))).await?;
    let peer = secured.peer();
    Ok((secured, peer))
}
