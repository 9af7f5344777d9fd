//! TLS to the REST API: of the files that the gRPC's is of.

use super::Configuration;
use crate::error::causes;
use crate::{ConnectError, Tls};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What secures a connection, and the name that the server's certificate must bear.
pub(super) fn connector(
    files: &Tls,
    uri: &str,
    host: &str,
) -> Result<(TlsConnector, ServerName<'static>), ConnectError> {
    let name = files.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned()).map_err(|error| unfit(uri, causes(&error)))?;
    Ok((TlsConnector::from(configuration(files, uri)?), name))
}

fn configuration(files: &Tls, uri: &str) -> Result<Configuration, ConnectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(uri, causes(&error)))?
        .with_root_certificates(roots(files.ca_pem_path.as_deref(), uri)?);
    let config = match (&files.client_pem_path, &files.client_key_path) {
        (Some(certificate), Some(key)) => {
            let certificates = certificates(certificate, uri)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unfit(uri, format!("{}: {error}", key.display())))?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| unfit(uri, causes(&error)))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn roots(ca: Option<&Path>, uri: &str) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
        Some(ca) => {
            for certificate in certificates(ca, uri)? {
                roots
                    .add(certificate)
                    .map_err(|error| unfit(uri, format!("{}: {error}", ca.display())))?;
            }
        }
    }
    Ok(roots)
}

fn certificates(file: &Path, uri: &str) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let found =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    found.map_err(|error| unfit(uri, format!("{}: {error}", file.display())))
}

fn unfit(uri: &str, cause: String) -> ConnectError {
    ConnectError::TlsSettings {
        uri: uri.to_owned(),
        cause,
    }
}
