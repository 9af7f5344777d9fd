//! Two agents that trust each other, and the line between them.

use super::{Agent, Side};
use crate::canary::Canary;
use crate::certs::{self, Certs};
use crate::link::Link;
use crate::places;
use crate::ports::Ports;
use crate::servers::Server;
use crate::wait;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long two agents may take to find each other.
const LINK_LIMIT: Duration = Duration::from_secs(30);

/// Which agent opens the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialler {
    /// The source dials, the target listens.
    Source,
    /// The target dials, the source listens.
    Target,
}

/// What carries the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// gRPC.
    Grpc,
    /// QUIC.
    Quic,
}

/// How a test's agents meet where it does not say so itself: `$PASSAGE_TEST_TRANSPORT` (grpc, or quic) and `$PASSAGE_TEST_DIALLER`
/// (source, or target).
fn chosen() -> Result<(Over, Dialler)> {
    let of = |variable| std::env::var(variable).unwrap_or_default();
    let over = match of("PASSAGE_TEST_TRANSPORT").as_str() {
        "" | "grpc" => Over::Grpc,
        "quic" => Over::Quic,
        other => bail!("PASSAGE_TEST_TRANSPORT is grpc or quic, not {other:?}"),
    };
    let dialler = match of("PASSAGE_TEST_DIALLER").as_str() {
        "" | "source" => Dialler::Source,
        "target" => Dialler::Target,
        other => bail!("PASSAGE_TEST_DIALLER is source or target, not {other:?}"),
    };
    Ok((over, dialler))
}

/// Two agents and the line between them.
#[derive(Debug)]
pub struct Pair {
    /// The agent beside the source.
    pub source: Agent,
    /// The agent beside the target.
    pub target: Agent,
    /// The line, which one agent dials and which leads to the other.
    pub link: Link,
    /// Their certificates.
    pub certs: Certs,
    listener: SocketAddr,
    folder: PathBuf,
    _ports: Ports,
}

impl Pair {
    /// Agents for these servers, configured and not started.
    ///
    /// # Errors
    /// When certificates or ports can't be had.
    pub async fn new(source: &Server, target: &Server) -> Result<Self> {
        let (over, dialler) = chosen()?;
        Self::over(source, target, over, dialler).await
    }

    /// As [`Pair::new`], both running.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn started(source: &Server, target: &Server) -> Result<Self> {
        let mut pair = Self::new(source, target).await?;
        pair.start().await?;
        Ok(pair)
    }

    /// As [`Pair::new`], with a choice of who dials.
    ///
    /// # Errors
    /// When certificates or ports can't be had.
    pub async fn with(source: &Server, target: &Server, dialler: Dialler) -> Result<Self> {
        Self::over(source, target, chosen()?.0, dialler).await
    }

    /// As [`Pair::new`], with a choice of what carries the channel and of who dials.
    ///
    /// # Errors
    /// When certificates or ports can't be had.
    pub async fn over(
        source: &Server,
        target: &Server,
        over: Over,
        dialler: Dialler,
    ) -> Result<Self> {
        let folder = places::new_folder("pair")?;
        let certs = Certs::make(&folder.join("certs")).await?;
        let ports = Ports::take()?;
        let listener = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.port(0)));
        let (transport, link) = match over {
            Over::Grpc => ("grpc", Link::to(listener).await?),
            Over::Quic => ("quic", Link::of_udp_to(listener).await?),
        };
        let agent = |side: Side, server: &Server, metrics_port: u16| -> Result<Agent> {
            let own = folder.join(side.program());
            std::fs::create_dir_all(&own)?;
            let mut config = config(side, &own, server, &certs, metrics_port);
            let (key, address) = match (side, dialler) {
                (Side::Source, Dialler::Source) | (Side::Target, Dialler::Target) => {
                    ("dial", link.address())
                }
                _ => ("listen", listener),
            };
            config["channel"][key] = address.to_string().into();
            config["channel"]["transport"] = transport.into();
            let mut agent = Agent::new(side, own, config);
            agent.canary = Canary::of_keys(&[certs.key(Side::Source), certs.key(Side::Target)])?;
            Ok(agent)
        };
        let source = agent(Side::Source, source, ports.port(1))?;
        let target = agent(Side::Target, target, ports.port(2))?;
        Ok(Self {
            source,
            target,
            link,
            certs,
            listener,
            folder,
            _ports: ports,
        })
    }

    /// Has both agents read and write the files of their servers.
    pub fn give_storage(&mut self, source: &Server, target: &Server) {
        self.source.config["storage"] = source.storage_config();
        self.target.config["storage"] = target.storage_config();
    }

    /// Starts both.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start(&mut self) -> Result<()> {
        let (source, target) = (Box::pin(self.source.start()), Box::pin(self.target.start()));
        tokio::try_join!(source, target)?;
        Ok(())
    }

    /// Waits until the two have found each other.
    ///
    /// # Errors
    /// When they have not within half a minute.
    pub async fn linked(&self) -> Result<()> {
        let up = || async {
            Ok((self.target.metric("passage_channel_links").await? >= 1.0).then_some(()))
        };
        wait::until("a link", LINK_LIMIT, up).await
    }

    /// The agent of a side.
    #[must_use]
    pub fn agent(&self, side: Side) -> &Agent {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// The agent of a side, to be changed.
    pub fn agent_mut(&mut self, side: Side) -> &mut Agent {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }

    /// Where the listening agent listens, without the relay.
    #[must_use]
    pub fn listener(&self) -> SocketAddr {
        self.listener
    }

    /// A folder for what belongs to this pair.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn config(side: Side, folder: &Path, server: &Server, certs: &Certs, metrics_port: u16) -> Value {
    let peer = match side {
        Side::Source => Side::Target,
        Side::Target => Side::Source,
    };
    json!({
        "agent": { "name": format!("test-{}", side.program()), "state_dir": folder.join("state") },
        "milvus": { "uri": server.uri() },
        "channel": {
            "tls": { "cert": certs.cert(side), "key": certs.key(side), "peer_ca": certs.authority() },
            "peers": [{ "name": peer.program(), "id": certs::identity(peer) }],
        },
        "admin": { "listen": format!("unix:{}", folder.join("admin.sock").display()) },
        "metrics": { "listen": format!("127.0.0.1:{metrics_port}") },
        "telemetry": { "log": "json", "filter": "info" },
        "scope": { "allow": ["*.*"] },
    })
}

/// A page by HTTP/1.0, whose end is the connection's end.
pub(super) async fn http_page(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())
        .await?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page).await?;
    let page = String::from_utf8(page)?;
    let (_, body) = page.split_once("\r\n\r\n").context("no page")?;
    Ok(body.to_owned())
}
