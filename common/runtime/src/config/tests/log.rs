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
fn a_log_in_pulsar_is_in_milvus_s_own_namespace_unless_told_otherwise() {
    let QueueSection::Pulsar(plain) =
        log(r#"{ kind: pulsar, url: "pulsar://pulsar-proxy:6650/" }"#)
    else {
        panic!("another kind");
    };
    assert_eq!(plain.address.to_string(), "pulsar-proxy:6650");
    assert_eq!((&*plain.tenant, &*plain.namespace), ("public", "default"));
    assert_eq!((plain.tls, plain.token), (None, None));
    let text = format!(
        "{COMPLETE}log: {}\n",
        r#"
  kind: pulsar
  url: "pulsar+ssl://pulsar:6651"
  tenant: acme
  namespace: milvus-1
  token_file: /pulsar.token
  tls: { ca_pem_path: /pulsar.pem }
  spool: { quota: 1GiB }"#
    );
    let section = parse(&text).unwrap().log.unwrap();
    let token = SecretSource::File("/pulsar.token".into());
    assert_eq!(section.secret(), Some(&token));
    let QueueSection::Pulsar(secured) = section.queue else {
        panic!("another kind");
    };
    assert_eq!(
        (&*secured.tenant, &*secured.namespace),
        ("acme", "milvus-1")
    );
    let ca = secured.tls.unwrap().ca_pem_path;
    assert_eq!(ca, Some("/pulsar.pem".into()));
    let QueueSection::Pulsar(believing) =
        log(r#"{ kind: pulsar, url: "pulsar+ssl://pulsar:6651" }"#)
    else {
        panic!("another kind");
    };
    assert_eq!(believing.tls, Some(MilvusTls::default()));
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
            "log.kind: must be one of rocksmq, nats, kafka, pulsar, and is \"kafak\"",
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
        ("{ kind: pulsar }", "log.url: must be given"),
        (
            "{ kind: pulsar, url: \"http://pulsar:8080\" }",
            "log.url: must be one address such as pulsar://127.0.0.1:6650",
        ),
        (
            "{ kind: pulsar, url: \"pulsar://a:6650,b:6650\" }",
            "log.url: must be one address",
        ),
        (
            "{ kind: pulsar, url: \"pulsar://x:canary@pulsar:6650\" }",
            "log.url: must not hold a user or password",
        ),
        (
            "{ kind: pulsar, url: \"pulsar://pulsar:6650\", tls: {} }",
            "log.tls: needs a pulsar+ssl:// url",
        ),
        (
            "{ kind: pulsar, url: \"pulsar+ssl://pulsar:6651\", tls: { server_name: x } }",
            "log.tls.server_name: is not for a log",
        ),
        (
            "{ kind: pulsar, url: \"pulsar://pulsar:6650\", token: canary }",
            "log.token: a secret is not written here",
        ),
        (
            "{ kind: pulsar, url: \"pulsar://pulsar:6650\", namespace: acme/x }",
            "log.namespace: must be a name as Pulsar has them",
        ),
        (
            "{ kind: pulsar, url: \"pulsar://pulsar:6650\", user: x }",
            "log.user: unknown key",
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
