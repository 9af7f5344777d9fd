//! Claims about servers that are no help. What a right one does is claimed on a real Milvus, in `tests/e2e/queues.rs`.

use super::*;
use crate::reader::changes::ChangeSource;
use model::{Class, codes};
use runtime::config::{HostPort, MilvusTls, SecretSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOPIC: &str = "by-dev-rootcoord-dml_0";

/// A server that greets, hears what the client says of itself, answers that with one line, and hangs up.
async fn fake_server(greeting: &'static str, answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(greeting.as_bytes()).await.ok();
            let mut heard = [0; 4096];
            let _ = stream.read(&mut heard).await;
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    port
}

fn section(port: u16) -> NatsSection {
    NatsSection {
        address: HostPort {
            host: "127.0.0.1".to_owned(),
            port,
        },
        credentials: None,
        tls: None,
    }
}

async fn refusal(section: &NatsSection) -> Fault {
    let log = Nats::open(section).unwrap();
    let fault = log.end(TOPIC).await.unwrap_err();
    let read = log.read(TOPIC, Offset::new(3), 1000).await.unwrap_err();
    assert_eq!(read.code, fault.code);
    assert_eq!(fault.code, codes::LOG_UNREACHABLE);
    let address = section.address.to_string();
    assert!(fault.message.contains(&address), "{fault}");
    fault
}

const INFO: &str = "INFO {\"server_id\":\"x\",\"version\":\"2.9.17\",\"proto\":1,\"host\":\"127.0.0.1\",\"port\":4222,\"headers\":true,\"max_payload\":8388608}\r\n";

const WANTS_TLS: &str = "INFO {\"server_id\":\"x\",\"version\":\"2.9.17\",\"proto\":1,\"host\":\"127.0.0.1\",\"port\":4222,\"headers\":true,\"max_payload\":8388608,\"tls_required\":true}\r\n";

#[tokio::test]
async fn nobody_listens() {
    // The port of a listener that is gone.
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let fault = refusal(&section(port)).await;
    assert_eq!(fault.class, Class::Transient);
    assert!(fault.message.contains("refused"), "{fault}");
    assert!(fault.hint.contains("natsmq.server.port"), "{fault}");
}

#[tokio::test]
async fn a_password_is_refused_and_not_repeated() {
    let port = fake_server(INFO, "-ERR 'Authorization Violation'\r\n").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nats.pw");
    std::fs::write(&file, "canary").unwrap();
    let mut section = section(port);
    section.credentials = Some(MilvusCredentials::Password {
        user: "passage".to_owned(),
        password: SecretSource::File(file),
    });
    let fault = refusal(&section).await;
    assert_eq!(fault.class, Class::Operator);
    assert!(fault.hint.contains("user and password"), "{fault}");
    assert!(!format!("{fault} {:?}", Nats::open(&section)).contains("canary"));
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named() {
    let mut section = section(4222);
    let source = SecretSource::File("/nonexistent/nats.token".into());
    section.credentials = Some(MilvusCredentials::Token(source));
    let log = Nats::open(&section).unwrap();
    let fault = log.end(TOPIC).await.unwrap_err();
    assert_eq!(fault.code, codes::CONFIG_INVALID);
    assert!(fault.message.contains("/nonexistent/nats.token"), "{fault}");
}

#[tokio::test]
async fn a_server_without_tls_does_not_do_where_tls_is_asked_for() {
    let port = fake_server(INFO, "").await;
    let mut section = section(port);
    section.tls = Some(MilvusTls::default());
    refusal(&section).await;
}

#[tokio::test]
async fn a_server_that_wants_tls_does_not_do_where_none_is_configured() {
    channel::tls::name_provider();
    let port = fake_server(WANTS_TLS, "").await;
    refusal(&section(port)).await;
}

#[tokio::test]
async fn a_ca_that_is_missing_is_named_at_once() {
    let mut section = section(4222);
    section.tls = Some(MilvusTls {
        ca_pem_path: Some("/nonexistent/ca.pem".into()),
        ..MilvusTls::default()
    });
    let fault = Nats::open(&section).unwrap_err();
    assert_eq!(fault.code, codes::CERTIFICATE_INVALID);
    assert!(fault.message.contains("/nonexistent/ca.pem"), "{fault}");
}

#[tokio::test]
async fn what_is_no_nats_is_not_taken_for_one() {
    let port = fake_server("HTTP/1.1 400 Bad Request\r\n\r\n", "").await;
    refusal(&section(port)).await;
}
