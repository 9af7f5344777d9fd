//! The listening side.

use super::lane::Streams;
use super::{ALPN, most_streams, socket, transport_config, trouble};
use crate::error::{LaneError, LinkError};
use crate::link::{Link, Transport};
use crate::listening::{Caller, Crowd, MAX_DATA_LANES, Refusal, Refusals, Sessions};
use crate::settings::LinkSettings;
use crate::tls::{self, TlsError, Trust};
use aws_lc_rs::hmac;
use futures::future::BoxFuture;
use protocol::Hello;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, EndpointConfig, Incoming, ServerConfig};
use quinn_proto::RandomConnectionIdGenerator;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Mutex, broadcast, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// From this share of a full crowd on, a stranger must prove that its address is its own before it costs more than a packet.
const PROOF_FROM: usize = 4;

/// How much of the strangers that are not looked at yet is kept, in all.
const WAITING_BYTES: u64 = 4 << 20;

/// Listens for peers over QUIC; serves several at a time. Dropping it ends the listening, and leaves alone the links that it gave.
#[derive(Debug)]
pub struct QuicListener {
    address: SocketAddr,
    links: Mutex<mpsc::Receiver<Link>>,
    refusals: Refusals,
    _ends: DropGuard,
}

impl QuicListener {
    /// Listens on `address` (an IP address or host name of this machine, and a UDP port), and answers with `hello`; the most data lanes
    /// that a peer gets are said there.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn bind(
        address: &str,
        hello: Hello,
        trust: Trust,
        settings: LinkSettings,
    ) -> Result<Self, LinkError> {
        let failed = |error: io::Error| LinkError::Bind {
            address: address.to_owned(),
            cause: error.to_string(),
        };
        let unfit = |error: TlsError| failed(io::Error::other(error));
        let hello = Hello {
            data_lanes: hello.data_lanes.min(MAX_DATA_LANES),
            ..hello
        };
        let (mut server, _) = terms(&trust, hello.data_lanes).map_err(unfit)?;
        server
            .max_incoming(settings.max_strangers)
            .incoming_buffer_size(WAITING_BYTES / settings.max_strangers.max(1) as u64)
            .incoming_buffer_size_total(WAITING_BYTES);
        let config = lasting_config(&trust);
        let at = first_address(address).await.map_err(failed)?;
        let endpoint = socket::endpoint(at, config, Some(server)).map_err(failed)?;
        let bound = endpoint.local_addr().map_err(failed)?;
        let refusals = Refusals::new();
        let (complete, links) = mpsc::channel(1);
        let ends = CancellationToken::new();
        let door = Door {
            sessions: Sessions::new(
                hello.clone(),
                settings.link_limit,
                complete,
                refusals.clone(),
            ),
            lanes: hello.data_lanes,
            trust,
            settings,
            refusals: refusals.clone(),
        };
        let over = ends.clone();
        tokio::spawn(async move {
            over.run_until_cancelled(door.run(&endpoint)).await;
            // The links keep the socket, and nobody else is answered on it.
            endpoint.set_server_config(None);
        });
        Ok(Self {
            address: bound,
            links: Mutex::new(links),
            refusals,
            _ends: ends.drop_guard(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who is refused from now on. A receiver that is slow misses some; the metric counts them all.
    #[must_use]
    pub fn refusals(&self) -> broadcast::Receiver<Refusal> {
        self.refusals.subscribe()
    }
}

impl Transport for QuicListener {
    fn next_link(&self) -> BoxFuture<'_, Result<Link, LinkError>> {
        Box::pin(async {
            self.links
                .lock()
                .await
                .recv()
                .await
                .ok_or(LinkError::Closed)
        })
    }
}

/// Knows the connections of an agent that was killed as once its own, and says that they are over: so a peer that speaks on need not
/// wait until its patience ends. The secret by which it can say so follows from the agent's private key.
fn lasting_config(trust: &Trust) -> EndpointConfig {
    let secret = trust.lasting_secret("stateless reset");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let mut config = EndpointConfig::new(Arc::new(key));
    // quinn's own choice would not look at an id that another process gave.
    config.cid_generator(|| Box::new(RandomConnectionIdGenerator::default()));
    config
}

async fn first_address(address: &str) -> io::Result<SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "it has no address");
    tokio::net::lookup_host(address)
        .await?
        .next()
        .ok_or_else(none)
}

