//! Links through a proxy, and every way in which a proxy gives none: against a small proxy that is one.

use super::Proxy;
use crate::certs::{Existing, LeafRequest, Validity, make_leaf};
use crate::fixture::proxy::{Does, SmallProxy, login};
use crate::fixture::{TARGET, Target, hello};
use crate::grpc::GrpcDialer;
use crate::link::Transport;
use crate::settings::LinkSettings;
use model::{Class, Fault, codes};
use protocol::Role;
use runtime::config::{ProxyScheme, ProxySection, TransportKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A name that nobody resolves (RFC 6761): only a proxy can know where it is.
const PEER: &str = "globex.invalid:7443";

/// `passage:c4nary` in base64.
const LOGIN: &str = "cGFzc2FnZTpjNG5hcnk=";

const BRIEF: Duration = Duration::from_millis(50);

fn dialer(target: &Target, proxy: ProxySection, settings: LinkSettings) -> GrpcDialer {
    let trust = target.good_trust();
    GrpcDialer::new(PEER, hello(Role::Source), trust, settings).through(Proxy::new(proxy))
}

/// A link comes about, with the peer that is meant at its other end.
async fn assert_linked(target: &Target, proxy: ProxySection) {
    let dialer = dialer(target, proxy, LinkSettings::default());
    let (near, far) = tokio::join!(dialer.next_link(), target.listener.next_link());
    let (near, far) = (near.unwrap(), far.unwrap());
    let fingerprint = target.office.pair.target.description.fingerprint;
    assert_eq!(near.peer.fingerprint, fingerprint);
    assert_eq!((near.data.len(), far.data.len()), (3, 3));
}

async fn fault_of(target: &Target, proxy: ProxySection) -> Fault {
    let dialer = dialer(target, proxy, LinkSettings::default());
    dialer.next_link().await.unwrap_err().into()
}

fn socket_of(target: &Target) -> std::net::SocketAddr {
    target.address().parse().unwrap()
}

#[tokio::test]
async fn a_link_goes_through_a_proxy_that_alone_knows_where_the_peer_is() {
    let target = Target::listen(TransportKind::Grpc).await;
    let proxy = SmallProxy::that(Does::LeadTo(socket_of(&target))).await;
    assert_linked(&target, proxy.section()).await;
    let asked = proxy.requests();
    // One connection for control, two for data.
    assert_eq!(asked.len(), 3);
    for request in asked {
        assert_eq!(
            request,
            format!("CONNECT {PEER} HTTP/1.1\r\nHost: {PEER}\r\n\r\n")
        );
    }
}

#[tokio::test]
async fn a_proxy_is_told_who_calls_and_one_that_is_told_otherwise_refuses() {
    let target = Target::listen(TransportKind::Grpc).await;
    let proxy = SmallProxy::that(Does::Ask(LOGIN, socket_of(&target))).await;
    let known = ProxySection {
        login: Some(login(target.office.dir.path(), "passage", "c4nary\n")),
        ..proxy.section()
    };
    assert_linked(&target, known.clone()).await;
    let unknown = fault_of(&target, proxy.section()).await;
    let mistaken = ProxySection {
        login: Some(login(target.office.dir.path(), "passage", "wr0ngcanary")),
        ..known
    };
    let mistaken = fault_of(&target, mistaken).await;
    for (fault, remedy) in [
        (
            unknown,
            "set channel.proxy.user and channel.proxy.password_file",
        ),
        (mistaken, "correct channel.proxy.user"),
    ] {
        assert_eq!(fault.code, codes::PROXY_REFUSED, "{fault}");
        assert_eq!(fault.class, Class::Operator, "{fault}");
        assert!(
            fault.message.contains("407 Proxy Authentication"),
            "{fault}"
        );
        assert!(fault.hint.contains(remedy), "{fault}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
}

#[tokio::test]
async fn a_password_that_can_not_be_read_is_named_by_its_place() {
    let target = Target::listen(TransportKind::Grpc).await;
    let proxy = SmallProxy::that(Does::LeadTo(socket_of(&target))).await;
    let login = login(target.office.dir.path(), "passage", "c4nary");
    std::fs::remove_file(target.office.dir.path().join("proxy.pw")).unwrap();
    let section = ProxySection {
        login: Some(login),
        ..proxy.section()
    };
    let fault = fault_of(&target, section).await;
    assert_eq!(fault.code, codes::CONFIG_INVALID, "{fault}");
    assert!(fault.message.contains("proxy.pw"), "{fault}");
    assert!(proxy.requests().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_by_its_status_and_whose_turn_it_is() {
    let target = Target::listen(TransportKind::Grpc).await;
    for (status, class, remedy) in [
        (
            "403 Forbidden",
            Class::Operator,
            "allow CONNECT to globex.invalid:7443",
        ),
        ("400 Bad Request", Class::Operator, "may be a web server"),
        (
            "405 Method Not Allowed",
            Class::Operator,
            "may be a web server",
        ),
        ("429 Too Many Requests", Class::Transient, "too much to do"),
        (
            "500 Internal Server Error",
            Class::Transient,
            "the proxy's log",
        ),
        ("502 Bad Gateway", Class::Transient, "can't reach the peer"),
        (
            "503 Service Unavailable",
            Class::Transient,
            "can't reach the peer",
        ),
        (
            "504 Gateway Timeout",
            Class::Transient,
            "can't reach the peer",
        ),
        ("302 Found", Class::Operator, "allow CONNECT"),
    ] {
        let answer = format!("HTTP/1.0 {status}\r\nContent-Length: 4\r\n\r\nno!\n");
        let proxy = SmallProxy::that(Does::Answer(answer.into())).await;
        let fault = fault_of(&target, proxy.section()).await;
        assert_eq!(fault.code, codes::PROXY_REFUSED, "{fault}");
        assert_eq!(fault.class, class, "{fault}");
        assert!(fault.message.contains(status), "{fault}");
        assert!(fault.hint.contains(remedy), "{fault}");
    }
}

#[tokio::test]
async fn what_is_no_http_proxy_is_told_as_such() {
    let target = Target::listen(TransportKind::Grpc).await;
    let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; 9000]].concat();
    let many = [
        b"HTTP/1.1 200 OK\r\n".as_slice(),
        &b"X: y\r\n".repeat(200),
        b"\r\n",
    ]
    .concat();
    for (does, told) in [
        (Does::Answer(b"SSH-2.0-x\r\n".into()), "none of HTTP/1"),
        (Does::Answer(b"\x15\x03\x01\0\x02".into()), "none of HTTP/1"),
        (Does::Hold(b"220 mail\r\n".into()), "none of HTTP/1"),
        (Does::Answer(b"HTTP/1.1 20x OK\r\n\r\n".into()), "status"),
        (
            Does::Answer(b"HTTP/1.1 200 OK\r\n \r\n\r\n".into()),
            "header",
        ),
        (Does::Answer(many), "many headers"),
        (Does::Hold(long), "more than 8192 bytes"),
        (
            Does::Repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
            "more than 8192 bytes",
        ),
    ] {
        let proxy = SmallProxy::that(does.clone()).await;
        let fault = fault_of(&target, proxy.section()).await;
        assert_eq!(fault.code, codes::PROXY_UNREACHABLE, "{fault}");
        assert_eq!(fault.class, Class::Operator, "{fault}");
        assert!(
            fault.message.contains(told),
            "{told} in {fault} of {does:?}"
        );
        assert!(fault.hint.contains("channel.proxy.uri"), "{fault}");
    }
}

#[tokio::test]
async fn a_proxy_that_ends_the_connection_or_is_not_there_is_tried_again() {
    let target = Target::listen(TransportKind::Grpc).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let mut absent = SmallProxy::that(Does::Leave).await.section();
    absent.address.port = address.port();
    let fault = fault_of(&target, absent).await;
    assert_eq!(fault.code, codes::PROXY_UNREACHABLE, "{fault}");
    assert_eq!(fault.class, Class::Transient, "{fault}");
    assert!(fault.message.contains(&address.to_string()), "{fault}");
    for does in [
        Does::Leave,
        Does::Answer(Vec::new()),
        Does::Answer(b"HTTP/1.1 200 OK\r\nX: ".into()),
        Does::Answer(b"HTTP/1.1 100 Continue\r\n\r\n".into()),
    ] {
        let proxy = SmallProxy::that(does.clone()).await;
        let fault = fault_of(&target, proxy.section()).await;
        assert_eq!(fault.code, codes::PROXY_UNREACHABLE, "{fault} of {does:?}");
        assert_eq!(fault.class, Class::Transient, "{fault} of {does:?}");
        assert!(
            fault.message.contains("ended the connection"),
            "{fault} of {does:?}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_given_up_within_the_limit() {
    let target = Target::listen(TransportKind::Grpc).await;
    for words in [&b""[..], b"HTTP/1.1 200 OK\r\n"] {
        let proxy = SmallProxy::that(Does::Hold(words.into())).await;
        let settings = LinkSettings {
            proxy_limit: BRIEF,
            ..LinkSettings::default()
        };
        let dialer = dialer(&target, proxy.section(), settings);
        let fault: Fault = dialer.next_link().await.unwrap_err().into();
        assert_eq!(fault.code, codes::PROXY_UNREACHABLE, "{fault}");
        assert!(fault.message.contains("did not answer"), "{fault}");
    }
}

#[tokio::test]
async fn what_follows_the_answer_at_once_is_the_peers_and_not_lost() {
    for before in ["", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"] {
        let words = format!("{before}HTTP/1.1 201 Created\r\nX: y\n\r\nfirst words");
        let proxy = SmallProxy::that(Does::Answer(words.into())).await;
        let tunnel = Proxy::new(proxy.section());
        let mut socket = tunnel
            .tunnel_to(PEER, Duration::from_secs(10))
            .await
            .unwrap();
        let mut heard = String::new();
        socket.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "first words");
    }
}

#[tokio::test]
async fn a_proxy_that_is_spoken_to_by_tls_is_known_by_its_ca_and_name() {
    let target = Target::listen(TransportKind::Grpc).await;
    let request = |host: &str| LeafRequest {
        name: host.parse().unwrap(),
        spiffe: None,
        hosts: vec![host.to_owned()],
        validity: Validity::days(1),
    };
    let folder = target.office.dir.path();
    let own = make_leaf(folder, &request("localhost"), Existing::Keep).unwrap();
    let other = make_leaf(folder, &request("other.example"), Existing::Keep).unwrap();
    let section = |proxy: &SmallProxy| {
        let mut section = proxy.section();
        section.scheme = ProxyScheme::Https;
        section.address.host = "localhost".into();
        section.ca_pem_path = Some(target.office.pair.authority.cert.clone());
        section
    };
    let does = Does::LeadTo(socket_of(&target));
    let proxy = SmallProxy::with_tls(does.clone(), &own).await;
    assert_linked(&target, section(&proxy)).await;

    let pretender = SmallProxy::with_tls(does.clone(), &other).await;
    let plain = SmallProxy::that(does).await;
    let mut unread = section(&proxy);
    unread.ca_pem_path = Some(own.key.clone());
    for (section, code) in [
        (section(&pretender), codes::PROXY_UNREACHABLE),
        (section(&plain), codes::PROXY_UNREACHABLE),
        (unread, codes::CERTIFICATE_INVALID),
    ] {
        let fault = fault_of(&target, section).await;
        assert_eq!(fault.code, code, "{fault}");
        assert_eq!(fault.class, Class::Operator, "{fault}");
        assert!(fault.hint.contains("channel.proxy.ca_pem_path"), "{fault}");
    }
    assert!(pretender.requests().is_empty());
}

/// A proxy that opens TLS to look into it has no certificate of the peer's CA.
#[tokio::test]
async fn a_proxy_that_puts_itself_in_the_peers_place_is_not_trusted_and_named() {
    let target = Target::listen(TransportKind::Grpc).await;
    let elsewhere = Target::listen(TransportKind::Grpc).await;
    let proxy = SmallProxy::that(Does::LeadTo(socket_of(&elsewhere))).await;
    let fault = fault_of(&target, proxy.section()).await;
    assert_eq!(fault.code, codes::PEER_UNTRUSTED, "{fault}");
    let named = format!("{PEER} (through the proxy {})", Proxy::new(proxy.section()));
    assert!(fault.message.contains(&named), "{fault}");
    assert!(fault.message.contains(TARGET), "{fault}");
}

#[tokio::test]
async fn a_tunnel_whose_far_end_is_gone_is_a_peer_out_of_reach() {
    let target = Target::listen(TransportKind::Grpc).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = gone.accept().await {
            socket.shutdown().await.ok();
        }
    });
    let proxy = SmallProxy::that(Does::LeadTo(address)).await;
    let fault = fault_of(&target, proxy.section()).await;
    assert_eq!(fault.code, codes::PEER_UNREACHABLE, "{fault}");
    assert_eq!(fault.class, Class::Transient, "{fault}");
}
