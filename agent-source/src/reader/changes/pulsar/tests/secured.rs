//! A claim about TLS: with a certificate of the configured CA, and one of ours in place of a token.

use super::*;
use channel::certs::{self, Existing, LeafRequest, Validity};
use runtime::config::ClientPem;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::Path;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A CA in a folder, and a certificate of a broker here, which is also ours.
fn certificates(folder: &Path) -> MilvusTls {
    let validity = Validity::days(1);
    let ca = certs::make_authority(folder, "CA", validity, Existing::Keep).unwrap();
    let request = LeafRequest {
        name: "pulsar".parse().unwrap(),
        spiffe: None,
        hosts: vec!["127.0.0.1".to_owned()],
        validity,
    };
    let leaf = certs::make_leaf(folder, &request, Existing::Keep).unwrap();
    MilvusTls {
        ca_pem_path: Some(ca.cert),
        client: Some(ClientPem {
            client_pem_path: leaf.cert,
            client_key_path: leaf.key,
        }),
        server_name: None,
    }
}

/// Lets those through to a fake who show a certificate of the CA.
async fn guard(fake: &FakePulsar, tls: &MilvusTls) -> u16 {
    let (ca, own) = (
        tls.ca_pem_path.as_ref().unwrap(),
        tls.client.as_ref().unwrap(),
    );
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let chain = CertificateDer::pem_file_iter(&own.client_pem_path).unwrap();
    let key = PrivateKeyDer::from_pem_file(&own.client_key_path).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, behind) = (listener.local_addr().unwrap().port(), fake.port);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut near = match acceptor.accept(stream).into_fallible().await {
                    Ok(near) => near,
                    Err((_, mut stream)) => {
                        // Who is refused gets to read why, as long as the line is not reset.
                        tokio::io::copy(&mut stream, &mut tokio::io::sink())
                            .await
                            .ok();
                        return;
                    }
                };
                let mut far = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far)
                    .await
                    .ok();
            });
        }
    });
    port
}

#[tokio::test]
async fn brokers_with_tls_are_known_by_the_ca_and_know_us_by_our_certificate() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    let folder = tempfile::tempdir().unwrap();
    let tls = certificates(folder.path());
    let port = guard(&fake, &tls).await;
    fake.set(|state| state.tls_port = Some(port));
    let mut section = fake.section();
    section.address.port = port;
    section.tls = Some(tls.clone());
    let log = Pulsar::open(&section).unwrap();
    assert_eq!(read(&log, at((7, 0), 0), 2).await, Ok(ledger(7, 1..3)));
    let methods: Vec<_> = fake
        .connects()
        .iter()
        .map(|asked| asked.text(5).map(str::to_owned))
        .collect();
    assert_eq!(methods, [Some("tls".to_owned())]);
    let stranger = tempfile::tempdir().unwrap();
    let other = certificates(stranger.path());
    let unknown_broker = MilvusTls {
        ca_pem_path: other.ca_pem_path,
        ..tls.clone()
    };
    let unknown_client = MilvusTls {
        client: None,
        ..tls
    };
    for tls in [unknown_broker, unknown_client] {
        section.tls = Some(tls);
        let fault = Pulsar::open(&section)
            .unwrap()
            .end(TOPIC)
            .await
            .unwrap_err();
        assert_eq!(
            (&*fault.code, fault.class),
            (codes::LOG_UNREACHABLE, Class::Operator)
        );
        assert!(fault.hint.contains("log.tls"), "{fault}");
    }
}
