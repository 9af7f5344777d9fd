//! The libraries under the channel, used plainly: the same settings, certificates, connections and streams; no sessions, no first words, no
//! frames of ours.

use crate::cpu;
use crate::streams::{CHUNK_BYTES, joined};
use crate::way::{CONNECTIONS, Counted, LANES, Place, seconds, tell_address};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use channel::grpc::plain as grpc;
use channel::quic::plain as quic;
use channel::secure;
use channel::tls::Trust;
use futures::stream::{self, Stream, StreamExt};
use hyper_util::rt::TokioIo;
use proto::agent as written;
use proto::agent::link_client::LinkClient;
use proto::agent::link_server::{self, LinkServer};
use protocol::frame::MAX_FRAME_BYTES;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, EndpointConfig, ServerConfig};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tonic::transport::{Endpoint, Server, Uri};
use tonic::{Request, Response, Status, Streaming};
use tower::service_fn;
use written::frame::Kind;

const NAME: &str = "localhost";

/// As many streams as the channel's lanes have.
const STREAMS: usize = LANES * quic::DATA_STREAMS as usize;

/// Counts the frames of a call; answers with nothing, when all has come.
struct Counter {
    counted: Counted,
    over: mpsc::Sender<()>,
}

#[tonic::async_trait]
impl link_server::Link for Counter {
    async fn lane(
        &self,
        request: Request<Streaming<written::Frame>>,
    ) -> Result<Response<tonic::codegen::BoxStream<written::Frame>>, Status> {
        let (mut frames, counted) = (request.into_inner(), self.counted.clone());
        let (answers, told) = mpsc::channel(1);
        let over = self.over.clone();
        tokio::spawn(async move {
            while let Ok(Some(frame)) = frames.message().await {
                if let Some(Kind::Piece(piece)) = frame.kind {
                    counted.add(piece.parts.iter().map(Bytes::len).sum());
                }
            }
            drop(answers);
            over.send(()).await
        });
        Ok(Response::new(ReceiverStream::new(told).boxed()))
    }
}

pub(crate) async fn receive_tonic(trust: Trust, counted: &Counted) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    tell_address(listener.local_addr()?);
    let incoming = Box::pin(connections(listener, trust));
    let (over, mut ended) = mpsc::channel(LANES);
    let counter = Counter {
        counted: counted.clone(),
        over,
    };
    let service = LinkServer::new(counter).max_decoding_message_size(MAX_FRAME_BYTES);
    Server::builder()
        .initial_stream_window_size(grpc::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(grpc::CONNECTION_WINDOW_BYTES)
        .max_frame_size(grpc::HTTP2_FRAME_BYTES)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, async move {
            for _ in 0..LANES {
                ended.recv().await;
            }
        })
        .await?;
    Ok(())
}

/// A connection of which the peer is known: tonic asks for no more.
struct Known<T>(T);

impl<T> Connected for Known<T> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl<T: AsyncRead + Unpin> AsyncRead for Known<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Known<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Connections on which the peer is known, as they come.
fn connections(
    listener: TcpListener,
    trust: Trust,
) -> impl Stream<Item = io::Result<Known<impl AsyncRead + AsyncWrite + Send + Unpin + 'static>>> {
    stream::unfold((listener, trust), async |(listener, trust)| {
        let met = async {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let met = secure::accept(&trust, socket).await;
            met.map(|(io, _)| Known(io)).map_err(io::Error::other)
        };
        let met = met.await;
        Some((met, (listener, trust)))
    })
}

