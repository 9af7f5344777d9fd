//! The configuration of an agent: complete, or refused with every fault at once.
//!
//! Invariants: a key that is not known is refused; a value in force is of its type; a secret is never a value, only the place
//! where it is kept; each value's origin is known. Non-goals: to read secrets or certificates (those who use them do, again and
//! again, because they are renewed), to watch the file (whoever serves does, and has it renewed here).

mod channel;
mod error;
pub mod job_file;
mod log;
mod milvus;
mod origin;
mod peer;
mod proxy;
mod renewal;
mod secret;
mod section;
mod sections;
mod storage;
mod suggest;
pub mod values;
mod yaml;

pub use channel::{ChannelSection, Reach, TlsFiles, TransportKind};
pub use error::{ConfigError, ConfigFault};
pub use log::{
    KafkaSasl, KafkaSection, LogSection, NatsSection, PulsarSection, QueueSection, SaslMechanism,
    SpoolSection,
};
pub use milvus::{ClientPem, MilvusCredentials, MilvusSection, MilvusTls};
pub use origin::{ENVIRONMENT_PREFIX, Origin, Overrides, Setting};
pub use peer::{InvalidPeerId, Peer, PeerId};
pub use proxy::{ProxyLogin, ProxyScheme, ProxySection, ProxyUse};
pub use renewal::{Renewal, Renewals};
pub use secret::{Secret, SecretError, SecretSource};
pub use sections::{
    AdminSection, AgentSection, LimitsSection, LogFormat, MetricsSection, TelemetrySection,
};
pub use storage::{AzureSection, Bucket, GcsSection, S3Section, StaticKey, StorageSection};
pub use values::HostPort;

use model::Selection;
use section::{Reading, Section};
use std::path::Path;

/// An agent's configuration; of the same form on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who the agent is.
    pub agent: AgentSection,
    /// The Milvus beside it.
    pub milvus: MilvusSection,
    /// The channel to the other agent.
    pub channel: ChannelSection,
    /// Where operators reach it.
    pub admin: AdminSection,
    /// Where metrics are served.
    pub metrics: MetricsSection,
    /// Logs and traces.
    pub telemetry: TelemetrySection,
    /// What this side gives (source) or takes (target), whatever a job asks for.
    pub scope: Selection,
    /// What the agent may use.
    pub limits: LimitsSection,
    /// Where the source's Milvus keeps its log, if changes are to be followed.
    pub log: Option<LogSection>,
    /// Where the Milvus beside the agent keeps its files, if they are to be read.
    pub storage: Option<StorageSection>,
    settings: Vec<Setting>,
}

impl Config {
    /// Reads and checks the configuration in a file, under the values that stand above it.
    ///
    /// # Errors
    /// Every fault of the file at once; or that it can't be read.
    pub fn load(file: &Path, overrides: Overrides) -> Result<Self, ConfigError> {
        Self::parse(&file.display().to_string(), &Self::text(file)?, overrides)
    }

    /// The text in a configuration's file, for [`Config::parse`].
    ///
    /// # Errors
    /// That it can't be read.
    pub fn text(file: &Path) -> Result<String, ConfigError> {
        std::fs::read_to_string(file).map_err(|error| {
            ConfigError::new(
                &file.display().to_string(),
                vec![ConfigFault::of_file(format!("can't be read: {error}"))],
            )
        })
    }

    /// Checks the configuration in a text; `file` is what it is called in faults.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn parse(file: &str, text: &str, overrides: Overrides) -> Result<Self, ConfigError> {
        let mut reading = Reading {
            overrides,
            ..Reading::default()
        };
        let tree = yaml::parse(text, &mut reading.faults);
        let config = tree.and_then(|tree| Section::root(&mut reading, &tree, read));
        match config {
            Some(config) if reading.faults.is_empty() => Ok(Self {
                settings: reading.settings,
                ..config
            }),
            _ => Err(ConfigError::new(file, reading.faults)),
        }
    }

    /// Each value in force and where it comes from, in the order of the sections.
    #[must_use]
    pub fn origins(&self) -> &[Setting] {
        &self.settings
    }
}

fn read(root: &mut Section<'_>) -> Option<Config> {
    let agent = root.within("agent", sections::agent);
    let milvus = root.within("milvus", milvus::milvus);
    let channel = root.within("channel", channel::channel);
    let state_dir = agent.as_ref().map(|agent| agent.state_dir.as_path());
    let admin = root.within("admin", |section| sections::admin(section, state_dir));
    let metrics = root.within("metrics", sections::metrics);
    let telemetry = root.within("telemetry", sections::telemetry);
    let scope = root.within("scope", sections::scope);
    let limits = root.within("limits", sections::limits);
    let log = root.within_given("log", log::log);
    let storage = root.within_given("storage", storage::storage);
    Some(Config {
        agent: agent?,
        milvus: milvus?,
        channel: channel?,
        admin: admin?,
        metrics: metrics?,
        telemetry: telemetry?,
        scope: scope?,
        limits: limits?,
        log,
        storage,
        settings: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
