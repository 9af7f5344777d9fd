//! The dialling side.

use super::lane::Streams;
use super::{ALPN, most_streams, socket, transport_config, trouble};
use crate::error::{LaneError, LinkError};
use crate::handshake;
use crate::link::{Lane, Link, Transport};
use crate::listening::{LaneAt, SessionId};
use crate::settings::LinkSettings;
use crate::tls::{self, Outcome, PeerIdentity, TlsError, Trust};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use protocol::Hello;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How many addresses of a name are tried, and how far each is ahead of the next: of a name with addresses of both families, one may
/// lead nowhere.
const MOST_ADDRESSES: usize = 4;
const HEAD_START: Duration = Duration::from_millis(250);

/// Dials one peer over QUIC.
#[derive(Debug)]
pub struct QuicDialer {
    address: String,
    hello: Hello,
    trust: Trust,
    settings: LinkSettings,
}

impl QuicDialer {
    /// Will dial `address` (a host name or IP address, and a UDP port), and say `hello`; how many data lanes it asks for is said there.
    #[must_use]
    pub fn new(
        address: impl Into<String>,
        hello: Hello,
        trust: Trust,
        settings: LinkSettings,
    ) -> Self {
        Self {
            address: address.into(),
            hello,
            trust,
            settings,
        }
    }
}

impl Transport for QuicDialer {
    fn next_link(&self) -> BoxFuture<'_, Result<Link, LinkError>> {
        Box::pin(async {
            let limit = self.settings.link_limit;
            let session = Session {
                dialer: self,
                id: SessionId::random()?,
            };
            let begin = Box::pin(session.begin());
            let begun = handshake::within(limit, "the connection to the peer", begin).await?;
            let Begun {
                reached,
                mut control,
            } = begun;
            let rest = Box::pin(session.complete(&reached, &mut control));
            match handshake::within(limit, "the lanes of the link", rest).await {
                Ok((agreed, data)) => Ok(Link {
                    peer: reached.peer,
                    agreed,
                    control,
                    data,
                }),
                Err(error) => {
                    let error = reached.explained(&self.address, error);
                    handshake::tell(control, &error).await;
                    Err(error)
                }
            }
        })
    }
}

/// One attempt.
struct Session<'a> {
    dialer: &'a QuicDialer,
    id: SessionId,
}

/// A session of which the control lane is open.
struct Begun {
    reached: Reached,
    control: Lane,
}

/// A connection to the peer, and the way to it.
pub(super) struct Reached {
    pub(super) connection: Connection,
    endpoint: Endpoint,
    remote: SocketAddr,
    peer: PeerIdentity,
    outcome: Outcome,
}

impl Session<'_> {
    async fn begin(&self) -> Result<Begun, LinkError> {
        let reached = self.dialer.reach().await?;
        let control = self.open(&reached, 0).await?;
        Ok(Begun { reached, control })
    }

    async fn complete(
        &self,
        first: &Reached,
        control: &mut Lane,
    ) -> Result<(protocol::Agreed, Vec<Lane>), LinkError> {
        let greeted = handshake::greet(control, &self.dialer.hello).await?;
        let lanes = greeted.data_lanes as usize;
        let mut more = Vec::new();
        // The first connection carries data, too.
        for _ in 1..self.dialer.settings.data_connections.clamp(1, lanes) {
            let endpoint = first.endpoint.clone();
            let reached = self.dialer.connect(endpoint, first.remote).await?;
            if reached.peer.fingerprint != first.peer.fingerprint {
                let changed = "its connections show different certificates".to_owned();
                return Err(LaneError::Lost(changed).into());
            }
            more.push(reached);
        }
        let mut data = Vec::with_capacity(lanes);
        let connections = std::iter::once(first).chain(&more).cycle();
        for (reached, number) in connections.zip(1..=greeted.data_lanes) {
            data.push(self.open(reached, number).await?);
        }
        Ok((greeted.agreed, data))
    }

    async fn open(&self, reached: &Reached, number: u32) -> Result<Lane, LinkError> {
        let session = self.id;
        let broken =
            |cause: String| reached.explained(&self.dialer.address, LaneError::Lost(cause).into());
        let at = LaneAt { session, number };
        let opened = Streams::open(&reached.connection, at).await;
        let streams = opened.map_err(|error| broken(error.to_string()))?;
        Ok(streams.into_lane(number))
    }
}

