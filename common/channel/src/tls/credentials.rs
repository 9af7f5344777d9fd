//! What this agent shows of itself, and whom it believes: read from files, checked, and published.

use super::identity::{Fingerprint, PeerIdentity};
use super::{certificate, provider};
use aws_lc_rs::hmac;
use model::{Class, Fault, codes};
use runtime::config::{Peer, PeerId};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;

/// What a file is called that can't be read.
const REVOCATIONS: &str = "the list of revoked certificates";

/// Where the credentials lie. All are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialPaths {
    /// This agent's certificate, followed by intermediate ones where there are any.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates of the CAs that sign peers' certificates: one's own or the peer's, one or several.
    pub peer_ca: PathBuf,
    /// The lists of what these CAs have revoked, one or several, if there are any. A list that is out of its time counts all the same, and
    /// of a CA without a list nothing is revoked.
    pub crl: Option<PathBuf>,
}

/// Why credentials can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// A file can't be read, or holds no such thing.
    #[error("{what} can't be read from {}: {cause}", path.display())]
    Unreadable {
        /// "the certificate", "the private key", "the peers' CA" or "the list of revoked certificates".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The private key is not the certificate's.
    #[error("the private key in {} does not belong to the certificate in {}", key.display(), cert.display())]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate is out of its time.
    #[error("the certificate in {} {when}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// "expired …" or "is not valid before …".
        when: String,
    },
}

impl CredentialPaths {
    /// The content of the files, in a few bytes: what differs from it has changed. A file that can't be read counts as empty.
    fn stamp(&self) -> Fingerprint {
        let Self {
            cert,
            key,
            peer_ca,
            crl,
        } = self;
        let mut all = Vec::new();
        for path in [cert, key, peer_ca].into_iter().chain(crl) {
            let content = std::fs::read(path).unwrap_or_default();
            all.extend(content.len().to_be_bytes());
            all.extend(content);
        }
        Fingerprint::of(&all)
    }
}

impl CredentialsError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Operator
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "check the path under channel.tls (for the admin API, admin.tls), that the agent's user may read it, and that it is PEM"
            }
            Self::KeyMismatch { .. } => {
                "set channel.tls.cert and channel.tls.key (for the admin API, those of admin.tls) to files that were made together"
            }
            Self::Expired { .. } => "make or get a new certificate, and check this machine's clock",
        }
    }
}

impl From<CredentialsError> for Fault {
    fn from(error: CredentialsError) -> Self {
        let code = match error {
            CredentialsError::Expired { .. } => codes::CERTIFICATE_EXPIRED,
            CredentialsError::Unreadable { .. } | CredentialsError::KeyMismatch { .. } => {
                codes::CERTIFICATE_INVALID
            }
        };
        Self::new(code, error.class(), error.to_string(), error.hint())
    }
}

/// Credentials that were read together and fit each other.
pub(super) struct Loaded {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) servers: Arc<dyn ServerCertVerifier>,
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) own: PeerIdentity,
    /// Follows from the private key and says nothing of it.
    token_secret: [u8; 32],
}

/// This agent's credentials and list of peers, as they are now. Clones share them.
///
/// Every handshake takes what is published at its beginning; what replaces it is taken by the next.
#[derive(Clone)]
pub struct Trust {
    paths: CredentialPaths,
    loaded: watch::Sender<Arc<Loaded>>,
    peers: watch::Sender<Arc<[Peer]>>,
    /// What the files were when they were last read, or tried to be.
    tried: watch::Sender<Fingerprint>,
}

impl Trust {
    /// Reads the credentials, and lets in the peers that these rules name; with no rule, nobody.
    ///
    /// # Errors
    /// When a file can't be read or does not fit: always the operator's to change.
    pub fn load(paths: CredentialPaths, peers: Vec<Peer>) -> Result<Self, CredentialsError> {
        // Before they are read: what changes meanwhile is read once more.
        let tried = watch::Sender::new(paths.stamp());
        let loaded = watch::Sender::new(Arc::new(Loaded::read(&paths)?));
        Ok(Self {
            paths,
            loaded,
            peers: watch::Sender::new(peers.into()),
            tried,
        })
    }

    /// Reads the credentials again, for the handshakes to come.
    ///
    /// # Errors
    /// As [`Trust::load`]; what was published before stays.
    pub fn reload(&self) -> Result<(), CredentialsError> {
        self.tried.send_replace(self.paths.stamp());
        self.loaded
            .send_replace(Arc::new(Loaded::read(&self.paths)?));
        Ok(())
    }

