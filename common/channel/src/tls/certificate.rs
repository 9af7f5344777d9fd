//! What a certificate says.

use super::identity::{Fingerprint, PeerIdentity, Shown};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

/// Who a certificate, in DER form, says its holder is; nobody has vouched for it yet, so the name stays empty.
pub(crate) fn identity(der: &[u8]) -> Result<PeerIdentity, String> {
    let certificate = parse(der)?;
    let (mut uris, mut dns_names) = (Vec::new(), Vec::new());
    let alternatives = certificate
        .subject_alternative_name()
        .map_err(|error| error.to_string())?;
    for name in alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
    {
        match name {
            GeneralName::URI(uri) => uris.push((*uri).to_owned()),
            GeneralName::DNSName(name) => dns_names.push(name.to_ascii_lowercase()),
            _ => {}
        }
    }
    let not_after = system_time(certificate.validity().not_after);
    Ok(PeerIdentity {
        name: String::new(),
        uris,
        dns_names,
        fingerprint: Fingerprint::of(der),
        not_after,
        shown: Shown::default(),
    })
}

/// How a certificate is out of its time, if it is: "expired …" or "is not valid before …".
pub(crate) fn out_of_time(der: &[u8], now: SystemTime) -> Option<String> {
    let certificate = parse(der).ok()?;
    let validity = certificate.validity();
    if system_time(validity.not_after) < now {
        return Some(format!("expired on {}", validity.not_after));
    }
    (system_time(validity.not_before) > now)
        .then(|| format!("is not valid before {}", validity.not_before))
}

pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|error| format!("it is no X.509 certificate: {error}"))?;
    Ok(certificate)
}

/// Certificates may be dated before 1970; none that is valid is.
pub(crate) fn system_time(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Every alternative name of a certificate as text: URIs, DNS names, IP addresses.
pub(crate) fn alternative_names(certificate: &X509Certificate<'_>) -> Result<Vec<String>, String> {
    let extension = certificate
        .subject_alternative_name()
        .map_err(|error| error.to_string())?;
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::URI(text) | GeneralName::DNSName(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    Ok(extension
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(text)
        .collect())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}
