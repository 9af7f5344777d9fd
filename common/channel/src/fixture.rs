//! What the tests of this room share: certificates, agents, and peers that behave badly.

pub(crate) mod strangers;

use crate::certs::{self, Existing, LeafRequest, Made, Pair, Validity};
use crate::grpc::{GrpcDialer, GrpcListener, GrpcSettings, Refusal};
use crate::link::{Link, Transport};
use crate::tls::{CredentialPaths, Trust};
use model::Incarnation;
use protocol::handshake::PROTOCOL;
use protocol::{Hello, Role};
use runtime::config::Peer;
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

    /// A certificate that expired yesterday.
    pub(crate) fn expired(&self) -> Made {
        let from = SystemTime::now() - Duration::from_secs(3 * 86_400);
        self.leaf("late", SOURCE, Validity { from, days: 2 })
    }
}

/// A target that listens, and everything that is needed to reach it.
pub(crate) struct Target {
    pub(crate) office: Office,
    pub(crate) trust: Trust,
    pub(crate) listener: GrpcListener,
    pub(crate) refusals: broadcast::Receiver<Refusal>,
}

impl Target {
    pub(crate) async fn listen() -> Self {
        Self::listen_with(GrpcSettings::default()).await
    }

    pub(crate) async fn listen_with(settings: GrpcSettings) -> Self {
        let office = Office::open();
        let trust = office.trust(&office.pair.target, SOURCE);
        let bound =
            GrpcListener::bind("127.0.0.1:0", hello(Role::Target), trust.clone(), settings).await;
        let listener = bound.unwrap();
        let refusals = listener.refusals();
        Self {
            office,
            trust,
            listener,
            refusals,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.address().to_string()
    }

    pub(crate) fn dialer(&self, trust: Trust) -> GrpcDialer {
        GrpcDialer::new(
            self.address(),
            hello(Role::Source),
            trust,
            GrpcSettings::default(),
        )
    }

    /// The source as it should be.
    pub(crate) fn good_dialer(&self) -> GrpcDialer {
        self.dialer(self.office.trust(&self.office.pair.source, TARGET))
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
