//! TLS to a broker, as the configuration asks for it.

use model::{Class, Fault, codes};
use runtime::config::{ClientPem, MilvusTls};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Whom to believe, and who calls. Blocks for small files.
///
/// # Errors
/// `certificate_invalid`: a file can't be read, or is not what it should be.
pub(crate) fn client_config(tls: &MilvusTls) -> Result<ClientConfig, Fault> {
    let roots = roots(tls.ca_pem_path.as_deref())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| invalid(format!("no TLS can be had: {error}")))?
        .with_root_certificates(roots);
    let Some(ClientPem {
        client_pem_path,
        client_key_path,
    }) = &tls.client
    else {
        return Ok(builder.with_no_client_auth());
    };
    let certificates = certificates(client_pem_path)?;
    let key = PrivateKeyDer::from_pem_file(client_key_path)
        .map_err(|error| unreadable(client_key_path, &error))?;
    builder
        .with_client_auth_cert(certificates, key)
        .map_err(|error| {
            invalid(format!(
                "{} does not fit its key: {error}",
                client_pem_path.display()
            ))
        })
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        return if roots.is_empty() {
            Err(invalid(
                "this machine has no list of CAs that are believed".to_owned(),
            ))
        } else {
            Ok(roots)
        };
    };
    for certificate in certificates(ca)? {
        roots
            .add(certificate)
            .map_err(|error| invalid(format!("{} holds no CA: {error}", ca.display())))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(unreadable(file, &pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(file, &error)),
    }
}

fn unreadable(file: &Path, error: &pem::Error) -> Fault {
    invalid(format!("{} can't be used: {error}", file.display()))
}

fn invalid(cause: String) -> Fault {
    let hint = "see the files of the section log.tls: PEM, readable for the agent's user";
    Fault::new(
        codes::CERTIFICATE_INVALID,
        Class::Operator,
        format!("the TLS of Milvus's log can't be set up: {cause}"),
        hint,
    )
}
