//! The ways to carry bytes, and what is the same for all of them: when counting begins and ends.

use crate::{cpu, ours, plain, streams};
use anyhow::{Result, bail};
use bytes::Bytes;
use channel::tls::{CredentialPaths, Trust};
use harness::agents::Side;
use model::AgentName;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Streams or lanes, and the connections that they are spread over: what an agent has by default.
pub(crate) const LANES: usize = 4;
pub(crate) const CONNECTIONS: usize = 2;

/// One way to carry bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Tcp,
    Tls,
    PlainTonic,
    Grpc,
    PlainQuinn,
    Quic,
}

impl Way {
    pub(crate) const ALL: [Self; 6] = [
        Self::Tcp,
        Self::Tls,
        Self::PlainTonic,
        Self::Grpc,
        Self::PlainQuinn,
        Self::Quic,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::PlainTonic => "plain-tonic",
            Self::Grpc => "grpc",
            Self::PlainQuinn => "plain-quinn",
            Self::Quic => "quic",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Tcp => "raw TCP",
            Self::Tls => "rustls over TCP",
            Self::PlainTonic => "plain tonic, the same settings",
            Self::Grpc => "channel over gRPC",
            Self::PlainQuinn => "plain quinn, the same settings",
            Self::Quic => "channel over QUIC",
        }
    }
}

impl FromStr for Way {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|way| way.name() == name);
        match found {
            Some(way) => Ok(way),
            None => bail!("there is no way {name}"),
        }
    }
}

/// What both processes of a run know.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// What is sent at a time.
    pub(crate) batch: Bytes,
    /// Where the channel's receiver listens.
    pub(crate) at: IpAddr,
    /// The connections of the channel's lanes.
    pub(crate) connections: usize,
}

/// The variables that say where a channel's receiver listens, if not on loopback, and how many connections there are.
pub(crate) const AT: &str = "AT";
pub(crate) const CONNECTIONS_OF: &str = "CONNECTIONS";

impl Place {
    pub(crate) fn read(folder: &Path, bytes: usize) -> Result<Self> {
        let batch = (0..bytes).map(|at| (at * 31 % 251) as u8).collect();
        let at = std::env::var(AT).ok().map(|at| at.parse()).transpose()?;
        Ok(Self {
            folder: folder.to_owned(),
            batch,
            at: at.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            connections: number(CONNECTIONS_OF, CONNECTIONS as u64) as usize,
        })
    }

    /// The trust of one agent in the other.
    pub(crate) fn trust(&self, side: Side) -> Result<Trust> {
        let (own, peer) = match side {
            Side::Source => ("agent-source", "agent-target"),
            Side::Target => ("agent-target", "agent-source"),
        };
        let file = |name: &str| self.folder.join(name);
        let paths = CredentialPaths {
            cert: file(&format!("{own}.pem")),
            key: file(&format!("{own}.key")),
            peer_ca: file("ca.pem"),
            crl: None,
        };
        let named: AgentName = peer.parse()?;
        let role = named.as_str().trim_start_matches("agent-").to_owned();
        let id = format!("spiffe://bench.example/passage/{role}").parse()?;
        let rule = ours::Peer {
            name: peer.to_owned(),
            id,
        };
        Ok(Trust::load(paths, vec![rule])?)
    }
}

/// For how long is sent.
pub(crate) fn seconds() -> Duration {
    Duration::from_secs(number("SECONDS", 3))
}

pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Counts what arrives on all streams. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<Count>>);

#[derive(Default)]
struct Count {
    /// The time, and the processor's, at the first byte.
    begun: Option<(Instant, f64)>,
    /// The time at the last byte: what comes after it is leave-taking.
    ended: Option<Instant>,
    bytes: u64,
}

impl Counted {
    pub(crate) fn add(&self, bytes: usize) {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if count.begun.is_none() {
            count.begun = Some((now, cpu().unwrap_or_default()));
        }
        count.ended = Some(now);
        count.bytes += bytes as u64;
    }

    fn tell(&self) -> Result<()> {
        let count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((begun, used)), Some(ended)) = (count.begun, count.ended) else {
            bail!("nothing arrived");
        };
        let (seconds, cpu) = ((ended - begun).as_secs_f64(), cpu()? - used);
        println!(
            "{}",
            json!({ "bytes": count.bytes, "seconds": seconds, "cpu": cpu })
        );
        Ok(())
    }
}

/// Tells where it listens, takes all that comes, and tells what it was.
pub(crate) async fn receive(way: Way, place: &Place) -> Result<()> {
    let counted = Counted::default();
    match way {
        Way::Tcp => streams::receive(None, &counted).await?,
        Way::Tls => streams::receive(Some(place.trust(Side::Target)?), &counted).await?,
        Way::PlainTonic => plain::receive_tonic(place.trust(Side::Target)?, &counted).await?,
        Way::PlainQuinn => plain::receive_quinn(place, &counted).await?,
        Way::Grpc | Way::Quic => ours::receive(way, place, &counted).await?,
    }
    counted.tell()
}

/// Connects, sends for a while, waits until all has arrived, and tells what it took.
pub(crate) async fn send(way: Way, place: &Place, to: SocketAddr) -> Result<()> {
    let batch = place.batch.clone();
    let used = match way {
        Way::Tcp => streams::send(None, to, batch).await?,
        Way::Tls => streams::send(Some(place.trust(Side::Source)?), to, batch).await?,
        Way::PlainTonic => plain::send_tonic(place.trust(Side::Source)?, to, batch).await?,
        Way::PlainQuinn => plain::send_quinn(place, to).await?,
        Way::Grpc | Way::Quic => ours::send(way, place, to).await?,
    };
    println!("{}", json!({ "cpu": cpu()? - used }));
    Ok(())
}

/// Where the receiver listens; the sender is started with it.
pub(crate) fn tell_address(address: SocketAddr) {
    println!("{address}");
}
