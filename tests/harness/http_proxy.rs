//! An HTTP proxy, small and real: it opens tunnels by CONNECT, for those who say who they are, to the hosts that it knows. It can be killed,
//! and started again on its port.

use anyhow::{Context, Result};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The most bytes that a request may have, and how long it may take.
const MOST_BYTES: usize = 8 << 10;
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// A proxy on loopback. It ends with its value.
#[derive(Debug)]
pub struct HttpProxy {
    address: SocketAddr,
    knows: Arc<Knows>,
    /// The accepting, and with it every tunnel; empty while it is killed.
    running: JoinSet<()>,
}

#[derive(Debug)]
struct Knows {
    /// What must be in `Proxy-Authorization`; absent, nobody is asked.
    login: Option<String>,
    hosts: HashMap<String, SocketAddr>,
    counts: watch::Sender<Counts>,
}

/// What it has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tunnels that were opened.
    pub opened: u64,
    /// Requests that did not say who calls, or said it wrongly.
    pub unknown: u64,
}

impl HttpProxy {
    /// A proxy that runs, asks for this login (user, colon, password, all in base64) if there is one, and leads whoever asks for one of these
    /// hosts (with its port) to an address.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(login: Option<&str>, hosts: &[(&str, SocketAddr)]) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let owned = |(host, address): &(&str, SocketAddr)| ((*host).to_owned(), *address);
        let knows = Knows {
            login: login.map(str::to_owned),
            hosts: hosts.iter().map(owned).collect(),
            counts: watch::Sender::default(),
        };
        let mut proxy = Self {
            address: listener.local_addr()?,
            knows: Arc::new(knows),
            running: JoinSet::new(),
        };
        proxy.run(listener);
        Ok(proxy)
    }

    fn run(&mut self, listener: TcpListener) {
        self.running.spawn(accept(listener, self.knows.clone()));
    }

    /// Where it is: `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.knows.counts.borrow()
    }

    /// Ends it, and every tunnel with it.
    pub async fn kill(&mut self) {
        self.running.shutdown().await;
    }

    /// Runs it again where it was.
    ///
    /// # Errors
    /// When its port is taken.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await;
        let listener = TcpListener::bind(self.address).await?;
        self.run(listener);
        Ok(())
    }
}

async fn accept(listener: TcpListener, knows: Arc<Knows>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((near, _)) = accepted {
                    let knows = knows.clone();
                    connections.spawn(async move {
                        // Whoever breaks off is told nothing.
                        let _ = serve(near, &knows).await;
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut near: TcpStream, knows: &Knows) -> Result<()> {
    near.set_nodelay(true)?;
    let asked = tokio::time::timeout(REQUEST_LIMIT, request(&mut near)).await??;
    match answer_to(&asked, knows) {
        Ok(to) => {
            let Ok(mut far) = TcpStream::connect(to).await else {
                return refuse(near, "502 Bad Gateway").await;
            };
            far.set_nodelay(true)?;
            knows.counts.send_modify(|counts| counts.opened += 1);
            near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await?;
            Ok(())
        }
        Err(status) => refuse(near, status).await,
    }
}

/// The head of a request. What follows it belongs to the tunnel, and is not taken.
async fn request(near: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await?);
        anyhow::ensure!(head.len() <= MOST_BYTES, "the request has no end");
    }
    String::from_utf8(head).context("the request is no text")
}

/// Where a tunnel leads, or with which status it is refused.
fn answer_to(asked: &str, knows: &Knows) -> Result<SocketAddr, &'static str> {
    let mut words = asked.split_whitespace();
    if words.next() != Some("CONNECT") {
        return Err("405 Method Not Allowed");
    }
    let host = words.next().unwrap_or_default();
    if let Some(login) = &knows.login {
        let field = format!("\r\nProxy-Authorization: Basic {login}\r\n");
        if !asked.contains(&field) {
            knows.counts.send_modify(|counts| counts.unknown += 1);
            return Err("407 Proxy Authentication Required");
        }
    }
    knows.hosts.get(host).copied().ok_or("403 Forbidden")
}

async fn refuse(mut near: TcpStream, status: &str) -> Result<()> {
    let challenge = if status.starts_with("407") {
        "Proxy-Authenticate: Basic realm=\"tests\"\r\n"
    } else {
        ""
    };
    let words = format!("HTTP/1.1 {status}\r\n{challenge}Content-Length: 0\r\n\r\n");
    near.write_all(words.as_bytes()).await?;
    Ok(near.shutdown().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = "cGFzc2FnZTpwdw==";

    async fn asked(proxy: &HttpProxy, request: &str) -> Result<String> {
        let mut stream = TcpStream::connect(proxy.address()).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut heard = vec![0; 12];
        stream.read_exact(&mut heard).await?;
        Ok(String::from_utf8(heard)?)
    }

    #[tokio::test]
    async fn only_who_says_who_he_is_is_led_to_a_host_that_is_known_and_none_while_it_is_killed() {
        let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let hosts = [("far.invalid:1", far.local_addr().unwrap())];
        let mut proxy = HttpProxy::start(Some(LOGIN), &hosts).await.unwrap();
        let known = format!("Proxy-Authorization: Basic {LOGIN}\r\n");
        for (request, status) in [
            (
                "CONNECT far.invalid:1 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
                "407",
            ),
            (
                format!("CONNECT other.invalid:1 HTTP/1.1\r\n{known}\r\n"),
                "403",
            ),
            (format!("GET / HTTP/1.1\r\n{known}\r\n"), "405"),
            (
                format!("CONNECT far.invalid:1 HTTP/1.1\r\n{known}\r\n"),
                "200",
            ),
        ] {
            let heard = asked(&proxy, &request).await.unwrap();
            assert_eq!(heard, format!("HTTP/1.1 {status}"));
        }
        let expected = Counts {
            opened: 1,
            unknown: 1,
        };
        assert_eq!(proxy.counts(), expected);
        proxy.kill().await;
        assert!(asked(&proxy, "CONNECT").await.is_err());
        proxy.restart().await.unwrap();
        let again = asked(&proxy, "GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(again, "HTTP/1.1 405");
    }
}
