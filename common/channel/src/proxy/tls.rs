//! The TLS of a proxy that is spoken to by https. The peer's own TLS goes inside it.

use super::{Proxy, ProxyError};
use crate::tls::{Socket, buffered, pem_cause};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Makes sure that it is the proxy, by its certificate and the host in its URI.
pub(super) async fn connect(proxy: &Proxy, tcp: TcpStream) -> Result<Socket, ProxyError> {
    let untrusted = |cause| ProxyError::Tls {
        proxy: proxy.to_string(),
        cause,
    };
    let host = proxy.0.address.host.clone();
    let name = ServerName::try_from(host);
    let name = name.map_err(|error| untrusted(error.to_string()))?;
    let config = Arc::new(config(proxy).await?);
    let stream = TlsConnector::from(config).connect(name, buffered(tcp));
    let stream = stream.await.map_err(|error| untrusted(error.to_string()))?;
    Ok(Socket::WithinTls(Box::new(stream)))
}

/// TLS 1.2 is taken, too: what the proxy sees is no more than what it is asked for.
async fn config(proxy: &Proxy) -> Result<ClientConfig, ProxyError> {
    let unusable = |cause| ProxyError::Authority {
        proxy: proxy.to_string(),
        cause,
    };
    let path = proxy.0.ca_pem_path.clone();
    let roots = tokio::task::spawn_blocking(move || roots(path.as_deref())).await;
    let roots = roots
        .map_err(|_| ProxyError::Unread(proxy.to_string()))?
        .map_err(unusable)?;
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn roots(path: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = path else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        let none = "this machine has no list of CAs that are believed".to_owned();
        return (!roots.is_empty()).then_some(roots).ok_or(none);
    };
    let unusable = |cause: String| format!("{}: {cause}", path.display());
    let unread = |error: pem::Error| unusable(pem_cause(&error));
    for certificate in CertificateDer::pem_file_iter(path).map_err(unread)? {
        let added = roots.add(certificate.map_err(unread)?);
        added.map_err(|error| unusable(error.to_string()))?;
    }
    let none = unusable("it holds no certificate".to_owned());
    (!roots.is_empty()).then_some(roots).ok_or(none)
}
