//! Peers that do not get through the handshake of TLS: each is refused by its own code, and a good one is served after it.

use crate::error::LinkError;
use crate::fixture::strangers::{Stranger, rogue_listener};
use crate::fixture::{SOURCE, TARGET, Target, assert_crowded, assert_refused, hello};
use crate::grpc::GrpcDialer;
use crate::link::Transport;
use crate::settings::LinkSettings;
use crate::tls::TlsError;
use model::{Class, Fault, codes};
use protocol::Role;
use runtime::config::TransportKind;
use rustls::AlertDescription::{CertificateExpired, CertificateRequired, ProtocolVersion};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_client_without_tls_is_refused() {
    let mut target = Target::listen(TransportKind::Grpc).await;
    for words in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0xff; 300],
    ] {
        let mut socket = TcpStream::connect(target.address()).await.unwrap();
        socket.write_all(words).await.unwrap();
        assert_refused(&mut target, codes::PEER_UNTRUSTED, "does not speak TLS").await;
    }
}

#[tokio::test]
async fn a_client_of_tls_1_2_is_refused() {
    let mut target = Target::listen(TransportKind::Grpc).await;
    let stranger = Stranger {
        leaf: Some(&target.office.pair.source),
        version: &rustls::version::TLS12,
    };
    assert_eq!(
        stranger.alert_from(&target.address()).await,
        ProtocolVersion
    );
    assert_refused(&mut target, codes::PEER_UNTRUSTED, "speaks no TLS 1.3").await;
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let mut target = Target::listen(TransportKind::Grpc).await;
    let stranger = Stranger {
        leaf: None,
        version: &rustls::version::TLS13,
    };
    assert_eq!(
        stranger.alert_from(&target.address()).await,
        CertificateRequired
    );
    assert_refused(&mut target, codes::PEER_UNTRUSTED, "showed no certificate").await;
}

#[tokio::test]
async fn a_client_whose_certificate_expired_is_refused() {
    let mut target = Target::listen(TransportKind::Grpc).await;
    let late = target.office.expired();
    let stranger = Stranger {
        leaf: Some(&late),
        version: &rustls::version::TLS13,
    };
    let alert = stranger.alert_from(&target.address()).await;
    assert_eq!(alert, CertificateExpired);
    assert_refused(
        &mut target,
        codes::CERTIFICATE_EXPIRED,
        "the peer's certificate expired on",
    )
    .await;
}

#[tokio::test]
async fn a_listener_whose_certificate_expired_is_refused() {
    let target = Target::listen(TransportKind::Grpc).await;
    let address = rogue_listener(&target.office.expired()).await;
    let trust = target.office.trust(&target.office.pair.source, SOURCE);
    let dialer = GrpcDialer::new(address, hello(Role::Source), trust, LinkSettings::default());
    let fault: Fault = dialer.next_link().await.unwrap_err().into();
    assert_eq!(fault.code, codes::CERTIFICATE_EXPIRED);
    assert!(fault.message.contains("expired on"), "{fault}");
}

#[tokio::test]
async fn a_listener_without_tls_is_refused() {
    let target = Target::listen(TransportKind::Grpc).await;
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = plain.accept().await.unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let trust = target.office.trust(&target.office.pair.source, TARGET);
    let dialer = GrpcDialer::new(address, hello(Role::Source), trust, LinkSettings::default());
    let error = dialer.next_link().await.unwrap_err();
    assert!(
        matches!(
            error,
            LinkError::Tls {
                error: TlsError::Plaintext,
                ..
            }
        ),
        "{error:?}"
    );
}

/// What a relay does whose agent is not running: it takes the connection, and ends it.
#[tokio::test]
async fn a_connection_that_ends_before_either_side_is_judged_is_a_peer_out_of_reach() {
    let target = Target::listen(TransportKind::Grpc).await;
    for reads_first in [true, false] {
        let relay = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = relay.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut socket, _) = relay.accept().await.unwrap();
            socket.readable().await.unwrap();
            if reads_first {
                // What is left unread would make it a reset.
                let _ = socket.read(&mut [0; 4096]).await.unwrap();
            }
        });
        let trust = target.office.trust(&target.office.pair.source, TARGET);
        let dialer = GrpcDialer::new(address, hello(Role::Source), trust, LinkSettings::default());
        let fault: Fault = dialer.next_link().await.unwrap_err().into();
        assert_eq!(fault.code, codes::PEER_UNREACHABLE, "{fault}");
        assert_eq!(fault.class, Class::Transient, "{fault}");
        assert!(fault.hint.contains("a relay or balancer"), "{fault}");
    }
}

#[tokio::test]
async fn a_stranger_that_says_nothing_is_dropped_within_the_limit() {
    let settings = LinkSettings {
        handshake_limit: Duration::from_millis(50),
        ..LinkSettings::default()
    };
    let mut target = Target::listen_with(TransportKind::Grpc, settings).await;
    let _silent = TcpStream::connect(target.address()).await.unwrap();
    let refusal = target.refusals.recv().await.unwrap();
    assert!(
        refusal.fault.message.contains("the handshake of TLS"),
        "{}",
        refusal.fault
    );
}

#[tokio::test]
async fn a_crowd_that_never_finishes_keeps_no_good_peer_out() {
    let hour = Duration::from_secs(3600);
    let settings = LinkSettings {
        handshake_limit: hour,
        max_strangers: 8,
        ..LinkSettings::default()
    };
    let mut target = Target::listen_with(TransportKind::Grpc, settings).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(TcpStream::connect(target.address()).await.unwrap());
    }
    assert_crowded(&mut target).await;
    target.link().await;
}

#[tokio::test]
async fn a_peer_that_never_answers_is_given_up_within_the_limit() {
    let target = Target::listen(TransportKind::Grpc).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = LinkSettings {
        link_limit: Duration::from_millis(50),
        ..LinkSettings::default()
    };
    let trust = target.office.trust(&target.office.pair.source, TARGET);
    let address = silent.local_addr().unwrap().to_string();
    let dialer = GrpcDialer::new(address, hello(Role::Source), trust, settings);
    assert!(matches!(
        dialer.next_link().await,
        Err(LinkError::TimedOut { .. })
    ));
}
