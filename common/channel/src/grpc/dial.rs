//! The dialling side.

use super::{
    CONNECTION_WINDOW_BYTES, HTTP2_FRAME_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_LIMIT, LANE_KEY,
    SESSION_KEY, STREAM_WINDOW_BYTES, lane, service,
};
use crate::error::{LaneError, LinkError};
use crate::handshake;
use crate::link::{Lane, Link, Transport};
use crate::listening::SessionId;
use crate::proxy::Proxy;
use crate::settings::LinkSettings;
use crate::tcp;
use crate::tls::{self, PeerIdentity, Secured, Socket, Trouble, Trust};
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use protocol::Hello;
use std::io;
use std::sync::Arc;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tower::service_fn;

/// Dials one peer over gRPC.
#[derive(Debug)]
pub struct GrpcDialer {
    address: String,
    proxy: Option<Proxy>,
    hello: Hello,
    trust: Trust,
    settings: LinkSettings,
}

impl GrpcDialer {
    /// Will dial `address` (a host name or IP address, and a port), and say `hello`; how many data lanes it asks for is said there.
    #[must_use]
    pub fn new(
        address: impl Into<String>,
        hello: Hello,
        trust: Trust,
        settings: LinkSettings,
    ) -> Self {
        Self {
            address: address.into(),
            proxy: None,
            hello,
            trust,
            settings,
        }
    }

    /// Will dial through this proxy, which alone resolves the address.
    #[must_use]
    pub fn through(self, proxy: Proxy) -> Self {
        Self {
            proxy: Some(proxy),
            ..self
        }
    }

    /// The peer, as errors name it.
    fn peer(&self) -> String {
        match &self.proxy {
            None => self.address.clone(),
            Some(proxy) => format!("{} (through the proxy {proxy})", self.address),
        }
    }
}

impl Transport for GrpcDialer {
    fn next_link(&self) -> BoxFuture<'_, Result<Link, LinkError>> {
        Box::pin(async {
            let limit = self.settings.link_limit;
            let session = Session {
                dialer: self,
                id: SessionId::random()?,
            };
            let begun = handshake::within(
                limit,
                "the connection to the peer",
                Box::pin(session.begin()),
            )
            .await?;
            let Begun {
                connection,
                mut control,
            } = begun;
            let rest = Box::pin(session.complete(&connection, &mut control));
            match handshake::within(limit, "the lanes of the link", rest).await {
                Ok((agreed, data)) => Ok(Link {
                    peer: (*connection.peer).clone(),
                    agreed,
                    control,
                    data,
                }),
                Err(error) => {
                    let error = explained(&connection.trouble, self.peer(), error);
                    handshake::tell(control, &error).await;
                    Err(error)
                }
            }
        })
    }
}

/// One attempt.
struct Session<'a> {
    dialer: &'a GrpcDialer,
    id: SessionId,
}

/// A session of which the control lane is open.
struct Begun {
    connection: Connection,
    control: Lane,
}

/// An HTTP/2 connection to the peer.
pub(super) struct Connection {
    pub(super) channel: Channel,
    peer: Arc<PeerIdentity>,
    trouble: Trouble,
}

