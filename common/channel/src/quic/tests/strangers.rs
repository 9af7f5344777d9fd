//! Peers that do not get through the handshake, and those who never answer: each by its own code, and a good one is served after it.

use crate::error::LinkError;
use crate::fixture::strangers::{Stranger, rogue_config};
use crate::fixture::{SOURCE, Target, assert_crowded, assert_refused, dialer, hello};
use crate::grpc::GrpcDialer;
use crate::link::Transport;
use crate::quic::{ALPN, QuicDialer};
use crate::settings::LinkSettings;
use crate::tls::{TlsError, Trust};
use model::{Class, Fault, codes};
use protocol::Role;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, ConnectionError, Endpoint, ServerConfig};
use runtime::config::TransportKind;
use rustls::AlertDescription::{CertificateExpired, CertificateRequired, NoApplicationProtocol};
use rustls::version::TLS13;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

const HOUR: Duration = Duration::from_secs(3600);

fn client(stranger: &Stranger<'_>, spoken: &[u8]) -> ClientConfig {
    let mut config = stranger.config();
    config.alpn_protocols = vec![spoken.to_vec()];
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()))
}

/// Connects as this stranger, and gives the alert with which it is refused.
async fn alert_from(target: &Target, stranger: &Stranger<'_>, spoken: &[u8]) -> u64 {
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let to = target.address().parse().unwrap();
    let connecting = endpoint.connect_with(client(stranger, spoken), to, "x.example");
    let error = match connecting.unwrap().await {
        Ok(connection) => connection.closed().await,
        Err(error) => error,
    };
    match error {
        ConnectionError::ConnectionClosed(close) => u64::from(close.error_code) - 0x100,
        other => panic!("{other:?}"),
    }
}

async fn listen() -> Target {
    Target::listen(TransportKind::Quic).await
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let mut target = listen().await;
    let stranger = Stranger {
        leaf: None,
        version: &TLS13,
    };
    let alert = alert_from(&target, &stranger, ALPN).await;
    assert_eq!(alert, u64::from(u8::from(CertificateRequired)));
    assert_refused(&mut target, codes::PEER_UNTRUSTED, "showed no certificate").await;
}

#[tokio::test]
async fn a_client_whose_certificate_expired_is_refused() {
    let mut target = listen().await;
    let late = target.office.expired();
    let stranger = Stranger {
        leaf: Some(&late),
        version: &TLS13,
    };
    let alert = alert_from(&target, &stranger, ALPN).await;
    assert_eq!(alert, u64::from(u8::from(CertificateExpired)));
    let expired = "the peer's certificate expired on";
    assert_refused(&mut target, codes::CERTIFICATE_EXPIRED, expired).await;
}

#[tokio::test]
async fn a_client_that_speaks_something_else_above_tls_is_refused() {
    let mut target = listen().await;
    let stranger = Stranger {
        leaf: Some(&target.office.pair.source),
        version: &TLS13,
    };
    let alert = alert_from(&target, &stranger, b"h3").await;
    assert_eq!(alert, u64::from(u8::from(NoApplicationProtocol)));
    assert_refused(&mut target, codes::PEER_UNTRUSTED, "another protocol").await;
}

/// Listens like this over QUIC, for ever.
fn rogue_listener(mut config: rustls::ServerConfig, spoken: &[u8]) -> String {
    config.alpn_protocols = vec![spoken.to_vec()];
    let crypto = QuicServerConfig::try_from(config).unwrap();
    let server = ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = Endpoint::server(server, "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = endpoint.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                if let Ok(connection) = incoming.await {
                    connection.closed().await;
                }
            });
        }
    });
    address
}

async fn dialled_in_vain(address: String, trust: Trust, settings: LinkSettings) -> Fault {
    let dialer = QuicDialer::new(address, hello(Role::Source), trust, settings);
    dialer.next_link().await.unwrap_err().into()
}

