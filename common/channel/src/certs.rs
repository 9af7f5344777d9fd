//! A private CA, and certificates for agents, for those who have none of their own.
//!
//! Invariants: a private key is written for its owner alone (0600) and never leaves its file; nothing that exists is overwritten
//! unless that is asked for; a certificate never outlives the CA that signed it. Keys are ECDSA on P-256, new for each certificate; one that
//! is renewed keeps its own, so that one file is replaced and never half a pair, unless a new one is asked for.

mod error;
mod files;
mod renewal;

use crate::tls::{Fingerprint, certificate};
use files::{read_authority, read_certificate, write_both};
use model::AgentName;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use x509_parser::time::ASN1Time;

pub use error::CertsError;
pub use files::Existing;
pub use renewal::{RenewedKey, renew_leaf};

/// How long a CA is valid unless something else is asked for.
pub const AUTHORITY_DAYS: u32 = 3650;

/// How long an agent's certificate is valid unless something else is asked for.
pub const LEAF_DAYS: u32 = 365;

/// Certificates begin a little before they are made, since the clocks of two organisations differ.
const BACKDATED: Duration = Duration::from_secs(3600);

const DAY: Duration = Duration::from_secs(86_400);

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub from: SystemTime,
    /// For how many days, 1 to 36500.
    pub days: u32,
}

impl Validity {
    /// From now on, for so many days.
    #[must_use]
    pub fn days(days: u32) -> Self {
        Self {
            from: SystemTime::now() - BACKDATED,
            days,
        }
    }
}

/// What an agent's certificate is to say.
#[derive(Debug, Clone)]
pub struct LeafRequest {
    /// The agent: the certificate's common name, and the name of its files.
    pub name: AgentName,
    /// The agent's SPIFFE URI, by which peers' lists can name it.
    pub spiffe: Option<String>,
    /// DNS names and IP addresses; peers' lists can name the agent by the former.
    pub hosts: Vec<String>,
    /// When.
    pub validity: Validity,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertDescription {
    /// Whom it names.
    pub subject: String,
    /// Its alternative names: URIs, DNS names, IP addresses.
    pub sans: Vec<String>,
    /// When it expires.
    pub not_after: SystemTime,
    /// Its fingerprint, by which a peer's list can pin it.
    pub fingerprint: Fingerprint,
}

/// A certificate that was made, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The certificate's file.
    pub cert: PathBuf,
    /// The key's file.
    pub key: PathBuf,
    /// What the certificate says.
    pub description: CertDescription,
}

/// Makes a CA: `ca.pem` and `ca.key` in a directory, which is created where it is missing.
///
/// # Errors
/// When the files exist, or can't be written.
pub fn make_authority(
    dir: &Path,
    name: &str,
    validity: Validity,
    existing: Existing,
) -> Result<Made, CertsError> {
    let mut params = params(name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = new_key(name)?;
    let certificate = params
        .self_signed(&key)
        .map_err(|_| CertsError::Invalid(name.to_owned()))?;
    write_both(dir, "ca", &certificate, &key, existing)
}

/// Makes an agent's certificate, signed by the CA in the same directory: `<name>.pem` and `<name>.key`.
///
/// # Errors
/// When there is no CA, the files exist or can't be written, or the request can't be met.
pub fn make_leaf(
    dir: &Path,
    request: &LeafRequest,
    existing: Existing,
) -> Result<Made, CertsError> {
    let key = new_key(request.name.as_str())?;
    let certificate = sign(dir, request, &key)?;
    write_both(dir, request.name.as_str(), &certificate, &key, existing)
}

/// A certificate of this key, signed by the CA in a directory.
fn sign(
    dir: &Path,
    request: &LeafRequest,
    key: &impl PublicKeyData,
) -> Result<Certificate, CertsError> {
    let (authority, authority_end) = read_authority(dir)?;
    let mut params = params(request.name.as_str(), request.validity)?;
    if params.not_after > authority_end.to_datetime() {
        let leaf = ASN1Time::from(params.not_after).to_string();
        return Err(CertsError::Outlives {
            leaf,
            authority: authority_end.to_string(),
        });
    }
    params.subject_alt_names = alternative_names(request)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    params
        .signed_by(key, &authority)
        .map_err(|_| CertsError::Invalid(request.name.to_string()))
}

/// What [`make_pair`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The CA of both.
    pub authority: Made,
    /// The source agent's.
    pub source: Made,
    /// The target agent's.
    pub target: Made,
}

/// Makes all that a pair of agents needs: a CA, and the certificates `agent-source` and `agent-target`, with the URIs
/// `spiffe://<domain>/passage/source` and `…/target`, for the default time.
///
/// # Errors
/// As [`make_authority`] and [`make_leaf`].
pub fn make_pair(dir: &Path, domain: &str, existing: Existing) -> Result<Pair, CertsError> {
    let authority = make_authority(
        dir,
        &format!("Passage CA of {domain}"),
        Validity::days(AUTHORITY_DAYS),
        existing,
    )?;
    let leaf = |role: &str| {
        let name = format!("agent-{role}")
            .parse()
            .map_err(|_| CertsError::Invalid(role.to_owned()))?;
        let spiffe = Some(format!("spiffe://{domain}/passage/{role}"));
        make_leaf(
            dir,
            &LeafRequest {
                name,
                spiffe,
                hosts: Vec::new(),
                validity: Validity::days(LEAF_DAYS),
            },
            existing,
        )
    };
    Ok(Pair {
        source: leaf("source")?,
        target: leaf("target")?,
        authority,
    })
}

/// What a certificate in a PEM file says; of several, the first.
///
/// # Errors
/// When the file can't be read, or holds no certificate.
pub fn describe(cert_path: &Path) -> Result<CertDescription, CertsError> {
    let der = read_certificate(cert_path)?;
    let failed = |cause| CertsError::File {
        path: cert_path.to_owned(),
        cause,
    };
    let parsed = certificate::parse(&der).map_err(failed)?;
    Ok(CertDescription {
        subject: parsed.subject().to_string(),
        sans: certificate::alternative_names(&parsed).map_err(failed)?,
        not_after: certificate::system_time(parsed.validity().not_after),
        fingerprint: Fingerprint::of(&der),
    })
}

fn params(name: &str, validity: Validity) -> Result<CertificateParams, CertsError> {
    let invalid = || CertsError::Invalid(format!("{name}, {} days", validity.days));
    if name.is_empty() || !(1..=36_500).contains(&validity.days) {
        return Err(invalid());
    }
    let time = |time: SystemTime| {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let time = ASN1Time::from_timestamp(i64::try_from(seconds).ok()?).ok()?;
        Some(time.to_datetime())
    };
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = time(validity.from).ok_or_else(invalid)?;
    params.not_after = time(validity.from + DAY * validity.days).ok_or_else(invalid)?;
    Ok(params)
}

fn new_key(name: &str) -> Result<KeyPair, CertsError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|_| CertsError::Invalid(name.to_owned()))
}

fn alternative_names(request: &LeafRequest) -> Result<Vec<SanType>, CertsError> {
    let text =
        |text: &str| Ia5String::try_from(text).map_err(|_| CertsError::Invalid(text.to_owned()));
    let uri = request.spiffe.iter().map(|uri| text(uri).map(SanType::URI));
    let host = |host: &String| match host.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => text(host).map(SanType::DnsName),
    };
    uri.chain(request.hosts.iter().map(host)).collect()
}

#[cfg(test)]
mod tests;