impl Session<'_> {
    async fn begin(&self) -> Result<Begun, LinkError> {
        let connection = self.dialer.connect().await?;
        let control = self.open(&connection, 0).await?;
        Ok(Begun {
            connection,
            control,
        })
    }

    async fn complete(
        &self,
        control_connection: &Connection,
        control: &mut Lane,
    ) -> Result<(protocol::Agreed, Vec<Lane>), LinkError> {
        let greeted = handshake::greet(control, &self.dialer.hello).await?;
        let lanes = greeted.data_lanes as usize;
        let mut connections = Vec::new();
        for _ in 0..self.dialer.settings.data_connections.clamp(1, lanes) {
            let connection = self.dialer.connect().await?;
            if connection.peer.fingerprint != control_connection.peer.fingerprint {
                let changed = "its connections show different certificates".to_owned();
                return Err(LaneError::Lost(changed).into());
            }
            connections.push(connection);
        }
        let mut data = Vec::with_capacity(lanes);
        for (connection, number) in connections.iter().cycle().zip(1..=greeted.data_lanes) {
            data.push(self.open(connection, number).await?);
        }
        Ok((greeted.agreed, data))
    }

    async fn open(&self, connection: &Connection, number: u32) -> Result<Lane, LinkError> {
        let (tx, frames) = lane::outgoing();
        let mut request = Request::new(frames);
        let broken = |error: &dyn std::error::Error| LaneError::Lost(error.to_string());
        let id = self
            .id
            .to_string()
            .parse()
            .map_err(|error| broken(&error))?;
        request.metadata_mut().insert(SESSION_KEY, id);
        request.metadata_mut().insert(LANE_KEY, number.into());
        let failed = |status: Status| {
            explained(
                &connection.trouble,
                self.dialer.peer(),
                lane::lane_error(&status).into(),
            )
        };
        let frames = service::call(connection.channel.clone(), request)
            .await
            .map_err(failed)?;
        Ok(Lane {
            tx,
            rx: lane::incoming(frames, connection.channel.clone()),
        })
    }
}

/// The error of a broken connection; where TLS knows better why it broke, that.
fn explained(trouble: &Trouble, peer: String, error: LinkError) -> LinkError {
    match (&error, trouble.get()) {
        (LinkError::Lane(LaneError::Lost(_)), Some(trouble)) => LinkError::Tls {
            peer,
            error: trouble.clone(),
        },
        _ => error,
    }
}

impl GrpcDialer {
    pub(super) async fn connect(&self) -> Result<Connection, LinkError> {
        let socket = self.reach().await?;
        let host = self
            .address
            .rsplit_once(':')
            .map_or(self.address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let untrusted = |error| LinkError::Tls {
            peer: self.peer(),
            error,
        };
        let secured = tls::connect(&self.trust, host, socket)
            .await
            .map_err(untrusted)?;
        let (peer, trouble) = (secured.peer(), secured.trouble());
        let http2 = self.http2(secured).await;
        let channel = http2.map_err(|error| explained(&trouble, self.peer(), error))?;
        Ok(Connection {
            channel,
            peer,
            trouble,
        })
    }

    /// A connection to the peer, or to the proxy that passes it on.
    async fn reach(&self) -> Result<BufReader<Socket>, LinkError> {
        if let Some(proxy) = &self.proxy {
            let limit = self.settings.proxy_limit;
            return Ok(proxy.tunnel_to(&self.address, limit).await?);
        }
        let unreachable = |error: io::Error| LinkError::Unreachable {
            address: self.address.clone(),
            cause: error.to_string(),
        };
        let connected = TcpStream::connect(&self.address).await;
        let socket = connected.map_err(unreachable)?;
        tcp::set_up(&socket).map_err(unreachable)?;
        Ok(tls::buffered(Socket::Tcp(socket)))
    }

    /// HTTP/2 over one connection: when it is lost it stays lost, and the caller asks for a new link.
    async fn http2(&self, secured: Secured) -> Result<Channel, LinkError> {
        let mut once = Some(TokioIo::new(secured));
        let connector = service_fn(move |_: Uri| {
            let taken = once
                .take()
                .ok_or_else(|| io::Error::other("the connection is over"));
            std::future::ready(taken)
        });
        let lost =
            |error: tonic::transport::Error| LinkError::from(LaneError::Lost(lane::causes(&error)));
        // TLS is below, where tonic does not see it; it refuses https without its own.
        Endpoint::from_static("http://passage")
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(HTTP2_FRAME_BYTES)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_LIMIT)
            .keep_alive_while_idle(true)
            .connect_with_connector(connector)
            .await
            .map_err(lost)
    }
}
