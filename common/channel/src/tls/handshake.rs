//! The handshake, from both sides. How long it may take is its caller's to say.

use super::credentials::{Loaded, Trust};
use super::error::{TlsError, Verdict};
use super::provider;
use super::secured::Secured;
use super::verify::{Finding, Judge};
use runtime::config::PeerId;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, Error, InvalidMessage, ServerConfig, SignatureScheme, version,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// What is spoken above TLS.
const ALPN: &[u8] = b"h2";

/// rustls takes 4 KiB at a time from a socket; a buffer below it saved 10 to 16 % of the receiver's CPU.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// How much rustls holds of what is to be sent; at its default of 64 KiB the sender spent up to 10 % more CPU.
const SEND_BUFFER_BYTES: usize = 1 << 20;

/// How long a refused peer may take to read why, and how much of what it still sends is read.
const PARTING_LIMIT: Duration = Duration::from_secs(1);
const PARTING_BYTES: u64 = 64 << 10;

/// Shows our certificate, and nothing else.
#[derive(Debug)]
struct Ours(Arc<CertifiedKey>);

impl ResolvesClientCert for Ours {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Ours {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// The dialling side. `host` only fills the field of the protocol; the peer is known by its certificate.
pub(crate) async fn connect(
    trust: &Trust,
    host: &str,
    socket: TcpStream,
) -> Result<Secured, TlsError> {
    let (loaded, peers) = trust.now();
    let (judge, finding) = Judge::new(loaded.clone(), peers);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(judge))
        .with_client_cert_resolver(Arc::new(Ours(loaded.certified.clone())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| TlsError::Other(format!("{host:?} is no host name")))?;
    let buffered = BufReader::with_capacity(READ_BUFFER_BYTES, socket);
    let done = TlsConnector::from(Arc::new(config))
        .connect_with(name, buffered, |session| {
            session.set_buffer_limit(Some(SEND_BUFFER_BYTES))
        })
        .into_fallible()
        .await;
    match done {
        Ok(stream) => secured(stream.into(), finding, &loaded),
        Err((error, socket)) => Err(part(error, socket, &finding, &loaded).await),
    }
}

/// The listening side.
pub(crate) async fn accept(trust: &Trust, socket: TcpStream) -> Result<Secured, TlsError> {
    let (loaded, peers) = trust.now();
    let (judge, finding) = Judge::new(loaded.clone(), peers);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(other)?
        .with_client_cert_verifier(Arc::new(judge))
        .with_cert_resolver(Arc::new(Ours(loaded.certified.clone())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let buffered = BufReader::with_capacity(READ_BUFFER_BYTES, socket);
    let done = TlsAcceptor::from(Arc::new(config))
        .accept_with(buffered, |session| {
            session.set_buffer_limit(Some(SEND_BUFFER_BYTES))
        })
        .into_fallible()
        .await;
    match done {
        Ok(stream) => secured(stream.into(), finding, &loaded),
        Err((error, socket)) => Err(part(error, socket, &finding, &loaded).await),
    }
}

fn other(error: Error) -> TlsError {
    TlsError::Other(error.to_string())
}

fn secured(
    stream: TlsStream<BufReader<TcpStream>>,
    finding: Finding,
    loaded: &Loaded,
) -> Result<Secured, TlsError> {
    let peer = finding
        .get()
        .cloned()
        .unwrap_or(Err(TlsError::NoCertificate))?;
    let ours = loaded.own.ids();
    let explain = move |error: &io::Error| rustls_error(error).map(|error| meaning(error, &ours));
    Ok(Secured::new(stream, peer, Box::new(explain)))
}

/// Ends a failed handshake so that the peer can read why: a socket that is closed while bytes wait in it resets the connection,
/// and the alert on its way is lost.
async fn part(
    error: io::Error,
    mut socket: BufReader<TcpStream>,
    finding: &Finding,
    loaded: &Loaded,
) -> TlsError {
    let farewell = async {
        socket.shutdown().await.ok();
        tokio::io::copy(&mut socket.take(PARTING_BYTES), &mut tokio::io::sink())
            .await
            .ok();
    };
    tokio::time::timeout(PARTING_LIMIT, farewell).await.ok();
    match (finding.get(), rustls_error(&error)) {
        (Some(Err(found)), _) => found.clone(),
        (_, Some(error)) => meaning(error, &loaded.own.ids()),
        (_, None) if error.kind() == io::ErrorKind::UnexpectedEof => {
            TlsError::Lost("the peer closed it".into())
        }
        (_, None) => TlsError::Lost(error.to_string()),
    }
}

fn rustls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What an error of rustls means for an operator.
fn meaning(error: &Error, ours: &[PeerId]) -> TlsError {
    match error {
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            TlsError::OldVersion
        }
        Error::AlertReceived(alert) => match verdict(*alert) {
            Some(verdict) => TlsError::RefusedByPeer {
                verdict,
                ours: ours.to_vec(),
            },
            None => TlsError::Other(format!("the peer ended it with {alert:?}")),
        },
        Error::NoCertificatesPresented => TlsError::NoCertificate,
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsError::Plaintext,
        other => TlsError::Other(other.to_string()),
    }
}

fn verdict(alert: AlertDescription) -> Option<Verdict> {
    match alert {
        AlertDescription::AccessDenied => Some(Verdict::NotAllowed),
        AlertDescription::UnknownCA => Some(Verdict::OtherAuthority),
        AlertDescription::CertificateExpired => Some(Verdict::Expired),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRequired
        | AlertDescription::DecryptError => Some(Verdict::Other(format!("{alert:?}"))),
        _ => None,
    }
}
