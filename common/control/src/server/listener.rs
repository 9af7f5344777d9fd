//! The place where the admin API is served.
//!
//! A unix socket appears under its path only when its rights are set: it is made in a directory that nobody else can enter, and
//! moved. So there is no moment at which another user could open it.

use super::door;
use channel::tls::Trust;
use model::{Class, Fault, codes};
use runtime::Config;
use runtime::config::AdminSection;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Router;

/// A bound socket, ready to serve the admin API.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
enum Socket {
    /// With the file that goes when it is served no more.
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener, Trust),
}

impl Listener {
    /// Binds the admin API's address. A unix socket that an agent left behind when it was killed is replaced.
    ///
    /// # Errors
    /// `admin_unavailable` when another agent listens there, when something else than a socket is in the way, or when the
    /// directory can't be made or written; `certificate_invalid` or `certificate_expired` for a TCP port's certificate.
    pub async fn bind(section: &AdminSection) -> Result<Self, Fault> {
        match section {
            AdminSection::Unix(path) => bind_unix(path)
                .await
                .map_err(|error| error.fault(&format!("unix:{}", path.display()))),
            AdminSection::Tcp { listen, tls, peers } => {
                let trust = channel::trust(tls, peers)?;
                let socket = TcpListener::bind(listen).await;
                let socket =
                    socket.map_err(|error| BindError::Io(error).fault(&listen.to_string()))?;
                Ok(Self(Socket::Tcp(socket, trust)))
            }
        }
    }

    /// The port that it listens on; `None` for a unix socket.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Socket::Unix(..) => None,
            Socket::Tcp(socket, _) => socket.local_addr().ok(),
        }
    }

    /// Who may operate the agent, as it may be renewed while it runs.
    #[must_use]
    pub fn operators(&self) -> Operators {
        match &self.0 {
            Socket::Unix(..) => Operators(None),
            Socket::Tcp(_, trust) => Operators(Some(trust.clone())),
        }
    }

    pub(super) async fn serve(
        self,
        routes: Router,
        shutdown: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        let stop = shutdown.cancelled_owned();
        match self.0 {
            Socket::Unix(socket, _file) => {
                routes
                    .serve_with_incoming_shutdown(UnixListenerStream::new(socket), stop)
                    .await
            }
            Socket::Tcp(socket, trust) => {
                routes
                    .serve_with_incoming_shutdown(door::admitted(socket, trust), stop)
                    .await
            }
        }
    }
}

/// Who may operate an agent over TCP. On a unix socket, its file's rights say who.
#[derive(Debug)]
pub struct Operators(Option<Trust>);

impl Operators {
    /// Lets in those whom the configuration names now, from the next connection on.
    pub fn take(&self, config: &Config) {
        if let (Some(trust), AdminSection::Tcp { peers, .. }) = (&self.0, &config.admin) {
            trust.replace_peers(peers.clone());
        }
    }
}

/// Removes the file when it is dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "admin socket was not removed");
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum BindError {
    #[error("another agent serves there")]
    InUse,
    #[error("there is a file that is no socket")]
    NotASocket,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BindError {
    fn fault(&self, place: &str) -> Fault {
        let message = format!("the admin API can't be served at {place}: {self}");
        let hint = match self {
            Self::InUse => {
                "stop the other agent, or give this one its own admin.listen and agent.state_dir"
            }
            Self::NotASocket => "remove the file, or choose another path as admin.listen",
            Self::Io(_) => {
                "choose another admin.listen, or, for a unix socket, let the agent write its directory"
            }
        };
        Fault::new(codes::ADMIN_UNAVAILABLE, Class::Operator, message, hint)
    }
}

async fn bind_unix(path: &Path) -> Result<Listener, BindError> {
    let parent = path
        .parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)?;
    remove_stale(path).await?;

    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    let nursery = parent.join(hidden);
    let newborn = nursery.join("s");
    if nursery.exists() {
        fs::remove_dir_all(&nursery)?;
    }
    fs::DirBuilder::new().mode(0o700).create(&nursery)?;
    let socket = UnixListener::bind(&newborn)?;
    fs::set_permissions(&newborn, fs::Permissions::from_mode(0o600))?;
    fs::rename(&newborn, path)?;
    fs::remove_dir(&nursery)?;
    Ok(Listener(Socket::Unix(socket, SocketFile(path.to_owned()))))
}

/// Removes a socket at which nobody listens.
async fn remove_stale(path: &Path) -> Result<(), BindError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket);
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(BindError::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Err(error) => Err(error.into()),
    }
}