#[tokio::test]
async fn a_listener_whose_certificate_expired_is_refused() {
    let target = listen().await;
    let address = rogue_listener(rogue_config(&target.office.expired()), ALPN);
    let trust = target.office.trust(&target.office.pair.source, SOURCE);
    let fault = dialled_in_vain(address, trust, LinkSettings::default()).await;
    assert_eq!(fault.code, codes::CERTIFICATE_EXPIRED);
    assert!(fault.message.contains("expired on"), "{fault}");
}

#[tokio::test]
async fn a_listener_that_speaks_something_else_above_tls_is_refused() {
    let target = listen().await;
    let address = rogue_listener(rogue_config(&target.office.pair.target), b"h3");
    let words = hello(Role::Source);
    let dialer = QuicDialer::new(address, words, target.good_trust(), LinkSettings::default());
    let error = dialer.next_link().await.unwrap_err();
    let other = matches!(
        error,
        LinkError::Tls {
            error: TlsError::OtherProtocol,
            ..
        }
    );
    assert!(other, "{error:?}");
    assert!(error.hint().contains("same release"), "{error}");
}

/// What a firewall that drops UDP looks like, and an agent that does not run.
#[tokio::test]
async fn a_peer_that_never_answers_by_udp_is_given_up_within_the_limit_and_grpc_suggested() {
    let target = listen().await;
    let settings = LinkSettings {
        dial_limit: Duration::from_millis(50),
        ..LinkSettings::default()
    };
    let blocked = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = blocked.local_addr().unwrap().to_string();
    let fault = dialled_in_vain(address.clone(), target.good_trust(), settings).await;
    assert_eq!(fault.code, codes::PEER_UNREACHABLE);
    assert_eq!(fault.class, Class::Transient);
    assert!(fault.message.contains(&address), "{fault}");
    assert!(fault.message.contains("by UDP"), "{fault}");
    assert!(fault.hint.contains("channel.transport: grpc"), "{fault}");
}

#[tokio::test]
async fn who_dials_by_the_other_transport_is_told_to_look_at_it() {
    let short = LinkSettings {
        dial_limit: Duration::from_millis(300),
        ..LinkSettings::default()
    };
    let over_grpc = Target::listen(TransportKind::Grpc).await;
    let fault = dialled_in_vain(over_grpc.address(), over_grpc.good_trust(), short).await;
    assert_eq!(fault.code, codes::PEER_UNREACHABLE);
    assert!(fault.hint.contains("channel.transport: quic"), "{fault}");

    let over_quic = listen().await;
    let trust = over_quic.good_trust();
    let dialer = GrpcDialer::new(over_quic.address(), hello(Role::Source), trust, short);
    let fault: Fault = dialer.next_link().await.unwrap_err().into();
    assert_eq!(fault.code, codes::PEER_UNREACHABLE);
    assert!(fault.hint.contains("same channel.transport"), "{fault}");
}

/// Where the name has an address of IPv6 too, nobody answers on it.
#[tokio::test]
async fn a_name_is_reached_by_whichever_of_its_addresses_answers() {
    let target = listen().await;
    let port = target.address().parse::<SocketAddr>().unwrap().port();
    let (address, words) = (format!("localhost:{port}"), hello(Role::Source));
    let settings = LinkSettings::default();
    let dialer = dialer(
        TransportKind::Quic,
        address,
        words,
        target.good_trust(),
        settings,
    );
    let (dialled, listened) = tokio::join!(dialer.next_link(), target.listener.next_link());
    assert_eq!(dialled.unwrap().agreed.peer, hello(Role::Target));
    assert_eq!(listened.unwrap().agreed.peer, hello(Role::Source));
}

#[tokio::test]
async fn bytes_that_are_no_packet_disturb_nobody() {
    let target = listen().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 1200],
        &[0; 1],
        &[0xc0; 1400],
    ] {
        socket.send_to(bytes, target.address()).await.unwrap();
    }
    target.link().await;
}

