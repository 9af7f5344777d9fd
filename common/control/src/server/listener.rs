//! The place where the admin API is served.
//!
//! A unix socket appears under its path only when its rights are set: it is made in a directory that nobody else can enter, and
//! moved. So there is no moment at which another user could open it.

use model::{Class, Fault, codes};
use runtime::config::AdminSection;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Router;

/// A bound socket, ready to serve the admin API; its file goes with it.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Binds the admin API's address. A socket that an agent left behind when it was killed is replaced.
    ///
    /// # Errors
    /// `config_invalid` for TCP without certificates; `admin_unavailable` when another agent listens there, when something else
    /// than a socket is in the way, or when the directory can't be made or written.
    pub async fn bind(section: &AdminSection) -> Result<Self, Fault> {
        match section {
            AdminSection::Unix(path) => bind_unix(path).await.map_err(|error| error.fault(path)),
            AdminSection::Tcp { listen, .. } => {
                let message =
                    format!("the admin API can't be served at {listen} without certificates");
                let hint = "set admin.tls, or serve at a unix socket: admin.listen: unix:/path";
                Err(Fault::new(
                    codes::CONFIG_INVALID,
                    Class::Permanent,
                    message,
                    hint,
                ))
            }
        }
    }

    pub(super) async fn serve(
        self,
        routes: Router,
        shutdown: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        let removal = RemoveOnDrop(self.path);
        let connections = UnixListenerStream::new(self.socket);
        let served = routes
            .serve_with_incoming_shutdown(connections, shutdown.cancelled_owned())
            .await;
        drop(removal);
        served
    }
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
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
    fn fault(&self, path: &Path) -> Fault {
        let message = format!(
            "the admin API can't be served at unix:{}: {self}",
            path.display()
        );
        let hint = match self {
            Self::InUse => {
                "stop the other agent, or give this one its own admin.listen and agent.state_dir"
            }
            Self::NotASocket => "remove the file, or choose another path as admin.listen",
            Self::Io(_) => {
                "make the directory writable for the agent, or choose another path as admin.listen"
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
    Ok(Listener {
        socket,
        path: path.to_owned(),
    })
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
