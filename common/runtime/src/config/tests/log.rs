//! The section `log`.

use super::*;

fn log(section: &str) -> QueueSection {
    let text = format!("{COMPLETE}log: {section}\n");
    parse(&text).unwrap().log.unwrap().queue
}

#[test]
fn each_kind_of_log_is_taken() {
    let rocksmq = "{ kind: rocksmq, path: /milvus/rdb_data, library: /milvus/librocksdb.so.6 }";
    assert_eq!(
        log(rocksmq),
        QueueSection::RocksMq {
            path: "/milvus/rdb_data".into(),
            library: Some("/milvus/librocksdb.so.6".into()),
        }
    );
    let QueueSection::Nats(nats) = log(r#"{ kind: nats, url: "nats://milvus:4222", tls: {} }"#)
    else {
        panic!("another kind");
    };
    assert_eq!(nats.address.to_string(), "milvus:4222");
    assert_eq!(nats.tls, Some(MilvusTls::default()));
    let QueueSection::Kafka(kafka) = log(r#"
  kind: kafka
  brokers: ["kafka-1:9092", "kafka-2:9092"]
  sasl: { mechanism: scram-sha-512, user: passage, password_env: KAFKA_PASSWORD }
  tls: { ca_pem_path: /kafka.pem }"#)
    else {
        panic!("another kind");
    };
    assert_eq!(kafka.brokers.len(), 2);
    let sasl = kafka.sasl.unwrap();
    assert_eq!(sasl.mechanism, SaslMechanism::ScramSha512);
    assert_eq!(
        sasl.password,
        SecretSource::Environment("KAFKA_PASSWORD".to_owned())
    );
    assert_eq!(kafka.tls.unwrap().ca_pem_path, Some("/kafka.pem".into()));
}

#[test]
fn a_log_may_have_a_spool() {
    let section = "{ kind: rocksmq, path: /x, spool: { path: /spool, quota: 20GiB } }";
    let config = parse(&format!("{COMPLETE}log: {section}\n")).unwrap();
    let spool = SpoolSection {
        path: Some("/spool".into()),
        quota_bytes: 20 << 30,
    };
    assert_eq!(config.log.unwrap().spool, Some(spool));
}

#[test]
fn what_is_wrong_with_a_log_is_told() {
    for (section, expected) in [
        ("{ path: /x }", "log.kind: must be given"),
        (
            "{ kind: kafak, brokers: [a] }",
            "log.kind: must be one of rocksmq, nats, kafka, and is \"kafak\"",
        ),
        ("{ kind: rocksmq }", "log.path: must be given"),
        (
            "{ kind: rocksmq, path: /x, spool: {} }",
            "log.spool.quota: must be given",
        ),
        (
            "{ kind: rocksmq, path: /x, spool: { quota: 1MiB } }",
            "log.spool.quota: must be at least 256MiB",
        ),
        (
            "{ kind: rocksmq, path: /x, url: y }",
            "log.url: unknown key",
        ),
        ("{ kind: nats }", "log.url: must be given"),
        (
            "{ kind: nats, url: \"milvus:4222\" }",
            "log.url: must be an address such as nats://127.0.0.1:4222",
        ),
        (
            "{ kind: nats, url: \"nats://canary:canary@milvus:4222\" }",
            "log.url: must not hold a user or password",
        ),
        (
            "{ kind: nats, url: \"nats://milvus:4222\", password: canary, user: x }",
            "log.password: a secret is not written here",
        ),
        (
            "{ kind: nats, url: \"nats://milvus:4222\", tls: { server_name: x } }",
            "log.tls.server_name: is not for a log",
        ),
        ("{ kind: kafka }", "log.brokers: must name brokers"),
        (
            "{ kind: kafka, brokers: [kafka] }",
            "log.brokers: must be a host and a port",
        ),
        (
            "{ kind: kafka, brokers: [\"k:9092\"], topic: x }",
            "log.topic: unknown key",
        ),
        (
            "{ kind: kafka, brokers: [\"k:9092\"], sasl: { mechanism: gssapi, user: x, password_env: Y } }",
            "log.sasl.mechanism: must be one of plain, scram-sha-256, scram-sha-512",
        ),
        (
            "{ kind: kafka, brokers: [\"k:9092\"], sasl: { mechanism: plain, user: x, password: canary } }",
            "log.sasl.password: a secret is not written here",
        ),
        (
            "{ kind: kafka, brokers: [\"k:9092\"], sasl: { mechanism: plain, user: x } }",
            "log.sasl.user: needs password_file, password_env or password_credential",
        ),
    ] {
        let faults = faults_with("limits:", &format!("log: {section}\nlimits:"));
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "{expected}\n in\n{faults:#?}"
        );
        assert!(
            faults.iter().all(|fault| !fault.contains("canary")),
            "{faults:#?}"
        );
    }
}