/// The terms of one handshake, and of the connection behind it.
fn terms(trust: &Trust, lanes: u32) -> Result<(ServerConfig, tls::Outcome), TlsError> {
    let (config, outcome) = tls::listening(trust, ALPN)?;
    let crypto =
        QuicServerConfig::try_from(config).map_err(|error| TlsError::Other(error.to_string()))?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    let streams = most_streams(lanes);
    server.transport_config(transport_config(streams, streams));
    Ok((server, outcome))
}

/// Who comes is met here.
#[derive(Clone)]
struct Door {
    sessions: Sessions,
    lanes: u32,
    trust: Trust,
    settings: LinkSettings,
    refusals: Refusals,
}

impl Door {
    /// Meets strangers, for ever.
    async fn run(&self, endpoint: &Endpoint) {
        let most = self.settings.max_strangers;
        let mut crowd = Crowd::new(most, self.refusals.clone());
        while let Some(incoming) = endpoint.accept().await {
            let must_prove = !incoming.remote_address_validated() && incoming.may_retry();
            if must_prove && crowd.len() >= most / PROOF_FROM {
                // What it can't be told now, it asks for again.
                incoming.retry().ok();
                continue;
            }
            crowd.admit(incoming.remote_address(), self.clone().meet(incoming));
        }
    }

    /// Gets to know a stranger, and takes its lanes.
    async fn meet(self, incoming: Incoming) {
        let address = incoming.remote_address();
        let limit = self.settings.handshake_limit;
        let met = match tokio::time::timeout(limit, self.know(incoming)).await {
            Ok(met) => met.map_err(|error| LinkError::Tls {
                peer: address.to_string(),
                error,
            }),
            Err(_) => Err(LinkError::TimedOut {
                step: "the handshake of TLS",
                limit,
            }),
        };
        match met {
            // It is no stranger any more, and makes room for one.
            Ok((connection, caller)) => {
                tokio::spawn(self.take_lanes(connection, caller));
            }
            Err(error) => self.refusals.note(address, error),
        }
    }

    async fn know(&self, incoming: Incoming) -> Result<(Connection, Caller), TlsError> {
        let address = incoming.remote_address();
        let (server, outcome) = terms(&self.trust, self.lanes)?;
        let failed = |error| {
            trouble::of_tls(&error, &outcome)
                .unwrap_or_else(|| TlsError::Lost(trouble::plain(&error)))
        };
        let connecting = incoming.accept_with(Arc::new(server)).map_err(failed)?;
        let connection = connecting.await.map_err(failed)?;
        let caller = Caller {
            peer: Arc::new(outcome.peer()?),
            address: Some(address),
        };
        Ok((connection, caller))
    }

    /// Takes the lanes that a known peer opens on a connection. All come within the limit; later, the connection lasts as long as they.
    async fn take_lanes(self, connection: Connection, caller: Caller) {
        let taking = async {
            while let Ok(lane) = Streams::accept(&connection).await {
                let (at, streams) = match lane {
                    Ok(lane) => lane,
                    Err(error @ LaneError::Violation(_)) => {
                        self.refusals.note(caller.address, error.into());
                        continue;
                    }
                    Err(_) => continue,
                };
                match self.sessions.admit(at, &caller) {
                    Ok(place) => self.sessions.take(place, streams.into_lane(at.number)),
                    // The peer reads why.
                    Err(unwelcome) => streams.refuse(trouble::code(unwelcome)),
                }
            }
        };
        tokio::time::timeout(self.settings.link_limit, taking)
            .await
            .ok();
    }
}
