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

#[cfg(test)]
mod tests {
    use super::*;
    use channel::certs::{self, Existing, LeafRequest, Validity};
    use rustls::ServerConfig;
    use rustls::server::WebPkiClientVerifier;
    use std::io;
    use std::path::PathBuf;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    /// A CA of its own, in a folder of its own, and a certificate that it signed for `kafka`, with its key.
    struct Authority {
        _folder: tempfile::TempDir,
        ca: PathBuf,
        leaf: ClientPem,
    }

    fn authority() -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let validity = Validity::days(1);
        let ca = certs::make_authority(folder.path(), "CA", validity, Existing::Keep).unwrap();
        let request = LeafRequest {
            name: "kafka".parse().unwrap(),
            spiffe: None,
            hosts: vec!["kafka".to_owned()],
            validity,
        };
        let leaf = certs::make_leaf(folder.path(), &request, Existing::Keep).unwrap();
        Authority {
            _folder: folder,
            ca: ca.cert,
            leaf: ClientPem {
                client_pem_path: leaf.cert,
                client_key_path: leaf.key,
            },
        }
    }

    /// Both ends of a handshake with a server that asks for a certificate of its own CA.
    async fn handshake(server: &Authority, client: &MilvusTls) -> [io::Result<()>; 2] {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(roots(Some(&server.ca)).unwrap());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
        let key = PrivateKeyDer::from_pem_file(&server.leaf.client_key_path).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(certificates(&server.leaf.client_pem_path).unwrap(), key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let connector = TlsConnector::from(Arc::new(client_config(client).unwrap()));
        let (near, far) = tokio::io::duplex(1 << 16);
        let name = "kafka".try_into().unwrap();
        let (near, far) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
        [near.map(drop), far.map(drop)]
    }

    fn tls(ca: &Authority, client: Option<&Authority>) -> MilvusTls {
        MilvusTls {
            ca_pem_path: Some(ca.ca.clone()),
            client: client.map(|client| client.leaf.clone()),
            server_name: None,
        }
    }

    #[tokio::test]
    async fn the_ca_that_is_named_is_believed_and_no_other_and_our_certificate_is_shown() {
        let (own, other) = (authority(), authority());
        let both = handshake(&own, &tls(&own, Some(&own))).await;
        assert!(both.iter().all(Result::is_ok), "{both:?}");
        let [stranger, _] = handshake(&own, &tls(&other, Some(&own))).await;
        let told = stranger.unwrap_err().to_string();
        // By these words it is known as a fault of TLS, where a library keeps no more of it.
        assert!(told.contains("invalid peer certificate"), "{told}");
        for client in [None, Some(&other)] {
            let [_, unknown] = handshake(&own, &tls(&own, client)).await;
            assert!(unknown.is_err(), "a client that the server does not know");
        }
    }

    #[test]
    fn files_that_are_not_what_they_should_be_are_named() {
        let own = authority();
        let mut swapped = tls(&own, Some(&own));
        swapped.ca_pem_path = Some(own.leaf.client_key_path.clone());
        let fault = client_config(&swapped).unwrap_err();
        assert_eq!(fault.code, codes::CERTIFICATE_INVALID);
        assert!(fault.message.contains("kafka.key"), "{fault}");
    }
}
