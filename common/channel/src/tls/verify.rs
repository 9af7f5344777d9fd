//! The judgement of a peer's certificate during a handshake.
//!
//! rustls lets a verifier say little: an error of its own kind, which becomes one word to the peer. So a judge serves one
//! handshake, and keeps what it found for the side that asked.

use super::credentials::Loaded;
use super::error::TlsError;
use super::identity::{PeerIdentity, Shown};
use super::{certificate, provider};
use runtime::config::Peer;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

/// What a judge found: who the peer is, or why it is not let in.
pub(super) type Finding = Arc<OnceLock<Result<PeerIdentity, TlsError>>>;

/// Judges the peer of one handshake.
pub(super) struct Judge {
    loaded: Arc<Loaded>,
    peers: Arc<[Peer]>,
    finding: Finding,
}

impl Judge {
    pub(super) fn new(loaded: Arc<Loaded>, peers: Arc<[Peer]>) -> (Self, Finding) {
        let finding = Finding::default();
        (
            Self {
                loaded,
                peers,
                finding: finding.clone(),
            },
            finding,
        )
    }

    /// Judges by the list, once the chain of signatures was judged.
    fn judge(
        &self,
        der: &CertificateDer<'_>,
        chain: Result<(), Error>,
        now: UnixTime,
        shown: Shown,
    ) -> Result<(), Error> {
        let identity = certificate::identity(der)
            .map_err(|cause| self.refuse(TlsError::Unfit(cause), CertificateError::BadEncoding))?;
        if let Err(error) = chain {
            self.finding
                .set(Err(chain_error(&error, der, &identity, now)))
                .ok();
            return Err(told(error));
        }
        match self.peers.iter().find(|rule| identity.is(&rule.id)) {
            Some(rule) => {
                self.finding
                    .set(Ok(PeerIdentity {
                        name: rule.name.clone(),
                        shown,
                        ..identity
                    }))
                    .ok();
                Ok(())
            }
            None => Err(self.refuse(
                TlsError::NotAllowed {
                    ids: identity.ids(),
                },
                CertificateError::ApplicationVerificationFailure,
            )),
        }
    }

    fn refuse(&self, found: TlsError, told: CertificateError) -> Error {
        self.finding.set(Err(found)).ok();
        Error::InvalidCertificate(told)
    }
}

fn shown(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    listens: bool,
) -> Shown {
    let chain = std::iter::once(end_entity).chain(intermediates);
    Shown {
        chain: chain.map(|one| one.clone().into_owned()).collect(),
        listens,
    }
}

/// What the peer is told. Two CAs may have one name, and then it is the signature that tells them apart; TLS would call that a mistake
/// of decryption.
fn told(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            CertificateError::UnknownIssuer.into()
        }
        other => other,
    }
}

fn chain_error(error: &Error, der: &[u8], identity: &PeerIdentity, now: UnixTime) -> TlsError {
    let Error::InvalidCertificate(error) = error else {
        return TlsError::Unfit(error.to_string());
    };
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            TlsError::OtherAuthority {
                ids: identity.ids(),
            }
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
            let when = certificate::out_of_time(der, now)
                .unwrap_or_else(|| "was signed by a CA that is out of its time".into());
            TlsError::Expired {
                when,
                ids: identity.ids(),
            }
        }
        CertificateError::Revoked => TlsError::Revoked {
            ids: identity.ids(),
        },
        other => TlsError::Unfit(other.to_string()),
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let servers = &self.loaded.servers;
        let chain = servers.verify_server_cert(end_entity, intermediates, server_name, &[], now);
        // The name is looked at last, and is none of ours: the list says who is meant.
        let chain = match chain {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(()),
            judged => judged.map(|_| ()),
        };
        let shown = shown(end_entity, intermediates, true);
        self.judge(end_entity, chain, now, shown)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.loaded.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = self
            .loaded
            .clients
            .verify_client_cert(end_entity, intermediates, now)
            .map(|_| ());
        let shown = shown(end_entity, intermediates, false);
        self.judge(end_entity, chain, now, shown)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.loaded
            .clients
            .verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.loaded
            .clients
            .verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.loaded.clients.supported_verify_schemes()
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}
