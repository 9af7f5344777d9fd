//! A certificate in the place of one that ends: it says the same, for another time.

use super::files::{paths, read_certificate, replace_certificate, write_both};
use super::{CertsError, DAY, Existing, LeafRequest, Made, Validity, new_key, sign};
use crate::tls::certificate;
use model::AgentName;
use rcgen::SubjectPublicKeyInfo;
use std::path::Path;
use x509_parser::prelude::X509Certificate;

/// Which key a renewed certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewedKey {
    /// The former one's, which need not be there. One file is replaced, in one step.
    Same,
    /// A new one. Two files are replaced, the key's first: who reads them between finds that they do not belong together.
    New,
}

/// Renews an agent's certificate that [`super::make_leaf`] made with the CA in the same directory: the new one has its subject, names and
/// uses, and is valid from now on for these days, or for as long as the former was.
///
/// # Errors
/// When there is no such certificate, or another CA or something else made it; when the new one would outlive the CA; or when files can't be
/// read or written.
pub fn renew_leaf(
    dir: &Path,
    name: &AgentName,
    days: Option<u32>,
    key: RenewedKey,
) -> Result<Made, CertsError> {
    let (cert_path, _) = paths(dir, name.as_str());
    let der = read_certificate(&cert_path)?;
    let unfit = |cause| CertsError::File {
        path: cert_path.clone(),
        cause,
    };
    let former = certificate::parse(&der).map_err(unfit)?;
    let (uris, hosts) = certificate::alternative_names(&former)
        .map_err(unfit)?
        .into_iter()
        .partition::<Vec<_>, _>(|name| name.contains("://"));
    let request = LeafRequest {
        name: name.clone(),
        spiffe: uris.into_iter().next(),
        hosts,
        validity: Validity::days(days.unwrap_or_else(|| lasted(&former))),
    };
    let (renewed, new_key) = match key {
        RenewedKey::Same => {
            let key = SubjectPublicKeyInfo::from_der(former.public_key().raw)
                .map_err(|error| unfit(error.to_string()))?;
            (sign(dir, &request, &key)?, None)
        }
        RenewedKey::New => {
            let key = new_key(name.as_str())?;
            (sign(dir, &request, &key)?, Some(key))
        }
    };
    let newer = certificate::parse(renewed.der()).map_err(unfit)?;
    if says(&former) != says(&newer) {
        return Err(CertsError::Foreign(cert_path));
    }
    match new_key {
        None => replace_certificate(dir, name.as_str(), &renewed),
        Some(key) => write_both(dir, name.as_str(), &renewed, &key, Existing::Replace),
    }
}

/// All that a certificate says but its key, its number and its time: who signed it, whom it names, and for what it may be used.
fn says<'a>(certificate: &'a X509Certificate<'_>) -> impl PartialEq + use<'a> {
    let extensions = certificate.extensions().iter();
    let extensions: Vec<_> = extensions
        .map(|extension| {
            (
                extension.oid.as_bytes(),
                extension.critical,
                extension.value,
            )
        })
        .collect();
    (
        certificate.issuer().as_raw(),
        certificate.subject().as_raw(),
        extensions,
    )
}

/// For how many days a certificate was valid.
fn lasted(certificate: &X509Certificate<'_>) -> u32 {
    let validity = certificate.validity();
    let [from, to] = [validity.not_before, validity.not_after].map(certificate::system_time);
    let days = to.duration_since(from).unwrap_or_default().as_secs() / DAY.as_secs();
    u32::try_from(days).unwrap_or(u32::MAX)
}
