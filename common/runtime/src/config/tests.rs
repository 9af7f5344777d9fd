mod log;
mod proxy;
mod storage;

use super::*;
use model::{Class, Fault, codes};

const COMPLETE: &str = r#"
agent: { name: acme-source, state_dir: /var/lib/passage-source }
milvus:
  uri: "https://milvus:19530"
  user: root
  password_file: /etc/passage/milvus.pw
  tls: { ca_pem_path: /etc/passage/ca.pem, server_name: milvus }
channel:
  transport: grpc
  dial: "globex.example:7443"
  tls: { cert: /etc/passage/cert.pem, key: /etc/passage/key.pem, peer_ca: /etc/passage/ca.pem }
  peers:
    - { name: globex-target, id: "spiffe://globex.example/passage/target" }
admin: { listen: "unix:/run/passage-source/admin.sock" }
scope: { allow: ["sales.*", docs], deny: ["sales.tmp_*"] }
limits: { memory: 256MiB, bytes_per_second: 200MiB, rows_per_second: 50000 }
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("agent.yaml", text, Overrides::default())
}

/// The faults of the complete configuration with one part replaced, as lines of text.
fn faults_with(part: &str, other: &str) -> Vec<String> {
    assert!(COMPLETE.contains(part), "{part}");
    let refusal = parse(&COMPLETE.replace(part, other)).unwrap_err();
    refusal.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn a_complete_configuration_is_taken() {
    let config = parse(COMPLETE).unwrap();
    assert_eq!(config.agent.name.as_str(), "acme-source");
    assert_eq!(
        config.milvus.credentials,
        Some(MilvusCredentials::Password {
            user: "root".to_owned(),
            password: SecretSource::File("/etc/passage/milvus.pw".into()),
        })
    );
    assert!(
        matches!(&config.channel.reach, Reach::Dial(peer) if peer.to_string() == "globex.example:7443")
    );
    assert_eq!(config.channel.connections, 2);
    assert_eq!(
        config.admin,
        AdminSection::Unix("/run/passage-source/admin.sock".into())
    );
    assert_eq!(
        config.metrics.listen,
        Some("127.0.0.1:9464".parse().unwrap())
    );
    assert_eq!(config.limits.memory_bytes, 256 << 20);
    assert_eq!(config.limits.bytes_per_second, Some(200 << 20));
    assert!(
        config.scope.means(&"default.docs".into()) && !config.scope.means(&"sales.tmp_1".into())
    );
}

#[test]
fn the_channel_goes_over_grpc_or_over_quic_where_that_is_asked_for() {
    let over = |text: &str| parse(text).unwrap().channel.transport;
    assert_eq!(over(COMPLETE), TransportKind::Grpc);
    let quic = COMPLETE.replace("transport: grpc", "transport: quic");
    assert_eq!(over(&quic), TransportKind::Quic);
    let unsaid = COMPLETE.replace("  transport: grpc\n", "");
    assert_eq!(over(&unsaid), TransportKind::Grpc);
}

#[test]
fn every_unknown_key_is_listed_with_its_line_and_the_nearest_key() {
    let text = COMPLETE
        .replace("transport:", "transprot:")
        .replace("memory:", "memry:")
        .replace("admin:", "telemtry: {}\nadmin:")
        .replace("name: globex-target", "nmae: globex-target");
    let refusal = parse(&text).unwrap_err().to_string();
    for expected in [
        "agent.yaml:9: channel.transprot: unknown key; did you mean transport?",
        "agent.yaml:13: channel.peers[0].nmae: unknown key; did you mean name?",
        "agent.yaml:14: telemtry: unknown key; did you mean telemetry?",
        "agent.yaml:17: limits.memry: unknown key; did you mean memory?",
    ] {
        assert!(refusal.contains(expected), "{expected}\n in\n{refusal}");
    }
}

#[test]
fn an_empty_file_names_everything_that_must_be_given() {
    let refusal = parse("").unwrap_err();
    let paths: Vec<_> = refusal
        .faults
        .iter()
        .map(|fault| fault.path.as_str())
        .collect();
    for expected in [
        "agent.name",
        "agent.state_dir",
        "milvus.uri",
        "channel.dial",
        "channel.tls.cert",
        "channel.tls.key",
        "channel.tls.peer_ca",
        "channel.peers",
        "scope.allow",
    ] {
        assert!(paths.contains(&expected), "{expected} in {paths:?}");
    }
    let fault = Fault::from(refusal);
    assert_eq!(
        (fault.code.as_str(), fault.class),
        (codes::CONFIG_INVALID, Class::Operator)
    );
}

#[test]
fn each_wrong_value_is_named_with_its_line() {
    for (part, other, expected) in [
        (
            "name: acme-source",
            "name: a/b",
            "agent.yaml:2: agent.name: agent name \"a/b\" must be",
        ),
        (
            "uri: \"https://milvus:19530\"",
            "uri: milvus",
            "agent.yaml:4: milvus.uri: must begin with http",
        ),
        (
            "https://milvus",
            "http://milvus",
            "agent.yaml:7: milvus.tls: needs an https:// uri",
        ),
        (
            "user: root",
            "user: root\n  rest_uri: \"http://milvus:8080\"",
            "milvus.rest_uri: needs https://",
        ),
        ("user: root", "user:", "milvus.user: must be given"),
        (
            "ca_pem_path: /etc/passage/ca.pem,",
            "client_pem_path: a,",
            "client_key_path go together",
        ),
        (
            "transport: grpc",
            "transport: tcp",
            "agent.yaml:9: channel.transport: must be one of grpc, quic, and is",
        ),
        (
            "transport: grpc",
            "listen: \"0.0.0.0:1\"",
            "channel.dial: give either dial or listen",
        ),
        (
            "transport: grpc",
            "connections: 0",
            "channel.connections: must be a whole number from 1 to 16",
        ),
        (
            "spiffe://globex.example/passage/target",
            "globex",
            "channel.peers[0].id: must be spiffe://",
        ),
        (
            "    - { name: globex-target, id: \"spiffe://globex.example/passage/target\" }",
            "    []",
            "channel.peers: must name at least one peer",
        ),
        (
            "unix:/run/passage-source/admin.sock",
            "0.0.0.0:1",
            "admin.tls.cert: must be given",
        ),
        (
            "unix:/run/passage-source/admin.sock",
            "0.0.0.0:1",
            "admin.peers: must name at least one peer",
        ),
        (
            "allow: [\"sales.*\", docs]",
            "allow: []",
            "scope.allow: must name the collections",
        ),
        (
            "[\"sales.*\", docs]",
            "[\"a.b.c\"]",
            "scope.allow: must be a pattern",
        ),
        (
            "memory: 256MiB",
            "memory: 1MiB",
            "agent.yaml:16: limits.memory: must be at least 64MiB",
        ),
        (
            "memory: 256MiB",
            "memory: [1]",
            "limits.memory: must be a single value, and is a list",
        ),
        (
            "rows_per_second: 50000",
            "rows_per_second: 0",
            "limits.rows_per_second: must be a whole number",
        ),
        (
            "limits:",
            "log: { kind: woodpecker, path: /x }\nlimits:",
            "agent.yaml:16: log.kind: must be one of",
        ),
        (
            "limits:",
            "telemetry: { filter: \"a=b=c\" }\nlimits:",
            "telemetry.filter: must be log directives",
        ),
        (
            "agent: {",
            "agent: [1]\nx: {",
            "agent.yaml:2: agent: must be a mapping, and is a list",
        ),
    ] {
        let faults = faults_with(part, other);
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "{expected}\n in\n{faults:#?}"
        );
    }
}

