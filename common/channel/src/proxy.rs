//! The way through an HTTP proxy: a tunnel that the proxy opens to the peer (the method CONNECT, RFC 9110, section 9.3.6).
//!
//! Invariants:
//! - **The proxy is not trusted.** The peer's TLS is spoken inside the tunnel, from end to end: the proxy learns the peer's host and port, and
//!   when and how much is sent. It is the proxy, too, that looks the host up.
//! - **Bounded.** Its answer has a limit of bytes and of time.
//! - **Nothing of the peer's is lost.** The answer is read from the buffer that TLS goes on with.
//! - **The login is for the proxy alone**, and in no error.
//!
//! hyper-util has such a tunnel (`client::legacy::connect::proxy::Tunnel`, 0.1.21). It keeps back with which status it was refused, and drops
//! what follows the answer.
//!
//! Not here: which proxy it is (the configuration), and to ask again (the agents).

mod answer;
mod error;
mod tls;

pub use error::ProxyError;

use crate::tcp::set_up;
use crate::tls::{Socket, buffered};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use runtime::config::{ProxyLogin, ProxyScheme, ProxySection};
use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// An HTTP proxy that opens tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy(ProxySection);

/// Without who calls it.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Proxy {
    /// The proxy that is configured so. Its files are read for each tunnel.
    #[must_use]
    pub fn new(section: ProxySection) -> Self {
        Self(section)
    }

    /// A tunnel to a peer (host and port), within a limit; nothing of what the peer says is read yet.
    ///
    /// # Cancel safety
    /// Dropping the future ends the connection to the proxy.
    pub(crate) async fn tunnel_to(
        &self,
        peer: &str,
        limit: Duration,
    ) -> Result<BufReader<Socket>, ProxyError> {
        let silent = |_| ProxyError::Silent {
            proxy: self.to_string(),
            limit,
        };
        let opening = Box::pin(self.open(peer));
        tokio::time::timeout(limit, opening).await.map_err(silent)?
    }

    async fn open(&self, peer: &str) -> Result<BufReader<Socket>, ProxyError> {
        let request = request(peer, self.authorization().await?.as_deref());
        let mut socket = buffered(self.connect().await?);
        let ended = |cause| ProxyError::Ended {
            proxy: self.to_string(),
            cause,
        };
        let written = async {
            socket.write_all(request.as_bytes()).await?;
            socket.flush().await
        };
        written.await.map_err(|error| ended(error.to_string()))?;
        match answer::read(&mut socket).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(socket),
            Ok(answer) => Err(ProxyError::Refused {
                proxy: self.to_string(),
                peer: peer.to_owned(),
                status: answer.status,
                reason: answer.reason,
                has_login: self.0.login.is_some(),
            }),
            Err(answer::Unread::Ended(cause)) => Err(ended(cause)),
            Err(answer::Unread::Malformed(cause)) => Err(ProxyError::Malformed {
                proxy: self.to_string(),
                cause,
            }),
        }
    }

    async fn connect(&self) -> Result<Socket, ProxyError> {
        let unreachable = |error: std::io::Error| ProxyError::Unreachable {
            proxy: self.to_string(),
            cause: error.to_string(),
        };
        let address = self.0.address.to_string();
        let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
        set_up(&tcp).map_err(unreachable)?;
        match self.0.scheme {
            ProxyScheme::Http => Ok(Socket::Tcp(tcp)),
            ProxyScheme::Https => tls::connect(self, tcp).await,
        }
    }

    /// What the header `Proxy-Authorization` says, if it is sent. The password is read each time: it may be renewed.
    async fn authorization(&self) -> Result<Option<String>, ProxyError> {
        let Some(ProxyLogin { user, password }) = self.0.login.clone() else {
            return Ok(None);
        };
        let read = move || match password {
            Some(source) => source.read().map(|secret| secret.expose().to_owned()),
            None => Ok(String::new()),
        };
        // The file may lie on a network's disk.
        let read = tokio::task::spawn_blocking(read).await;
        let password = read.map_err(|_| ProxyError::Unread(self.to_string()))??;
        let written = STANDARD.encode(format!("{user}:{password}"));
        Ok(Some(format!("Basic {written}")))
    }
}

fn request(peer: &str, authorization: Option<&str>) -> String {
    let login = authorization
        .map(|words| format!("Proxy-Authorization: {words}\r\n"))
        .unwrap_or_default();
    format!("CONNECT {peer} HTTP/1.1\r\nHost: {peer}\r\n{login}\r\n")
}

#[cfg(test)]
mod tests;
