//! Why a file can't be had.

use model::{Class, Fault, codes};
use std::error::Error;
use std::fmt::Write;
use std::io;

/// A failure of a storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("storage {storage}, {path:?}: {cause}")]
pub struct StorageError {
    storage: String,
    path: String,
    kind: StorageKind,
    cause: String,
}

/// What has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKind {
    /// There is no such file; or no such bucket or folder.
    Missing,
    /// Who calls lacks the right, or was not believed.
    Denied,
    /// The storage does not answer, or with an error of its own.
    Unreachable,
    /// There is no room for a file.
    Full,
    /// It answered otherwise than it said.
    Broken,
    /// The configuration does not fit.
    Unusable,
}

impl StorageKind {
    /// What has failed where a disk did.
    pub(crate) fn of_disk(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Unreachable,
        }
    }
}

impl StorageError {
    pub(crate) fn new(
        storage: &str,
        path: &str,
        kind: StorageKind,
        cause: impl Into<String>,
    ) -> Self {
        Self {
            storage: storage.to_owned(),
            path: path.to_owned(),
            kind,
            cause: cause.into(),
        }
    }

    pub(crate) fn of(storage: &str, path: &str, error: object_store::Error) -> Self {
        use object_store::Error as Of;
        let kind = match &error {
            Of::NotFound { .. } => StorageKind::Missing,
            Of::PermissionDenied { .. } | Of::Unauthenticated { .. } => StorageKind::Denied,
            Of::InvalidPath { .. } | Of::NotSupported { .. } | Of::NotImplemented { .. } => {
                StorageKind::Unusable
            }
            // Of a disk not every cause has a name of its own there.
            error => disk_error(error).map_or(StorageKind::Unreachable, StorageKind::of_disk),
        };
        Self::new(storage, path, kind, with_sources(&error))
    }

    pub(crate) fn too_large(storage: &str, path: &str, bytes: u64, most: u64) -> Self {
        let cause = format!("it has {bytes} bytes, and {most} are read at most");
        Self::new(storage, path, StorageKind::Unusable, cause)
    }

    pub(crate) fn cut(storage: &str, path: &str, announced: usize, read: usize) -> Self {
        let cause = format!("{announced} bytes were announced, and {read} came");
        Self::new(storage, path, StorageKind::Broken, cause)
    }

    /// A storage that lists another number of files than were written.
    #[must_use]
    pub fn broken(storage: &str, folder: &str, listed: usize) -> Self {
        let cause = format!("one file was written, and {listed} are listed");
        Self::new(storage, folder, StorageKind::Broken, cause)
    }

    /// What has failed.
    #[must_use]
    pub fn kind(&self) -> StorageKind {
        self.kind
    }
}

/// The error of a disk from which this one comes, if it does.
fn disk_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error and what it comes of, in one line.
fn with_sources(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !told.contains(&text) {
            let _ = write!(told, ": {text}");
        }
        source = error.source();
    }
    told.replace('\n', " ")
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        let (code, class, hint) = match error.kind {
            StorageKind::Missing => (
                codes::STORAGE_MISSING,
                Class::Operator,
                "compare the agent's `storage` section with Milvus's own configuration (bucketName, rootPath, localStorage.path)",
            ),
            StorageKind::Denied => (
                codes::STORAGE_DENIED,
                Class::Operator,
                "give the agent's key or identity the right to list and read Milvus's files, on the target also to write and to delete them",
            ),
            StorageKind::Unreachable => (
                codes::STORAGE_UNREACHABLE,
                Class::Transient,
                "check the `storage` section's endpoint, and that the agent's machine reaches it; it is tried again",
            ),
            StorageKind::Full => (
                codes::STORAGE_FULL,
                Class::Operator,
                "make room on the disk; it is tried again",
            ),
            StorageKind::Broken => (
                codes::STORAGE_UNREACHABLE,
                Class::Transient,
                "the file may have been written at that moment; it is tried again",
            ),
            StorageKind::Unusable => (
                codes::STORAGE_UNUSABLE,
                Class::Operator,
                "correct the agent's `storage` section",
            ),
        };
        Self::new(code, class, error.to_string(), hint)
    }
}
