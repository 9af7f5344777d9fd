//! Claims about brokers that are no help.

use super::*;
use crate::reader::changes::pulsar::reader::Reader;
use runtime::config::SecretSource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Why nothing can be read: whether its end is asked for, or what lies behind a place.
async fn refusal(section: &PulsarSection) -> Fault {
    let log = Pulsar::open(section).unwrap();
    let fault = log.end(TOPIC).await.unwrap_err();
    let read = log.read(TOPIC, at((7, 0), 0), 1000).await.unwrap_err();
    assert_eq!((&read.code, read.class), (&fault.code, fault.class));
    let broker = format!("://{}", section.address);
    assert!(fault.message.contains(&broker), "{fault}");
    assert!(!format!("{fault} {section:?} {log:?}").contains("canary"));
    fault
}

/// As [`refusal`], where the log is said to be unreachable.
async fn unreachable(section: &PulsarSection) -> (Class, Fault) {
    let fault = refusal(section).await;
    assert_eq!(fault.code, codes::LOG_UNREACHABLE);
    (fault.class, fault)
}

/// One that hears what it is told first, answers with these bytes whatever it was, and hangs up.
async fn rude(answer: &'static [u8]) -> PulsarSection {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            stream.write_all(answer).await.ok();
        }
    });
    at_port(port)
}

fn at_port(port: u16) -> PulsarSection {
    PulsarSection {
        address: HostPort {
            host: "127.0.0.1".to_owned(),
            port,
        },
        tls: None,
        token: None,
        tenant: "acme".to_owned(),
        namespace: "milvus".to_owned(),
    }
}

#[tokio::test]
async fn nobody_listens() {
    // The port of a listener that is gone.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (class, fault) = unreachable(&at_port(port)).await;
    assert_eq!(class, Class::Transient);
    assert!(fault.message.contains("Connection refused"), "{fault}");
    assert!(fault.hint.contains("advertisedAddress"), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_answers_is_waited_for_only_so_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (class, fault) = unreachable(&at_port(port)).await;
    assert_eq!(class, Class::Transient);
    assert!(fault.message.contains("no answer within 10 s"), "{fault}");
}

#[tokio::test]
async fn a_line_that_stands_while_nobody_is_there_any_more_is_found_out() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    let broker = Pulsar::new(&fake.section()).unwrap();
    let mut reader: Reader = broker.open(TOPIC, at((7, 1), 0)).await.unwrap();
    assert_eq!(
        reader.more(MOST).await.map(|messages| messages.len()),
        Ok(1)
    );
    fake.set(|state| state.is_silent = true);
    // From here on nothing comes but what the clock brings.
    time::pause();
    let began = time::Instant::now();
    let fault = reader.more(MOST).await.unwrap_err();
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Transient)
    );
    assert!(fault.message.contains("no answer within 10 s"), "{fault}");
    assert_eq!(began.elapsed().as_secs(), (QUIET + PATIENCE).as_secs());
}

#[tokio::test]
async fn a_token_that_is_wrong_or_lacking_is_the_operators_and_is_not_repeated() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    fake.set(|state| state.token = Some("right"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pulsar.token");
    let mut section = fake.section();
    for token in [None, Some("canary")] {
        if let Some(token) = token {
            std::fs::write(&file, token).unwrap();
            section.token = Some(SecretSource::File(file.clone()));
        }
        let (class, fault) = unreachable(&section).await;
        assert_eq!(class, Class::Operator);
        assert!(fault.message.contains("Failed to authenticate"), "{fault}");
        assert!(fault.hint.contains("log.token_file"), "{fault}");
    }
    // It is read anew for each connection.
    std::fs::write(&file, "right").unwrap();
    let log = Pulsar::open(&section).unwrap();
    assert_eq!(read(&log, at((7, 0), 0), 2).await, Ok(ledger(7, 1..3)));
    std::fs::remove_file(&file).unwrap();
    let fault = log.end(TOPIC).await.unwrap_err();
    assert_eq!(fault.code, codes::CONFIG_INVALID);
    assert!(fault.message.contains("pulsar.token"), "{fault}");
}

#[tokio::test]
async fn a_topic_that_is_missing_is_named_and_not_made() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    let section = PulsarSection {
        namespace: "another".to_owned(),
        ..fake.section()
    };
    let fault = refusal(&section).await;
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_TOPIC_MISSING, Class::Operator)
    );
    assert!(fault.message.contains(TOPIC), "{fault}");
    for asked in fake.subscriptions() {
        assert_eq!(
            asked.text(1),
            Some("persistent://acme/another/by-dev-rootcoord-dml_0")
        );
        assert_eq!(asked.number(15), Some(0), "a topic is not to be made");
    }
}

