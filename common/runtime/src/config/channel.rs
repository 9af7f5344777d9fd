//! The section `channel`: the way to the other agent.

use super::peer::{Peer, peers};
use super::proxy::{self, ProxyUse};
use super::section::Section;
use super::values::{self, HostPort};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What carries the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// gRPC over HTTP/2.
    Grpc,
    /// QUIC, over UDP.
    Quic,
}

/// Which side opens the connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// This agent dials its peer.
    Dial(HostPort),
    /// The peer dials this agent.
    Listen(SocketAddr),
}

/// Files of a TLS identity, watched for changes by whoever uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and what it chains to, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// The CA of those on the other side, PEM.
    pub peer_ca: PathBuf,
    /// What that CA has revoked, PEM.
    pub crl: Option<PathBuf>,
}

/// The channel to the other agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSection {
    /// What carries it.
    pub transport: TransportKind,
    /// Who dials.
    pub reach: Reach,
    /// Which proxy the peer is dialled through, if any.
    pub proxy: ProxyUse,
    /// Connections that carry data; over gRPC, control has one of its own beside them.
    pub connections: u8,
    /// This agent's identity.
    pub tls: TlsFiles,
    /// Who may be at the other end.
    pub peers: Vec<Peer>,
}

pub(super) fn channel(section: &mut Section<'_>) -> Option<ChannelSection> {
    let kinds = [("grpc", TransportKind::Grpc), ("quic", TransportKind::Quic)];
    let transport = section.or("transport", "grpc", values::choice(kinds));
    let (dials, listens) = (section.has("dial"), section.has("listen"));
    let dial = section.optional("dial", values::host_port).map(Reach::Dial);
    let listen = section
        .optional("listen", values::socket)
        .map(Reach::Listen);
    match (dials, listens) {
        (true, true) => section.refuse("dial", "give either dial or listen, not both"),
        (false, false) => section.refuse("dial", "either dial or listen must be given"),
        _ => {}
    }
    let reach = dial.or(listen);
    let proxy = proxy::proxy(section, transport, reach.as_ref());
    let connections = section.or("connections", "2", values::number(1, 16));
    let tls = section.within("tls", tls_files);
    let peers = peers(section, "peers");
    Some(ChannelSection {
        transport: transport?,
        reach: reach?,
        proxy: proxy?,
        connections: u8::try_from(connections?).ok()?,
        tls: tls?,
        peers,
    })
}

pub(super) fn tls_files(section: &mut Section<'_>) -> Option<TlsFiles> {
    let cert = section.required("cert", values::path);
    let key = section.required("key", values::path);
    let peer_ca = section.required("peer_ca", values::path);
    let crl = section.optional("crl", values::path);
    Some(TlsFiles {
        cert: cert?,
        key: key?,
        peer_ca: peer_ca?,
        crl,
    })
}