pub(crate) async fn send_tonic(trust: Trust, to: SocketAddr, batch: Bytes) -> Result<f64> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let socket = TcpStream::connect(to).await?;
        socket.set_nodelay(true)?;
        let (io, _) = secure::connect(&trust, NAME, socket).await?;
        let mut once = Some(TokioIo::new(io));
        let connector = service_fn(move |_: Uri| {
            let taken = once.take().ok_or_else(|| io::Error::other("it is over"));
            std::future::ready(taken)
        });
        let channel = Endpoint::from_static("http://bench")
            .initial_stream_window_size(grpc::STREAM_WINDOW_BYTES)
            .initial_connection_window_size(grpc::CONNECTION_WINDOW_BYTES)
            .max_frame_size(grpc::HTTP2_FRAME_BYTES)
            .connect_with_connector(connector)
            .await?;
        clients.push(LinkClient::new(channel));
    }
    let used = cpu()?;
    let mut tasks = JoinSet::new();
    for client in clients.iter().cycle().take(LANES) {
        let (mut client, batch) = (client.clone(), batch.clone());
        tasks.spawn(async move {
            let (frames, sent) = mpsc::channel(2);
            let answers = client.lane(ReceiverStream::new(sent)).await?;
            let until = Instant::now() + seconds();
            while Instant::now() < until {
                let parts = vec![batch.clone()];
                let kind = Some(Kind::Piece(written::Piece { parts }));
                frames.send(written::Frame { kind }).await?;
            }
            drop(frames);
            let mut answers = answers.into_inner();
            while answers.message().await?.is_some() {}
            Ok(())
        });
    }
    joined(tasks).await?;
    Ok(used)
}

/// AES-128 first, as the channel has it.
fn provider() -> Arc<CryptoProvider> {
    let suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(CryptoProvider {
        cipher_suites: suites,
        ..default_provider()
    })
}

struct Certificates {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
}

fn certificates(place: &Place) -> Result<Certificates> {
    let file = |name: &str| place.folder.join(name);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("ca.pem"))?)?;
    Ok(Certificates {
        chain: CertificateDer::pem_file_iter(file("plain.pem"))?.collect::<Result<_, _>>()?,
        key: PrivateKeyDer::from_pem_file(file("plain.key"))?,
        roots: Arc::new(roots),
    })
}

pub(crate) async fn receive_quinn(place: &Place, counted: &Counted) -> Result<()> {
    let own = certificates(place)?;
    let clients = WebPkiClientVerifier::builder_with_provider(own.roots, provider()).build()?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(own.chain, own.key)?;
    config.alpn_protocols = vec![b"bench".to_vec()];
    let crypto = QuicServerConfig::try_from(config)?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    let streams = STREAMS as u32;
    server.transport_config(quic::transport_config(streams, streams));
    let at = (Ipv4Addr::LOCALHOST, 0).into();
    let endpoint = quic::endpoint(at, EndpointConfig::default(), Some(server))?;
    tell_address(endpoint.local_addr()?);
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let connection = endpoint.accept().await.context("a connection")?.await?;
        for _ in 0..STREAMS / CONNECTIONS {
            let (connection, counted) = (connection.clone(), counted.clone());
            tasks.spawn(async move {
                let (mut answers, mut stream) = connection.accept_bi().await?;
                let mut chunk = vec![0; CHUNK_BYTES];
                while let Some(bytes) = stream.read(&mut chunk).await? {
                    counted.add(bytes);
                }
                answers.finish()?;
                answers.stopped().await.ok();
                Ok(())
            });
        }
    }
    joined(tasks).await
}

pub(crate) async fn send_quinn(place: &Place, to: SocketAddr) -> Result<f64> {
    let own = certificates(place)?;
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(own.roots)
        .with_client_auth_cert(own.chain, own.key)?;
    config.alpn_protocols = vec![b"bench".to_vec()];
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(config)?));
    config.transport_config(quic::transport_config(STREAMS as u32, 0));
    let at = (Ipv4Addr::UNSPECIFIED, 0).into();
    let endpoint = quic::endpoint(at, EndpointConfig::default(), None)?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(endpoint.connect_with(config.clone(), to, NAME)?.await?);
    }
    let used = cpu()?;
    let mut tasks = JoinSet::new();
    for connection in connections.iter().cycle().take(STREAMS) {
        let (connection, batch) = (connection.clone(), place.batch.clone());
        tasks.spawn(async move {
            let (mut stream, mut answers) = connection.open_bi().await?;
            let until = Instant::now() + seconds();
            while Instant::now() < until {
                stream.write_chunk(batch.clone()).await?;
            }
            stream.finish()?;
            answers.read_to_end(0).await.ok();
            Ok(())
        });
    }
    joined(tasks).await?;
    endpoint.close(0u32.into(), &[]);
    endpoint.wait_idle().await;
    Ok(used)
}
