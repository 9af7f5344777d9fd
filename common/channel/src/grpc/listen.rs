//! The listening side.

use super::service::{Answer, Incoming, LinkService};
use super::{
    CONNECTION_WINDOW_BYTES, HTTP2_FRAME_BYTES, KEEPALIVE_INTERVAL, KEEPALIVE_LIMIT, LANE_KEY,
    SESSION_KEY, STREAM_WINDOW_BYTES, accept, lane,
};
use crate::error::LinkError;
use crate::link::{Lane, Link, Transport};
use crate::listening::{Caller, LaneAt, MAX_DATA_LANES, Refusal, Refusals, Sessions, Unwelcome};
use crate::settings::LinkSettings;
use crate::tls::Trust;
use futures::future::BoxFuture;
use futures::stream::StreamExt;
use protocol::Hello;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// Listens for peers over gRPC; serves several at a time. Dropping it ends the listening, and leaves alone the links that it gave.
#[derive(Debug)]
pub struct GrpcListener {
    address: SocketAddr,
    links: Mutex<mpsc::Receiver<Link>>,
    refusals: Refusals,
    _ends: DropGuard,
}

impl GrpcListener {
    /// Listens on `address` (an IP address or host name of this machine, and a port), and answers with `hello`; the most data lanes
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
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let refusals = Refusals::new();
        let (complete, links) = mpsc::channel(1);
        let (known, connections) = mpsc::channel(1);
        let ends = CancellationToken::new();
        let hello = Hello {
            data_lanes: hello.data_lanes.min(MAX_DATA_LANES),
            ..hello
        };
        let sessions = Sessions::new(hello, settings.link_limit, complete, refusals.clone());
        let accepting = accept::run(listener, trust, settings, refusals.clone(), known);
        tokio::spawn(ends.clone().run_until_cancelled_owned(accepting));
        tokio::spawn(serve(Doors { sessions }, connections, ends.clone()));
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

impl Transport for GrpcListener {
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

async fn serve(
    doors: Doors,
    connections: mpsc::Receiver<io::Result<crate::tls::Secured>>,
    ends: CancellationToken,
) {
    let served = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(HTTP2_FRAME_BYTES)
        .max_concurrent_streams(MAX_DATA_LANES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_LIMIT))
        .add_service(LinkService(doors))
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), ends.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the channel listens no more");
    }
}

/// Where lanes arrive.
#[derive(Clone)]
pub(super) struct Doors {
    sessions: Sessions,
}

impl Doors {
    pub(super) fn admit(&self, request: Request<Incoming>) -> Answer {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller =
            caller.ok_or_else(|| Status::unauthenticated("nobody vouches for this connection"))?;
        let at = LaneAt {
            session: text(request.metadata(), SESSION_KEY)?
                .parse()
                .map_err(|_| malformed(SESSION_KEY))?,
            number: text(request.metadata(), LANE_KEY)?
                .parse()
                .map_err(|_| malformed(LANE_KEY))?,
        };
        let place = self.sessions.admit(at, &caller).map_err(status)?;
        let (tx, frames) = lane::outgoing();
        let lane = Lane {
            tx,
            rx: lane::incoming(request.into_inner(), ()),
        };
        self.sessions.take(place, lane);
        Ok(Response::new(frames.map(Ok).boxed()))
    }
}

fn status(unwelcome: Unwelcome) -> Status {
    let message = unwelcome.to_string();
    match unwelcome {
        Unwelcome::NoSession => Status::not_found(message),
        Unwelcome::AnotherPeer => Status::permission_denied(message),
        Unwelcome::SessionExists => Status::already_exists(message),
        Unwelcome::TooManyLanes | Unwelcome::TooManySessions => Status::resource_exhausted(message),
    }
}

fn text<'a>(metadata: &'a MetadataMap, key: &'static str) -> Result<&'a str, Status> {
    let value = metadata.get(key).and_then(|value| value.to_str().ok());
    value
        .filter(|text| (1..=32).contains(&text.len()))
        .ok_or_else(|| malformed(key))
}

fn malformed(key: &'static str) -> Status {
    Status::invalid_argument(format!("the lane has no valid {key}"))
}