/// The first word of a handshake to `target`, as if its sender then fell silent; with the socket that it came from.
async fn first_word(target: &Target) -> UdpSocket {
    let trap = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let stranger = Stranger {
        leaf: None,
        version: &TLS13,
    };
    let to = trap.local_addr().unwrap();
    let connecting = endpoint
        .connect_with(client(&stranger, ALPN), to, "x.example")
        .unwrap();
    let mut word = [0; 2048];
    let (length, _) = trap.recv_from(&mut word).await.unwrap();
    drop(connecting);
    trap.send_to(&word[..length], target.address())
        .await
        .unwrap();
    trap
}

#[tokio::test]
async fn a_stranger_that_falls_silent_is_dropped_within_the_limit() {
    let settings = LinkSettings {
        handshake_limit: Duration::from_millis(50),
        ..LinkSettings::default()
    };
    let mut target = Target::listen_with(TransportKind::Quic, settings).await;
    let _silent = first_word(&target).await;
    let refusal = target.refusals.recv().await.unwrap();
    let told = refusal.fault.to_string();
    assert!(told.contains("the handshake of TLS"), "{told}");
}

#[tokio::test]
async fn a_crowd_that_never_finishes_keeps_no_good_peer_out() {
    let settings = LinkSettings {
        handshake_limit: HOUR,
        max_strangers: 8,
        ..LinkSettings::default()
    };
    let target = Target::listen_with(TransportKind::Quic, settings).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(first_word(&target).await);
    }
    target.link().await;
}

/// From a quarter of a full crowd on, a stranger must prove that its address is its own: whoever can't, costs nothing more.
#[tokio::test]
async fn a_stranger_in_a_crowd_must_prove_its_address() {
    let settings = LinkSettings {
        handshake_limit: HOUR,
        max_strangers: 8,
        ..LinkSettings::default()
    };
    let target = Target::listen_with(TransportKind::Quic, settings).await;
    let mut retries = 0;
    for _ in 0..4 {
        let stranger = first_word(&target).await;
        let mut answer = [0; 2048];
        // What else comes is its own client's.
        while stranger.recv_from(&mut answer).await.unwrap().1.to_string() != target.address() {}
        // The type of a long header: 3 is Retry, in QUIC version 1 (RFC 9000, section 17.2.5).
        retries += usize::from((answer[0] >> 4) & 3 == 3);
    }
    assert_eq!(retries, 2);
}

/// Those who prove their address fill the crowd, and then the oldest has to go.
#[tokio::test]
async fn of_too_many_strangers_with_an_address_of_their_own_the_oldest_goes() {
    let settings = LinkSettings {
        handshake_limit: HOUR,
        max_strangers: 1,
        ..LinkSettings::default()
    };
    let mut target = Target::listen_with(TransportKind::Quic, settings).await;
    // A quarter of one is none: everybody must prove its address, and a good peer does.
    target.link().await;
    let _held = hold_up(&target).await;
    target.link().await;
    assert_crowded(&mut target).await;
}

/// A stranger that proves its address and then says nothing more: all its later packets are lost.
async fn hold_up(target: &Target) -> (UdpSocket, Endpoint) {
    let trap = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let stranger = Stranger {
        leaf: None,
        version: &TLS13,
    };
    let to = trap.local_addr().unwrap();
    let connecting = endpoint
        .connect_with(client(&stranger, ALPN), to, "x.example")
        .unwrap();
    tokio::spawn(connecting.into_future());
    let listener: SocketAddr = target.address().parse().unwrap();
    let mut packet = [0; 2048];
    let (length, client) = trap.recv_from(&mut packet).await.unwrap();
    trap.send_to(&packet[..length], listener).await.unwrap();
    // The Retry, and what proves the address.
    for to in [client, listener] {
        loop {
            let (length, from) = trap.recv_from(&mut packet).await.unwrap();
            if (from == listener) == (to == client) {
                trap.send_to(&packet[..length], to).await.unwrap();
                break;
            }
        }
    }
    // The stranger is being looked at as soon as it is answered.
    loop {
        let (_, from) = trap.recv_from(&mut packet).await.unwrap();
        if from == listener {
            break;
        }
    }
    (trap, endpoint)
}