#[tokio::test]
async fn a_message_that_comes_damaged_is_not_passed_over_and_read_again() {
    let fake = FakePulsar::with(ledger(7, 0..4)).await;
    fake.set(|state| state.damaged = Some((7, 2)));
    let log = log(&fake);
    assert_eq!(
        read(&log, at((7, 0), 0), 1).await,
        Ok(vec![(7, 1)]),
        "what precedes it goes first"
    );
    let fault = read(&log, at((7, 1), 0), 1).await.unwrap_err();
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Transient)
    );
    assert!(
        fault.message.contains("message 7:2 came damaged"),
        "{fault}"
    );
    fake.set(|state| state.damaged = None);
    assert_eq!(read(&log, at((7, 1), 0), 2).await, Ok(ledger(7, 2..4)));
}

#[tokio::test]
async fn a_message_that_milvus_does_not_write_stops_the_reader() {
    let fake = FakePulsar::with(ledger(7, 0..2)).await;
    let lz4 = [wire::number(8, 1), wire::number(9, 9)].concat();
    fake.write_stored((7, 2), wire::entry(b"x", &lz4));
    fake.write((7, 3));
    let log = log(&fake);
    assert_eq!(read(&log, at((7, 0), 0), 1).await, Ok(vec![(7, 1)]));
    for _ in 0..2 {
        let fault = read(&log, at((7, 1), 0), 1).await.unwrap_err();
        assert_eq!(
            (&*fault.code, fault.class),
            (codes::LOG_MALFORMED, Class::Operator)
        );
        let told = ["7:2", TOPIC, "LZ4"];
        assert!(
            told.iter().all(|told| fault.message.contains(told)),
            "{fault}"
        );
    }
    // Where it is the newest, the end lies behind it.
    let end = at((7, 2), Offset::LAST_INDEX);
    assert_eq!(read(&log, end, 1).await, Ok(vec![(7, 3)]));
}

#[tokio::test]
async fn a_frame_that_is_too_large_is_not_read() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    fake.set(|state| state.is_oversized = true);
    let fault = read(&log(&fake), at((7, 0), 0), 1).await.unwrap_err();
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Operator)
    );
    assert!(
        fault.message.contains("a frame of 4294967295 bytes"),
        "{fault}"
    );
    // The fake says that its messages have 1 MiB at most.
    assert!(fault.message.contains("1114112 are the most"), "{fault}");
}

#[tokio::test]
async fn what_is_no_pulsar_is_not_taken_for_one() {
    let section = rude(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let (class, fault) = unreachable(&section).await;
    assert_eq!(class, Class::Operator);
    assert!(fault.hint.contains("6650"), "{fault}");
    let (class, fault) = unreachable(&rude(b"").await).await;
    assert_eq!(class, Class::Transient);
    assert!(fault.hint.contains("pulsar+ssl://"), "{fault}");
}

#[tokio::test]
async fn a_port_without_tls_does_not_do_where_tls_is_asked_for() {
    let section = PulsarSection {
        tls: Some(MilvusTls::default()),
        ..rude(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
    };
    let (class, fault) = unreachable(&section).await;
    assert_eq!(class, Class::Operator);
    assert!(fault.message.contains("pulsar+ssl://"), "{fault}");
    assert!(fault.hint.contains("log.tls"), "{fault}");
}

#[tokio::test]
async fn a_ca_that_is_missing_is_named_at_once() {
    let mut section = at_port(6651);
    section.tls = Some(MilvusTls {
        ca_pem_path: Some("/nonexistent/ca.pem".into()),
        ..MilvusTls::default()
    });
    let fault = Pulsar::open(&section).unwrap_err();
    assert_eq!(fault.code, codes::CERTIFICATE_INVALID);
    assert!(fault.message.contains("/nonexistent/ca.pem"), "{fault}");
}