impl Reached {
    /// The error of a broken connection; where TLS knows better why it broke, that. In TLS 1.3 the dialling side is done before the
    /// listening side has seen its certificate, so that a refusal arrives later.
    fn explained(&self, address: &str, error: LinkError) -> LinkError {
        let reason = self.connection.close_reason();
        let trouble = reason.and_then(|reason| trouble::of_tls(&reason, &self.outcome));
        match (&error, trouble) {
            (LinkError::Lane(LaneError::Lost(_)), Some(error)) => LinkError::Tls {
                peer: address.to_owned(),
                error,
            },
            _ => error,
        }
    }
}

impl QuicDialer {
    /// The first connection: to the first of the peer's addresses that answers.
    pub(super) async fn reach(&self) -> Result<Reached, LinkError> {
        let found = tokio::net::lookup_host(&self.address).await;
        let addresses = found.map_err(|error| self.unreachable(&error))?;
        let mut attempts: FuturesUnordered<_> = (0u32..)
            .zip(addresses.take(MOST_ADDRESSES))
            .map(|(place, remote)| async move {
                tokio::time::sleep(HEAD_START * place).await;
                let local = unspecified(remote);
                let endpoint = socket::endpoint(local, EndpointConfig::default(), None)
                    .map_err(|error| self.unreachable(&error))?;
                self.connect(endpoint, remote).await
            })
            .collect();
        let mut last = self.unreachable(&io::Error::other("the name has no address"));
        while let Some(attempt) = attempts.next().await {
            match attempt {
                Err(error @ (LinkError::NoAnswer { .. } | LinkError::Unreachable { .. })) => {
                    last = error;
                }
                // Who refuses has answered.
                decided => return decided,
            }
        }
        Err(last)
    }

    fn unreachable(&self, error: &io::Error) -> LinkError {
        LinkError::Unreachable {
            address: self.address.clone(),
            cause: error.to_string(),
        }
    }

    async fn connect(&self, endpoint: Endpoint, remote: SocketAddr) -> Result<Reached, LinkError> {
        let limit = self.settings.dial_limit;
        let no_answer = || LinkError::NoAnswer {
            address: self.address.clone(),
            limit,
        };
        let untrusted = |error| LinkError::Tls {
            peer: self.address.clone(),
            error,
        };
        let other = |error: String| untrusted(TlsError::Other(error));
        let (config, outcome) = tls::dialling(&self.trust, ALPN).map_err(untrusted)?;
        let crypto =
            QuicClientConfig::try_from(config).map_err(|error| other(error.to_string()))?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport_config(most_streams(self.hello.data_lanes), 0));
        let connecting = endpoint
            .connect_with(config, remote, &self.host())
            .map_err(|error| other(error.to_string()))?;
        let connected = tokio::time::timeout(limit, connecting).await;
        let connection = match connected.map_err(|_| no_answer())? {
            Ok(connection) => connection,
            Err(ConnectionError::TimedOut) => return Err(no_answer()),
            Err(error) => {
                let lost = || TlsError::Lost(trouble::plain(&error));
                let error = trouble::of_tls(&error, &outcome).unwrap_or_else(lost);
                return Err(untrusted(error));
            }
        };
        let peer = outcome.peer().map_err(untrusted)?;
        Ok(Reached {
            connection,
            endpoint,
            remote,
            peer,
            outcome,
        })
    }

    /// It only fills a field of TLS; the peer is known by its certificate.
    fn host(&self) -> String {
        let host = self.address.rsplit_once(':').map(|(host, _)| host);
        let host = host.unwrap_or(&self.address);
        host.trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned()
    }
}

/// Any address of ours, of the family of this one. It follows the machine's routes, so that a link lives through a change of address.
fn unspecified(remote: SocketAddr) -> SocketAddr {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    (any, 0).into()
}
