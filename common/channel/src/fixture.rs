//! What the tests of this room share: certificates, agents, and peers that behave badly.

pub(crate) mod proxy;
pub(crate) mod relay;
pub(crate) mod strangers;

use crate::certs::{self, Existing, LeafRequest, Made, Pair, Validity};
use crate::grpc::{GrpcDialer, GrpcListener};
use crate::link::{Link, Transport};
use crate::listening::Refusal;
use crate::quic::{QuicDialer, QuicListener};
use crate::settings::LinkSettings;
use crate::tls::{CredentialPaths, Trust, certificate};
use model::{Incarnation, codes};
use protocol::handshake::PROTOCOL;
use protocol::{Hello, Role};
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, date_time_ymd,
};
use runtime::config::{Peer, TransportKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::broadcast;

pub(crate) const SOURCE: &str = "spiffe://acme.example/passage/source";
pub(crate) const TARGET: &str = "spiffe://acme.example/passage/target";

pub(crate) fn hello(role: Role) -> Hello {
    let agent = match role {
        Role::Source => "acme-source",
        Role::Target => "acme-target",
    };
    Hello {
        version: PROTOCOL,
        role,
        agent: agent.parse().unwrap(),
        software: "0.1.0".into(),
        incarnation: Incarnation::new(7),
        data_lanes: 3,
    }
}

pub(crate) fn rule(name: &str, id: &str) -> Peer {
    Peer {
        name: name.into(),
        id: id.parse().unwrap(),
    }
}

/// An organisation's certificates.
pub(crate) struct Office {
    pub(crate) dir: TempDir,
    pub(crate) pair: Pair,
}

impl Office {
    pub(crate) fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pair = certs::make_pair(dir.path(), "acme.example", Existing::Keep).unwrap();
        Self { dir, pair }
    }

    pub(crate) fn paths(&self, leaf: &Made) -> CredentialPaths {
        let peer_ca = self.pair.authority.cert.clone();
        CredentialPaths {
            cert: leaf.cert.clone(),
            key: leaf.key.clone(),
            peer_ca,
            crl: None,
        }
    }

    pub(crate) fn trust(&self, leaf: &Made, peer: &str) -> Trust {
        Trust::load(self.paths(leaf), vec![rule("the other side", peer)]).unwrap()
    }

    pub(crate) fn leaf(&self, name: &str, spiffe: &str, validity: Validity) -> Made {
        let spiffe = Some(spiffe.to_owned());
        let request = LeafRequest {
            name: name.parse().unwrap(),
            spiffe,
            hosts: vec!["Agent.Example".into()],
            validity,
        };
        certs::make_leaf(self.dir.path(), &request, Existing::Keep).unwrap()
    }

    /// A list on which the organisation's CA has these certificates as revoked.
    pub(crate) fn revoked(&self, leaves: &[&Made]) -> PathBuf {
        let authority = &self.pair.authority;
        let key = std::fs::read_to_string(&authority.key).unwrap();
        let key = KeyPair::from_pem(&key).unwrap();
        let der = CertificateDer::from_pem_file(&authority.cert).unwrap();
        let issuer = Issuer::from_ca_cert_der(&der, key).unwrap();
        let entry = |leaf: &&Made| {
            let der = CertificateDer::from_pem_file(&leaf.cert).unwrap();
            let serial = certificate::parse(&der).unwrap().raw_serial().to_vec();
            RevokedCertParams {
                serial_number: serial.into(),
                revocation_time: date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: leaves.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.dir.path().join("revoked.pem");
        std::fs::write(&path, list.signed_by(&issuer).unwrap().pem().unwrap()).unwrap();
        path
    }

    /// A certificate that expired yesterday.
    pub(crate) fn expired(&self) -> Made {
        let from = SystemTime::now() - Duration::from_secs(3 * 86_400);
        self.leaf("late", SOURCE, Validity { from, days: 2 })
    }
}

/// Runs a test over one transport after the other; what it prints says which it was.
pub(crate) async fn over_both(test: impl AsyncFn(TransportKind)) {
    for over in [TransportKind::Grpc, TransportKind::Quic] {
        println!("over {over:?}");
        test(over).await;
    }
}

/// A source that dials.
pub(crate) fn dialer(
    over: TransportKind,
    address: String,
    words: Hello,
    trust: Trust,
    settings: LinkSettings,
) -> Box<dyn Transport> {
    match over {
        TransportKind::Grpc => Box::new(GrpcDialer::new(address, words, trust, settings)),
        TransportKind::Quic => Box::new(QuicDialer::new(address, words, trust, settings)),
    }
}

/// A target that listens, and everything that is needed to reach it.
pub(crate) struct Target {
    pub(crate) office: Office,
    pub(crate) trust: Trust,
    pub(crate) over: TransportKind,
    pub(crate) listener: Arc<dyn Transport>,
    pub(crate) refusals: broadcast::Receiver<Refusal>,
    address: SocketAddr,
}

impl Target {
    pub(crate) async fn listen(over: TransportKind) -> Self {
        Self::listen_with(over, LinkSettings::default()).await
    }

    pub(crate) async fn listen_with(over: TransportKind, settings: LinkSettings) -> Self {
        let office = Office::open();
        let trust = office.trust(&office.pair.target, SOURCE);
        Self::trusting(over, settings, office, trust).await
    }

    /// One of this organisation, with this trust.
    pub(crate) async fn trusting(
        over: TransportKind,
        settings: LinkSettings,
        office: Office,
        trust: Trust,
    ) -> Self {
        let (at, words, ours) = ("127.0.0.1:0", hello(Role::Target), trust.clone());
        let (listener, address, refusals): (Arc<dyn Transport>, _, _) = match over {
            TransportKind::Grpc => {
                let bound = GrpcListener::bind(at, words, ours, settings).await.unwrap();
                let (address, refusals) = (bound.address(), bound.refusals());
                (Arc::new(bound), address, refusals)
            }
            TransportKind::Quic => {
                let bound = QuicListener::bind(at, words, ours, settings).await.unwrap();
                let (address, refusals) = (bound.address(), bound.refusals());
                (Arc::new(bound), address, refusals)
            }
        };
        Self {
            office,
            trust,
            over,
            listener,
            refusals,
            address,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn dialer(&self, trust: Trust) -> Box<dyn Transport> {
        let settings = LinkSettings::default();
        dialer(
            self.over,
            self.address(),
            hello(Role::Source),
            trust,
            settings,
        )
    }

    /// The trust of the source as it should be.
    pub(crate) fn good_trust(&self) -> Trust {
        self.office.trust(&self.office.pair.source, TARGET)
    }

    /// The source as it should be.
    pub(crate) fn good_dialer(&self) -> Box<dyn Transport> {
        self.dialer(self.good_trust())
    }

    /// Both ends of a link with a good source.
    pub(crate) async fn link(&self) -> (Link, Link) {
        let dialer = self.good_dialer();
        let dialled = async { dialer.next_link().await.unwrap() };
        let listened = async { self.listener.next_link().await.unwrap() };
        tokio::join!(dialled, listened)
    }

    /// The next refusal; and a good source is served all the same.
    pub(crate) async fn refused(&mut self) -> Refusal {
        let refusal = self.refusals.recv().await.unwrap();
        self.link().await;
        refusal
    }
}

/// The next refusal is this, with a remedy; and a good peer is served all the same.
pub(crate) async fn assert_refused(target: &mut Target, code: &str, message: &str) {
    let refusal = target.refused().await;
    assert_eq!(refusal.fault.code, code, "{}", refusal.fault);
    assert!(refusal.fault.message.contains(message), "{}", refusal.fault);
    assert!(!refusal.fault.hint.is_empty());
}

/// Somebody was dropped since too many came; the first ones may have been missed.
pub(crate) async fn assert_crowded(target: &mut Target) {
    let refusal = loop {
        if let Ok(refusal) = target.refusals.recv().await {
            break refusal;
        }
    };
    assert_eq!(refusal.fault.code, codes::PEER_UNREACHABLE);
    let told = refusal.fault.to_string();
    assert!(told.contains("strangers were in the handshake"), "{told}");
}
