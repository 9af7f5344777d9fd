//! A transport as the configuration asks for it, and what of that may change while it runs.

use crate::grpc::{GrpcDialer, GrpcListener};
use crate::guarded::Guarded;
use crate::limited::Limited;
use crate::proxy::Proxy;
use crate::quic::{QuicDialer, QuicListener};
use crate::settings::LinkSettings;
use crate::tls::{CredentialPaths, CredentialsError, Trust};
use crate::{LinkError, Transport};
use model::{Fault, Incarnation};
use protocol::handshake::PROTOCOL;
use protocol::{Hello, Role};
use runtime::config::{ChannelSection, Peer, ProxyUse, Reach, TlsFiles, TransportKind};
use runtime::telemetry::metric_names::CHANNEL_LIMIT;
use runtime::{Config, RateLimit};
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

/// A channel as it is configured.
#[derive(Debug)]
pub struct Channel {
    /// Gives its links.
    pub transport: Arc<dyn Transport>,
    /// What of it may change.
    pub terms: Terms,
}

/// What of a channel may change while it runs: who may be at the other end, and how fast batches are sent. Clones share it.
#[derive(Debug, Clone)]
pub struct Terms {
    trust: Trust,
    rate: RateLimit,
}

impl Terms {
    /// Takes what the configuration says now: a link whose peer is not named any more ends, and whoever waits for the rate does so by the
    /// new one.
    pub fn take(&self, config: &Config) {
        self.trust.replace_peers(config.channel.peers.clone());
        let rate = config.limits.channel_bytes_per_second;
        self.rate.change(rate);
        show_limit(rate);
    }
}

/// The channel that this configuration asks for, its certificates read, and read again whenever they change; a listener is bound when
/// this returns.
///
/// # Errors
/// Certificates that can't be used, or an address that can't be listened on: the operator's.
pub async fn open(config: &Config, hello: Hello) -> Result<Channel, Fault> {
    let section = &config.channel;
    let trust = trust(&section.tls, &section.peers)?;
    let transport = transport(section, hello, trust.clone()).await?;
    let rate = config.limits.channel_bytes_per_second;
    show_limit(rate);
    let rate = RateLimit::per_second(rate);
    let limited = Arc::new(Limited::new(transport, rate.clone()));
    let transport = Arc::new(Guarded::new(limited, trust.clone()));
    let terms = Terms { trust, rate };
    Ok(Channel { transport, terms })
}

fn show_limit(rate: Option<u64>) {
    let shown = rate.map_or(f64::INFINITY, |bytes| bytes as f64);
    metrics::gauge!(CHANNEL_LIMIT).set(shown);
}

async fn transport(
    section: &ChannelSection,
    hello: Hello,
    trust: Trust,
) -> Result<Arc<dyn Transport>, LinkError> {
    let settings = LinkSettings {
        data_connections: usize::from(section.connections),
        ..LinkSettings::default()
    };
    if let ProxyUse::Unused { variable, why } = &section.proxy {
        tracing::info!(variable, why, "the environment's proxy is not used");
    }
    Ok(match (section.transport, &section.reach) {
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
    })
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