#[test]
fn a_secret_written_into_the_file_is_refused_and_not_repeated() {
    for (part, other) in [
        ("user: root", "user: root\n  password: canary"),
        ("user: root", "token: canary"),
        ("user: root", "pasword: canary"),
        ("https://milvus:19530", "https://root:canary@milvus:19530"),
    ] {
        let faults = faults_with(part, other).join("\n");
        assert!(!faults.contains("canary"), "{faults}");
        assert!(faults.contains("agent.yaml:"), "{faults}");
    }
    let overrides =
        Overrides::from_environment([("PASSAGE_MILVUS_PASSWORD".to_owned(), "canary".to_owned())]);
    let refusal = Config::parse("agent.yaml", COMPLETE, overrides)
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("milvus.password: a secret is not written here")
            && !refusal.contains("canary"),
        "{refusal}"
    );
}

#[test]
fn two_places_for_one_secret_are_refused() {
    let faults = faults_with("user: root", "user: root\n  password_env: PW");
    assert!(faults[0].contains("only one may be given"), "{faults:?}");
    let faults = faults_with("user: root", "user: root\n  token_env: TOKEN");
    assert!(
        faults[0].contains("either a user with a password or a token"),
        "{faults:?}"
    );
}

#[test]
fn yaml_beyond_the_plain_is_refused_with_its_line() {
    for (text, expected) in [
        ("agent: &a { name: x }", "agent.yaml:1: anchors"),
        (
            "agent: { name: x }\nmilvus: *a",
            "agent.yaml:2: is not YAML",
        ),
        ("a: &a x\nb: *a", "agent.yaml:2: aliases"),
        ("agent: !!map { name: x }", "agent.yaml:1: tags"),
        (
            "agent: {}\nagent: {}",
            "agent.yaml:2: agent: stands here again, and first on line 1",
        ),
        (
            "agent: {}\n---\nagent: {}",
            "agent.yaml:2: a second document begins here",
        ),
        ("agent: {\n  name: x", "is not YAML"),
        ("? [a]\n: b", "agent.yaml:1: a key must be a single value"),
        (
            "[[[[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]]]",
            "agent.yaml:1: is nested more than",
        ),
        (
            "text",
            "agent.yaml:1: must be a mapping, and is a single value",
        ),
    ] {
        let refusal = parse(text).unwrap_err().to_string();
        assert!(
            refusal.contains(expected),
            "{text}\n{expected}\n in\n{refusal}"
        );
    }
}

