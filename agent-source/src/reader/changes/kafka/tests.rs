//! Claims about brokers that are no help. What a right one does is claimed on a real Milvus and the mock of Kafka that it writes to,
//! in `tests/e2e/queues.rs`.

use super::*;
use crate::reader::changes::ChangeSource;
use model::{Class, codes};
use runtime::config::{HostPort, MilvusTls, SecretSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOPIC: &str = "by-dev-rootcoord-dml_0";

/// A broker that answers each request by the next of these bodies, and then hangs up.
async fn fake_broker(answers: Vec<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for body in &answers {
                let Ok(length) = stream.read_u32().await else {
                    break;
                };
                let mut request = vec![0; length as usize];
                if stream.read_exact(&mut request).await.is_err() {
                    break;
                }
                let number = &request[4..8];
                let answer = [&(body.len() as u32 + 4).to_be_bytes(), number, body].concat();
                stream.write_all(&answer).await.ok();
            }
        }
    });
    port
}

fn section(port: u16) -> KafkaSection {
    KafkaSection {
        brokers: vec![HostPort {
            host: "127.0.0.1".to_owned(),
            port,
        }],
        sasl: None,
        tls: None,
    }
}

fn with_password(port: u16, mechanism: SaslMechanism) -> (KafkaSection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kafka.pw");
    std::fs::write(&file, "canary").unwrap();
    let sasl = KafkaSasl {
        mechanism,
        user: "passage".to_owned(),
        password: SecretSource::File(file),
    };
    let section = KafkaSection {
        sasl: Some(sasl),
        ..section(port)
    };
    (section, folder)
}

async fn refusal(section: &KafkaSection) -> Fault {
    let log = Kafka::open(section).unwrap();
    let fault = log.end(TOPIC).await.unwrap_err();
    let read = log.read(TOPIC, Offset::new(3), 1000).await.unwrap_err();
    assert_eq!(read.code, fault.code);
    let broker = section.brokers[0].to_string();
    assert!(fault.message.contains(&broker), "{fault}");
    assert!(!format!("{fault} {section:?} {log:?}").contains("canary"));
    fault
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// What a broker says to a handshake, with the mechanisms that it knows.
fn handshake(code: u16, mechanism: &str) -> Vec<u8> {
    [
        &code.to_be_bytes()[..],
        &1u32.to_be_bytes(),
        &text(mechanism),
    ]
    .concat()
}

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
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Transient)
    );
    assert!(fault.hint.contains("advertised.listeners"), "{fault}");
}

#[tokio::test]
async fn a_password_is_refused_in_the_brokers_words() {
    let refused = [
        &58u16.to_be_bytes()[..],
        &text("Authentication failed"),
        &0u32.to_be_bytes(),
    ];
    let answers = vec![handshake(0, "PLAIN"), refused.concat()];
    let port = fake_broker(answers).await;
    let (section, _folder) = with_password(port, SaslMechanism::Plain);
    let fault = refusal(&section).await;
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Operator)
    );
    let told = "refuses user passage: Authentication failed";
    assert!(fault.message.contains(told), "{fault}");
}

#[tokio::test]
async fn a_mechanism_that_the_broker_lacks_is_told_with_those_it_has() {
    let port = fake_broker(vec![handshake(33, "SCRAM-SHA-512")]).await;
    let (section, _folder) = with_password(port, SaslMechanism::ScramSha256);
    let fault = refusal(&section).await;
    let told = "it does not know SCRAM-SHA-256, but SCRAM-SHA-512";
    assert!(fault.message.contains(told), "{fault}");
}

#[tokio::test]
async fn a_broker_that_can_not_prove_that_it_knows_the_password_is_refused() {
    let challenge = "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let length = (challenge.len() as u32).to_be_bytes();
    let word = [
        &0u16.to_be_bytes()[..],
        &(-1i16).to_be_bytes(),
        &length,
        challenge.as_bytes(),
    ];
    let port = fake_broker(vec![handshake(0, "SCRAM-SHA-512"), word.concat()]).await;
    let (section, _folder) = with_password(port, SaslMechanism::ScramSha512);
    let fault = refusal(&section).await;
    assert_eq!(fault.class, Class::Operator);
    assert!(
        fault.message.contains("does not fit what was sent"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_broker_that_hangs_up_wants_tls_or_a_user_perhaps() {
    let port = fake_broker(vec![]).await;
    let fault = refusal(&section(port)).await;
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Transient)
    );
    assert!(fault.hint.contains("log.tls"), "{fault}");
}

#[tokio::test]
async fn a_listener_without_tls_does_not_do_where_tls_is_asked_for() {
    // Kafka takes a hello of TLS for a request that is too long, and hangs up.
    let port = fake_broker(vec![]).await;
    let section = KafkaSection {
        tls: Some(MilvusTls::default()),
        ..section(port)
    };
    let fault = refusal(&section).await;
    assert_eq!(fault.class, Class::Operator);
    assert!(fault.message.contains("TLS handshake"), "{fault}");
}

#[tokio::test]
async fn a_topic_that_is_missing_is_named() {
    // No throttling, no broker, no name of the cluster, a controller, and one topic, which is unknown (3).
    let body = [
        &0u32.to_be_bytes()[..],
        &0u32.to_be_bytes(),
        &(-1i16).to_be_bytes(),
        &1u32.to_be_bytes(),
        &1u32.to_be_bytes(),
        &3u16.to_be_bytes(),
        &text(TOPIC),
        &[0],
        &0u32.to_be_bytes(),
    ];
    let port = fake_broker(vec![body.concat()]).await;
    let fault = refusal(&section(port)).await;
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_TOPIC_MISSING, Class::Operator)
    );
    assert!(fault.message.contains(TOPIC), "{fault}");
}
