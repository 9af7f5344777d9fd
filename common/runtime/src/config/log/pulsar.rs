//! A log in Pulsar.

use crate::config::milvus::MilvusTls;
use crate::config::secret::{SecretKeys, SecretSource};
use crate::config::section::Section;
use crate::config::values::{self, HostPort};

/// A Pulsar cluster, and where in it Milvus has its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulsarSection {
    /// A broker or proxy that tells of all others.
    pub address: HostPort,
    /// TLS settings, which name no server; absent, without TLS.
    pub tls: Option<MilvusTls>,
    /// The token that tells who calls; absent where the brokers do not ask.
    pub token: Option<SecretSource>,
    /// Milvus's `pulsar.tenant`.
    pub tenant: String,
    /// Milvus's `pulsar.namespace`.
    pub namespace: String,
}

const TOKEN: SecretKeys = SecretKeys {
    forbidden: "token",
    file: "token_file",
    environment: "token_env",
    credential: "token_credential",
};

pub(super) fn pulsar(section: &mut Section<'_>) -> Option<PulsarSection> {
    let url = section.required("url", pulsar_url);
    let tls = section.within_given("tls", super::log_tls);
    if tls.is_some() && url.as_ref().is_some_and(|(_, has_tls)| !has_tls) {
        section.refuse("tls", "needs a pulsar+ssl:// url");
    }
    let token = SecretSource::of(section, &TOKEN);
    let tenant = section.optional("tenant", pulsar_name);
    let namespace = section.optional("namespace", pulsar_name);
    let (address, has_tls) = url?;
    Some(PulsarSection {
        address,
        tls: has_tls.then(|| tls.unwrap_or_default()),
        token,
        tenant: tenant.unwrap_or_else(|| "public".to_owned()),
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
    })
}

/// A broker's address, and whether it has TLS.
fn pulsar_url(text: &str) -> Result<(HostPort, bool), String> {
    if text.contains('@') {
        return Err("must not hold a user or password".to_owned());
    }
    let without = text.strip_prefix("pulsar://").map(|rest| (rest, false));
    let with = || text.strip_prefix("pulsar+ssl://").map(|rest| (rest, true));
    let address = without.or_else(with).and_then(|(rest, has_tls)| {
        let address = values::host_port(rest.trim_end_matches('/')).ok()?;
        Some((address, has_tls))
    });
    address.ok_or_else(|| {
        format!("must be one address such as pulsar://127.0.0.1:6650 or pulsar+ssl://pulsar.acme.example:6651, and is {text:?}")
    })
}

/// A tenant's or namespace's name: it stands in the name of a topic.
fn pulsar_name(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.=:".contains(letter);
    if text.is_empty() || !text.chars().all(plain) {
        return Err(format!(
            "must be a name as Pulsar has them, and is {text:?}"
        ));
    }
    Ok(text.to_owned())
}