#[test]
fn a_flag_stands_above_the_environment_and_that_above_the_file() {
    let variables = [
        ("PASSAGE_AGENT_NAME", "from-env"),
        ("PASSAGE_LIMITS_MEMORY", "128MiB"),
        ("PASSAGE_SCOPE_ALLOW", "a.*, b"),
    ];
    let overrides = Overrides::from_environment(
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
    .with_flag("agent.name", "from-flag");
    let config = Config::parse("agent.yaml", COMPLETE, overrides).unwrap();
    assert_eq!(config.agent.name.as_str(), "from-flag");
    assert_eq!(config.limits.memory_bytes, 128 << 20);
    assert_eq!(config.scope.include, vec!["a.*".into(), "b".into()]);

    let origin = |path: &str| {
        let setting = config
            .origins()
            .iter()
            .find(|setting| setting.path == path)
            .unwrap();
        format!("{} ({})", setting.value, setting.origin)
    };
    assert_eq!(origin("agent.name"), "from-flag (flag)");
    assert_eq!(
        origin("limits.memory"),
        "128MiB (environment PASSAGE_LIMITS_MEMORY)"
    );
    assert_eq!(origin("milvus.uri"), "https://milvus:19530 (file, line 4)");
    assert_eq!(
        origin("milvus.password_file"),
        "/etc/passage/milvus.pw (file, line 6)"
    );
    assert_eq!(origin("limits.readers"), "4 (default)");
    assert_eq!(origin("scope.deny"), "sales.tmp_* (file, line 15)");
}

#[test]
fn a_wrong_value_from_the_environment_names_its_variable() {
    let overrides =
        Overrides::from_environment([("PASSAGE_LIMITS_MEMORY".to_owned(), "lots".to_owned())]);
    let refusal = Config::parse("agent.yaml", COMPLETE, overrides)
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("limits.memory: must be a size such as 256MiB"),
        "{refusal}"
    );
    assert!(
        refusal.contains("environment PASSAGE_LIMITS_MEMORY"),
        "{refusal}"
    );
}

#[test]
fn a_section_can_come_from_the_environment_alone() {
    let text = COMPLETE.replace("  tls: { cert: /etc/passage/cert.pem, key: /etc/passage/key.pem, peer_ca: /etc/passage/ca.pem }\n", "");
    let variables = ["CERT", "KEY", "PEER_CA"]
        .map(|key| (format!("PASSAGE_CHANNEL_TLS_{key}"), format!("/run/{key}")));
    let config =
        Config::parse("agent.yaml", &text, Overrides::from_environment(variables)).unwrap();
    assert_eq!(config.channel.tls.key, Path::new("/run/KEY"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let refusal =
        Config::load(Path::new("/nonexistent/agent.yaml"), Overrides::default()).unwrap_err();
    assert!(
        refusal
            .to_string()
            .starts_with("/nonexistent/agent.yaml: can't be read"),
        "{refusal}"
    );
}