    /// Whether the files are not what they were when they were last read, or tried to be.
    pub(crate) fn has_changed(&self) -> bool {
        self.paths.stamp() != *self.tried.borrow()
    }

    /// Lets in these peers, and no others, from the next handshake on.
    pub fn replace_peers(&self, peers: Vec<Peer>) {
        self.peers.send_replace(peers.into());
    }

    /// What is published from now on.
    pub(crate) fn news(&self) -> News {
        News {
            loaded: self.loaded.subscribe(),
            peers: self.peers.subscribe(),
        }
    }

    /// Every way in which a peer's list can name this agent, and this certificate's end.
    #[must_use]
    pub fn own(&self) -> (Vec<PeerId>, SystemTime) {
        let loaded = self.loaded.borrow();
        (loaded.own.ids(), loaded.own.not_after)
    }

    /// A secret that this agent knows again after a restart, and nobody else at any time; for a purpose that this text names.
    pub(crate) fn lasting_secret(&self, purpose: &str) -> [u8; 32] {
        derived(&self.loaded.borrow().token_secret, purpose)
    }

    pub(super) fn now(&self) -> (Arc<Loaded>, Arc<[Peer]>) {
        (self.loaded.borrow().clone(), self.peers.borrow().clone())
    }
}

/// Tells of credentials and lists of peers that take the place of others.
pub(crate) struct News {
    loaded: watch::Receiver<Arc<Loaded>>,
    peers: watch::Receiver<Arc<[Peer]>>,
}

impl News {
    /// Waits for the next, while its [`Trust`] is held.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.loaded.changed() => {}
            _ = self.peers.changed() => {}
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    fn read(paths: &CredentialPaths) -> Result<Self, CredentialsError> {
        let chain: Vec<CertificateDer<'static>> = all_of("the certificate", &paths.cert)?;
        let unreadable = |what, path: &Path, cause| CredentialsError::Unreadable {
            what,
            path: path.to_owned(),
            cause,
        };
        let own = certificate::identity(&chain[0])
            .map_err(|cause| unreadable("the certificate", &paths.cert, cause))?;
        if let Some(when) = certificate::out_of_time(&chain[0], SystemTime::now()) {
            return Err(CredentialsError::Expired {
                path: paths.cert.clone(),
                when,
            });
        }
        let key = PrivateKeyDer::from_pem_file(&paths.key)
            .map_err(|error| unreadable("the private key", &paths.key, pem_cause(&error)))?;
        let token_secret = derived(key.secret_der(), "passage secrets");
        let certified =
            CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => CredentialsError::KeyMismatch {
                    cert: paths.cert.clone(),
                    key: paths.key.clone(),
                },
                other => unreadable("the private key", &paths.key, other.to_string()),
            })?;
        let bad_ca = |cause: String| unreadable("the peers' CA", &paths.peer_ca, cause);
        let mut roots = RootCertStore::empty();
        for authority in all_of::<CertificateDer<'static>>("the peers' CA", &paths.peer_ca)? {
            roots
                .add(authority)
                .map_err(|error| bad_ca(error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let revoked: Vec<CertificateRevocationListDer<'static>> = match &paths.crl {
            None => Vec::new(),
            Some(path) => all_of(REVOCATIONS, path)?,
        };
        let unfit = |error: VerifierBuilderError| match (&paths.crl, &error) {
            (Some(path), VerifierBuilderError::InvalidCrl(cause)) => {
                unreadable(REVOCATIONS, path, format!("{cause:?}"))
            }
            _ => bad_ca(error.to_string()),
        };
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
            .with_crls(revoked.clone())
            .allow_unknown_revocation_status()
            .build()
            .map_err(unfit)?;
        let servers = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .with_crls(revoked)
            .allow_unknown_revocation_status()
            .build()
            .map_err(unfit)?;
        Ok(Self {
            certified: Arc::new(certified),
            servers,
            clients,
            own,
            token_secret,
        })
    }
}

/// One secret out of another, which does not follow from it.
fn derived(secret: &[u8], purpose: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, purpose.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// What is in a file of such things; at least one.
fn all_of<T: PemObject>(what: &'static str, path: &Path) -> Result<Vec<T>, CredentialsError> {
    let unreadable = |error: pem::Error| CredentialsError::Unreadable {
        what,
        path: path.to_owned(),
        cause: pem_cause(&error),
    };
    let found: Vec<T> = T::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(unreadable)?;
    if found.is_empty() {
        return Err(unreadable(pem::Error::NoItemsFound));
    }
    Ok(found)
}

pub(crate) fn pem_cause(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "there is none in it".into(),
        pem::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}
