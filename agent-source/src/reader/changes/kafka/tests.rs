//! Claims about brokers that are no help. What a right one does is claimed on a real Milvus and the mock of Kafka that it writes to,
//! in `tests/e2e/queues.rs`.

mod fake;

use super::*;
use crate::reader::changes::ChangeSource;
use fake::{Fake, TOPIC, rude};
use model::{Class, codes};
use runtime::config::{HostPort, MilvusTls, SecretSource};
use tokio::net::TcpListener;

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

/// Why nothing can be read: whether its end is asked for, or what lies behind a place.
async fn refusal(section: &KafkaSection) -> Fault {
    let log = Kafka::open(section).unwrap();
    let fault = log.end(TOPIC).await.unwrap_err();
    let read = log.read(TOPIC, Offset::new(3), 1000).await.unwrap_err();
    assert_eq!((&read.code, read.class), (&fault.code, fault.class));
    let broker = section.brokers[0].to_string();
    assert!(fault.message.contains(&broker), "{fault}");
    assert!(!format!("{fault} {section:?} {log:?}").contains("canary"));
    fault
}

/// As [`refusal`], where the log is said to be unreachable.
async fn unreachable(section: &KafkaSection) -> (Class, Fault) {
    let fault = refusal(section).await;
    assert_eq!(fault.code, codes::LOG_UNREACHABLE);
    (fault.class, fault)
}

#[tokio::test]
async fn nobody_listens() {
    // The port of a listener that is gone.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (class, fault) = unreachable(&section(port)).await;
    assert_eq!(class, Class::Transient);
    assert!(fault.message.contains("Connection refused"), "{fault}");
    assert!(fault.hint.contains("advertised.listeners"), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_answers_is_waited_for_only_so_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (class, fault) = unreachable(&section(port)).await;
    assert_eq!(class, Class::Transient);
    assert!(fault.message.contains("no answer within 10 s"), "{fault}");
}

#[tokio::test]
async fn a_broker_that_hangs_up_wants_tls_or_a_user_perhaps() {
    let (class, fault) = unreachable(&section(rude(b"").await)).await;
    assert_eq!(class, Class::Transient);
    assert!(fault.hint.contains("log.tls"), "{fault}");
}

#[tokio::test]
async fn a_listener_without_tls_does_not_do_where_tls_is_asked_for() {
    let section = KafkaSection {
        tls: Some(MilvusTls::default()),
        ..section(rude(b"HTTP/1.1 400 Bad Request\r\n\r\n").await)
    };
    let (class, fault) = unreachable(&section).await;
    assert_eq!(class, Class::Operator);
    assert!(fault.hint.contains("log.tls"), "{fault}");
}

#[tokio::test]
async fn a_login_that_is_refused_is_the_operators_and_the_password_is_not_repeated() {
    let plain = SaslMechanism::Plain;
    let (wrong, other) = ("SaslAuthenticationFailed", "UnsupportedSaslMechanism");
    for (mechanism, fake, told) in [
        (plain, Fake::refusing_login("PLAIN"), wrong),
        (plain, Fake::refusing_login("SCRAM-SHA-512"), other),
        (
            SaslMechanism::ScramSha256,
            Fake::refusing_login("SCRAM-SHA-256"),
            wrong,
        ),
        // It can't prove that it knows the password.
        (
            SaslMechanism::ScramSha512,
            Fake::answering_login("SCRAM-SHA-512", "r=x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
            "Sasl session error",
        ),
    ] {
        let (port, _) = fake.listen().await;
        let (section, _folder) = with_password(port, mechanism);
        let (class, fault) = unreachable(&section).await;
        assert_eq!(class, Class::Operator, "{fault}");
        assert!(fault.message.contains(told), "{fault}");
        assert!(fault.hint.contains("log.sasl"), "{fault}");
    }
}

#[tokio::test]
async fn a_broker_that_hangs_up_during_a_login_may_come_back() {
    let (port, _) = Fake::default().listen().await;
    let (section, _folder) = with_password(port, SaslMechanism::Plain);
    assert_eq!(unreachable(&section).await.0, Class::Transient);
}

#[tokio::test]
async fn a_topic_that_is_missing_is_named_and_not_made() {
    let fake = Fake {
        topic: "another",
        ..Fake::default()
    };
    let (port, asked) = fake.listen().await;
    let fault = refusal(&section(port)).await;
    assert_eq!(fault.code, codes::LOG_TOPIC_MISSING);
    assert!(fault.message.contains(TOPIC), "{fault}");
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty());
    // Kafka makes a topic that it is asked for by its name.
    for request in &*asked {
        let mut words = request.windows(TOPIC.len());
        assert!(!words.any(|word| word == TOPIC.as_bytes()), "{request:?}");
    }
}

#[tokio::test]
async fn what_a_partition_is_refused_with_tells_whose_turn_it_is() {
    let (no_leader, not_authorized) = (5, 29);
    for (code, class) in [
        (no_leader, Class::Transient),
        (not_authorized, Class::Operator),
    ] {
        let fake = Fake {
            refusal: code,
            ..Fake::default()
        };
        let (port, _) = fake.listen().await;
        let (told, fault) = unreachable(&section(port)).await;
        assert_eq!(told, class, "{fault}");
        assert!(fault.message.contains("Kafka answers"), "{fault}");
    }
}

async fn read(fake: Fake, behind: u64) -> Fault {
    let (port, _) = fake.listen().await;
    let log = Kafka::open(&section(port)).unwrap();
    let end = log.end(TOPIC).await;
    assert_eq!(end, Ok(Offset::new(9)), "the newest of 5 to 9");
    log.read(TOPIC, Offset::new(behind), 1000)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_place_that_is_no_longer_there_is_truncated() {
    for (behind, told) in [(3, "it begins with 5"), (10, "the next there will be 10")] {
        let fault = read(Fake::default(), behind).await;
        assert_eq!(
            (&*fault.code, fault.class),
            (codes::LOG_TRUNCATED, Class::Transient)
        );
        assert!(fault.message.contains(told), "{fault}");
        assert!(fault.hint.contains("retention.ms"), "{fault}");
    }
}

#[tokio::test]
async fn a_place_that_goes_while_it_is_read_is_looked_at_again() {
    let out_of_range = 1;
    let fake = Fake {
        fetch_refusal: out_of_range,
        ..Fake::default()
    };
    let fault = read(fake, 6).await;
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Transient)
    );
    assert!(fault.message.contains("OffsetOutOfRange"), "{fault}");
}

#[tokio::test]
async fn what_is_there_and_can_not_be_read_is_not_asked_for_without_end() {
    let fault = read(Fake::default(), 6).await;
    assert_eq!(fault.class, Class::Transient);
    assert!(fault.message.contains("from offset 7 on"), "{fault}");
}
