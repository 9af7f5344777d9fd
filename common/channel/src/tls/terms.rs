//! The terms of one handshake: what we show, whom we believe, and what came of it. They are the same whatever carries TLS.

use super::credentials::{Loaded, Trust};
use super::error::{TlsError, Verdict};
use super::identity::PeerIdentity;
use super::provider;
use super::verify::{Finding, Judge};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, Error, InvalidMessage, ServerConfig, SignatureScheme, version,
};
use std::fmt;
use std::sync::Arc;

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

/// The dialling side's terms; `spoken` is what is spoken above TLS.
pub(crate) fn dialling(trust: &Trust, spoken: &[u8]) -> Result<(ClientConfig, Outcome), TlsError> {
    let (loaded, peers) = trust.now();
    let (judge, finding) = Judge::new(loaded.clone(), peers);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(judge))
        .with_client_cert_resolver(Arc::new(Ours(loaded.certified.clone())));
    config.alpn_protocols = vec![spoken.to_vec()];
    config.resumption = Resumption::disabled();
    Ok((config, Outcome { finding, loaded }))
}

/// The listening side's terms. No ticket is given, so that no later handshake can begin with early data.
pub(crate) fn listening(trust: &Trust, spoken: &[u8]) -> Result<(ServerConfig, Outcome), TlsError> {
    let (loaded, peers) = trust.now();
    let (judge, finding) = Judge::new(loaded.clone(), peers);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(other)?
        .with_client_cert_verifier(Arc::new(judge))
        .with_cert_resolver(Arc::new(Ours(loaded.certified.clone())));
    config.alpn_protocols = vec![spoken.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok((config, Outcome { finding, loaded }))
}

fn other(error: Error) -> TlsError {
    TlsError::Other(error.to_string())
}

/// What came of a handshake.
#[derive(Clone)]
pub(crate) struct Outcome {
    finding: Finding,
    loaded: Arc<Loaded>,
}

impl Outcome {
    /// Who the peer is, after a handshake that succeeded.
    pub(crate) fn peer(&self) -> Result<PeerIdentity, TlsError> {
        self.finding
            .get()
            .cloned()
            .unwrap_or(Err(TlsError::NoCertificate))
    }

    /// Why we refused the peer, if we did.
    pub(crate) fn refusal(&self) -> Option<TlsError> {
        self.finding.get()?.clone().err()
    }

    /// What an error of rustls means for an operator.
    pub(crate) fn meaning(&self, error: &Error) -> TlsError {
        match error {
            Error::AlertReceived(alert) => self.told(*alert),
            Error::PeerIncompatible(_) => TlsError::OldVersion,
            Error::NoCertificatesPresented => TlsError::NoCertificate,
            Error::NoApplicationProtocol => TlsError::OtherProtocol,
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsError::Plaintext,
            other => TlsError::Other(other.to_string()),
        }
    }

    /// What an alert of the peer's means.
    pub(crate) fn told(&self, alert: AlertDescription) -> TlsError {
        match (alert, verdict(alert)) {
            (AlertDescription::ProtocolVersion, _) => TlsError::OldVersion,
            (AlertDescription::NoApplicationProtocol, _) => TlsError::OtherProtocol,
            (_, Some(verdict)) => TlsError::RefusedByPeer {
                verdict,
                ours: self.loaded.own.ids(),
            },
            (_, None) => TlsError::Other(format!("the peer ended it with {alert:?}")),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("finding", &self.finding)
            .finish_non_exhaustive()
    }
}

fn verdict(alert: AlertDescription) -> Option<Verdict> {
    match alert {
        AlertDescription::AccessDenied => Some(Verdict::NotAllowed),
        AlertDescription::UnknownCA => Some(Verdict::OtherAuthority),
        AlertDescription::CertificateExpired => Some(Verdict::Expired),
        AlertDescription::CertificateRevoked => Some(Verdict::Revoked),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRequired
        | AlertDescription::DecryptError => Some(Verdict::Other(format!("{alert:?}"))),
        _ => None,
    }
}
