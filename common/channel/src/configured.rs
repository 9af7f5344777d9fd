//! A transport as the configuration asks for it.

use crate::Transport;
use crate::grpc::{GrpcDialer, GrpcListener};
use crate::guarded::Guarded;
use crate::proxy::Proxy;
use crate::quic::{QuicDialer, QuicListener};
use crate::settings::LinkSettings;
use crate::tls::{CredentialPaths, CredentialsError, Trust};
use model::{Fault, Incarnation};
use protocol::handshake::PROTOCOL;
use protocol::{Hello, Role};
use runtime::Config;
use runtime::config::{ChannelSection, Peer, ProxyUse, Reach, TlsFiles, TransportKind};
use std::sync::Arc;

/// How many lanes carry batches.
const DATA_LANES: u32 = 4;

/// What an agent of this role and configuration says of itself.
#[must_use]
pub fn hello(role: Role, config: &Config, incarnation: Incarnation) -> Hello {
    Hello {
        version: PROTOCOL,
        role,
        agent: config.agent.name.clone(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        incarnation,
        data_lanes: DATA_LANES,
    }
}

/// The transport that this section asks for, its certificates read, and read again whenever they change; a listener is bound when this
/// returns.
///
/// # Errors
/// Certificates that can't be used, or an address that can't be listened on: the operator's.
pub async fn transport(
    section: &ChannelSection,
    hello: Hello,
) -> Result<Arc<dyn Transport>, Fault> {
    let ours = trust(&section.tls, &section.peers)?;
    let trust = ours.clone();
    let settings = LinkSettings {
        data_connections: usize::from(section.connections),
        ..LinkSettings::default()
    };
    if let ProxyUse::Unused { variable, why } = &section.proxy {
        tracing::info!(variable, why, "the environment's proxy is not used");
    }
    let transport: Arc<dyn Transport> = match (section.transport, &section.reach) {
        (TransportKind::Grpc, Reach::Dial(address)) => {
            let dialer = GrpcDialer::new(address.to_string(), hello, trust, settings);
            Arc::new(match &section.proxy {
                ProxyUse::Through(proxy) => {
                    tracing::info!(%proxy, peer = %address, "the peer is dialled through a proxy");
                    dialer.through(Proxy::new(proxy.clone()))
                }
                ProxyUse::None | ProxyUse::Unused { .. } => dialer,
            })
        }
        (TransportKind::Quic, Reach::Dial(address)) => {
            Arc::new(QuicDialer::new(address.to_string(), hello, trust, settings))
        }
        (TransportKind::Grpc, Reach::Listen(address)) => {
            Arc::new(GrpcListener::bind(&address.to_string(), hello, trust, settings).await?)
        }
        (TransportKind::Quic, Reach::Listen(address)) => {
            Arc::new(QuicListener::bind(&address.to_string(), hello, trust, settings).await?)
        }
    };
    Ok(Arc::new(Guarded::new(transport, ours)))
}

/// The credentials in these files, and these peers as the only ones that are let in.
///
/// # Errors
/// Certificates that can't be used: the operator's.
pub fn trust(tls: &TlsFiles, peers: &[Peer]) -> Result<Trust, CredentialsError> {
    let paths = CredentialPaths {
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        peer_ca: tls.peer_ca.clone(),
        crl: tls.crl.clone(),
    };
    Trust::load(paths, peers.to_vec())
}
