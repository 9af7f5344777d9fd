//! Milvus's log, from which the source's agent follows changes.

mod pulsar;

pub use pulsar::PulsarSection;

use super::milvus::{self, MilvusCredentials, MilvusTls};
use super::secret::{SecretKeys, SecretSource};
use super::section::Section;
use super::values::{self, HostPort};
use std::path::PathBuf;

/// Milvus's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSection {
    /// Where it is.
    pub queue: QueueSection,
    /// What of it is kept on the agent's machine; absent, nothing.
    pub spool: Option<SpoolSection>,
}

/// The message queue that Milvus keeps its log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueSection {
    /// In a folder beside it: the default of a standalone Milvus.
    RocksMq {
        /// The folder, `rocksmq.path` in milvus.yaml.
        path: PathBuf,
        /// The RocksDB library to read it with; by default the system's.
        library: Option<PathBuf>,
    },
    /// In the NATS server inside a standalone Milvus: its `natsmq`.
    Nats(NatsSection),
    /// In Kafka.
    Kafka(KafkaSection),
    /// In Pulsar.
    Pulsar(PulsarSection),
}

/// Messages of the log on the agent's own disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSection {
    /// The folder; by default one in the agent's state folder.
    pub path: Option<PathBuf>,
    /// How much of the disk they may take.
    pub quota_bytes: u64,
}

/// A NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSection {
    /// Its address.
    pub address: HostPort,
    /// Who calls; absent where it does not ask, as Milvus's own does not.
    pub credentials: Option<MilvusCredentials>,
    /// TLS settings, which name no server; absent, without TLS.
    pub tls: Option<MilvusTls>,
}

/// A Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSection {
    /// Brokers that tell of all others.
    pub brokers: Vec<HostPort>,
    /// Who calls; absent where the brokers do not ask.
    pub sasl: Option<KafkaSasl>,
    /// TLS settings, which name no server; absent, without TLS.
    pub tls: Option<MilvusTls>,
}

/// How Kafka is told who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSasl {
    /// How the password is proven.
    pub mechanism: SaslMechanism,
    /// The user.
    pub user: String,
    /// Where the password is kept.
    pub password: SecretSource,
}

/// A way to prove a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// By showing it.
    Plain,
    /// By an answer that only it gives, with SHA-256.
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

impl LogSection {
    /// Where the log's secret is kept, if it has one.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretSource> {
        match &self.queue {
            QueueSection::RocksMq { .. } => None,
            QueueSection::Nats(nats) => nats.credentials.as_ref().map(MilvusCredentials::source),
            QueueSection::Kafka(kafka) => kafka.sasl.as_ref().map(|sasl| &sasl.password),
            QueueSection::Pulsar(pulsar) => pulsar.token.as_ref(),
        }
    }
}

/// A few files for each topic of a Milvus, of which there are 16 by default.
const LEAST_QUOTA_BYTES: u64 = 256 << 20;

const PASSWORD: SecretKeys = SecretKeys {
    forbidden: "password",
    file: "password_file",
    environment: "password_env",
    credential: "password_credential",
};

#[derive(Clone, Copy)]
enum Kind {
    RocksMq,
    Nats,
    Kafka,
    Pulsar,
}

pub(super) fn log(section: &mut Section<'_>) -> Option<LogSection> {
    let kind = section.required(
        "kind",
        values::choice([
            ("rocksmq", Kind::RocksMq),
            ("nats", Kind::Nats),
            ("kafka", Kind::Kafka),
            ("pulsar", Kind::Pulsar),
        ]),
    );
    let Some(kind) = kind else {
        section.leave_unread();
        return None;
    };
    let queue = match kind {
        Kind::RocksMq => rocksmq(section),
        Kind::Nats => nats(section).map(QueueSection::Nats),
        Kind::Kafka => kafka(section).map(QueueSection::Kafka),
        Kind::Pulsar => pulsar::pulsar(section).map(QueueSection::Pulsar),
    };
    let spool = section.within_given("spool", spool);
    Some(LogSection {
        queue: queue?,
        spool,
    })
}

fn spool(section: &mut Section<'_>) -> Option<SpoolSection> {
    let path = section.optional("path", values::path);
    let quota_bytes = section.required("quota", |text| match values::byte_size(text)? {
        LEAST_QUOTA_BYTES.. => values::byte_size(text),
        _ => Err("must be at least 256MiB".to_owned()),
    });
    Some(SpoolSection {
        path,
        quota_bytes: quota_bytes?,
    })
}

fn rocksmq(section: &mut Section<'_>) -> Option<QueueSection> {
    let path = section.required("path", values::path);
    let library = section.optional("library", values::path);
    Some(QueueSection::RocksMq {
        path: path?,
        library,
    })
}

fn nats(section: &mut Section<'_>) -> Option<NatsSection> {
    let address = section.required("url", nats_url);
    let credentials = milvus::credentials(section);
    let tls = section.within_given("tls", log_tls);
    Some(NatsSection {
        address: address?,
        credentials,
        tls,
    })
}

fn nats_url(text: &str) -> Result<HostPort, String> {
    if text.contains('@') {
        return Err("must not hold a user or password".to_owned());
    }
    let address = text
        .strip_prefix("nats://")
        .and_then(|rest| values::host_port(rest.trim_end_matches('/')).ok());
    address
        .ok_or_else(|| format!("must be an address such as nats://127.0.0.1:4222, and is {text:?}"))
}

fn kafka(section: &mut Section<'_>) -> Option<KafkaSection> {
    let brokers = section.list("brokers", values::host_port);
    if brokers.as_ref().is_none_or(Vec::is_empty) {
        section.refuse("brokers", r#"must name brokers, such as ["kafka-1:9092"]"#);
    }
    let sasl = section.within_given("sasl", kafka_sasl);
    let tls = section.within_given("tls", log_tls);
    Some(KafkaSection {
        brokers: brokers?,
        sasl,
        tls,
    })
}

fn log_tls(section: &mut Section<'_>) -> Option<MilvusTls> {
    let cause = "is not for a log: a server's certificate must bear the host that is connected to";
    section.forbid("server_name", cause);
    milvus::milvus_tls(section)
}

fn kafka_sasl(section: &mut Section<'_>) -> Option<KafkaSasl> {
    let mechanism = section.required(
        "mechanism",
        values::choice([
            ("plain", SaslMechanism::Plain),
            ("scram-sha-256", SaslMechanism::ScramSha256),
            ("scram-sha-512", SaslMechanism::ScramSha512),
        ]),
    );
    let user = section.required("user", values::text);
    let password = SecretSource::of(section, &PASSWORD);
    if password.is_none() {
        section.refuse(
            "user",
            "needs password_file, password_env or password_credential",
        );
    }
    Some(KafkaSasl {
        mechanism: mechanism?,
        user: user?,
        password: password?,
    })
}
