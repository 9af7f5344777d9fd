//! The admin API over TCP: certificates on both sides, or nothing.

use crate::fake::FakeJobs;
use crate::{Address, Client, Listener, Operator, Operators, serve_admin};
use channel::certs::{Existing, LeafRequest, Validity, make_authority, make_leaf};
use model::codes;
use runtime::Config;
use runtime::config::{AdminSection, Overrides, Peer, PeerId, TlsFiles};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// The files of a certificate that a CA in this directory signs for this name.
fn files(dir: &Path, name: &str) -> TlsFiles {
    let request = LeafRequest {
        name: name.parse().unwrap(),
        spiffe: Some(format!("spiffe://acme.example/{name}")),
        hosts: vec![],
        validity: Validity::days(1),
    };
    let made = make_leaf(dir, &request, Existing::Keep).unwrap();
    TlsFiles {
        cert: made.cert,
        key: made.key,
        peer_ca: dir.join("ca.pem"),
        crl: None,
    }
}

fn id(name: &str) -> PeerId {
    format!("spiffe://acme.example/{name}").parse().unwrap()
}

fn authority() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    make_authority(dir.path(), "Acme", Validity::days(2), Existing::Keep).unwrap();
    dir
}

/// An agent at a TCP port that lets the operator `olga` in.
async fn agent(dir: &Path, shutdown: &CancellationToken) -> Address {
    agent_and_operators(dir, shutdown).await.0
}

async fn agent_and_operators(dir: &Path, shutdown: &CancellationToken) -> (Address, Operators) {
    let peers = vec![Peer {
        name: "olga".into(),
        id: id("olga"),
    }];
    let section = AdminSection::Tcp {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: files(dir, "agent"),
        peers,
    };
    let listener = Listener::bind(&section).await.unwrap();
    let address = Address::Tcp(listener.tcp_address().unwrap().to_string());
    let operators = listener.operators();
    tokio::spawn(serve_admin(
        listener,
        Arc::new(FakeJobs::default()),
        shutdown.clone(),
    ));
    (address, operators)
}

/// A configuration of which the admin API has this operator alone.
fn operated_by(name: &str) -> Config {
    let text = format!(
        r#"
agent: {{ name: acme, state_dir: /state }}
milvus: {{ uri: "http://127.0.0.1:1" }}
channel:
  listen: "127.0.0.1:1"
  tls: {{ cert: /cert, key: /key, peer_ca: /ca }}
  peers: [ {{ name: globex, id: "dns:globex.example" }} ]
admin:
  listen: "127.0.0.1:1"
  tls: {{ cert: /cert, key: /key, peer_ca: /ca }}
  peers: [ {{ name: {name}, id: "{}" }} ]
scope: {{ allow: ["*.*"] }}
"#,
        id(name)
    );
    Config::parse("agent.yaml", &text, Overrides::default()).unwrap()
}

#[tokio::test]
async fn an_operator_with_a_certificate_that_is_named_comes_in_and_nobody_else() {
    let dir = authority();
    let shutdown = CancellationToken::new();
    let address = agent(dir.path(), &shutdown).await;
    let olga = Operator {
        tls: files(dir.path(), "olga"),
        agent: id("agent"),
    };
    let mut client = Client::connect_as(&olga, &address).await.unwrap();
    assert_eq!(client.list().await.unwrap(), []);

    let eve = Operator {
        tls: files(dir.path(), "eve"),
        agent: id("agent"),
    };
    let refusal = match Client::connect_as(&eve, &address).await {
        Ok(mut client) => client.list().await.unwrap_err(),
        Err(refusal) => refusal,
    };
    assert_eq!(refusal.code, codes::AGENT_UNREACHABLE, "{refusal}");

    let elsewhere = authority();
    let stranger = Operator {
        tls: files(elsewhere.path(), "olga"),
        agent: id("agent"),
    };
    let refusal = Client::connect_as(&stranger, &address).await.unwrap_err();
    assert_eq!(refusal.code, codes::PEER_UNTRUSTED, "{refusal}");
    shutdown.cancel();
}

#[tokio::test]
async fn an_operator_whose_name_leaves_the_list_comes_in_no_more_and_a_new_one_does() {
    let dir = authority();
    let shutdown = CancellationToken::new();
    let (address, operators) = agent_and_operators(dir.path(), &shutdown).await;
    let of = |name: &str| Operator {
        tls: files(dir.path(), name),
        agent: id("agent"),
    };
    let listed = async |operator: &Operator| {
        let mut client = Client::connect_as(operator, &address).await?;
        client.list().await
    };
    let (olga, ivan) = (of("olga"), of("ivan"));
    assert!(listed(&olga).await.is_ok());
    assert!(listed(&ivan).await.is_err());
    operators.take(&operated_by("ivan"));
    assert!(listed(&ivan).await.is_ok());
    let refusal = listed(&olga).await.unwrap_err();
    assert_eq!(refusal.code, codes::AGENT_UNREACHABLE, "{refusal}");
    shutdown.cancel();
}

#[tokio::test]
async fn an_agent_that_is_not_the_one_that_was_meant_hears_no_request() {
    let dir = authority();
    let shutdown = CancellationToken::new();
    let address = agent(dir.path(), &shutdown).await;
    let olga = Operator {
        tls: files(dir.path(), "olga"),
        agent: id("other-agent"),
    };
    let refusal = Client::connect_as(&olga, &address).await.unwrap_err();
    assert_eq!(refusal.code, codes::PEER_NOT_ALLOWED, "{refusal}");
    shutdown.cancel();
}

#[tokio::test]
async fn tcp_without_certificates_gets_no_answer_and_a_command_without_them_says_so() {
    let dir = authority();
    let shutdown = CancellationToken::new();
    let address = agent(dir.path(), &shutdown).await;
    assert_eq!(
        Client::connect(&address).await.unwrap_err().code,
        codes::CONFIG_INVALID
    );
    let Address::Tcp(place) = &address else {
        panic!("{address}")
    };
    let mut plain = TcpStream::connect(place).await.unwrap();
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.ok();
    // An alert of TLS (21) at most; never a frame of HTTP/2.
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    shutdown.cancel();
}
