//! Why the journal can't be opened, read or written, and whose turn it is then.

use super::envelope::Damage;
use model::{Class, Fault, codes};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A journal that can't be opened, read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// Another process has the journal open. The operator's to mend.
    #[error("the journal of {} is in use by {holder}", state_dir.display())]
    Locked {
        /// The directory.
        state_dir: PathBuf,
        /// The process, as the lock file names it.
        holder: String,
    },
    /// The journal is damaged, or is gone though it was there. It is left as it is.
    #[error("the journal {} is damaged: {place}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Where in it, and what is wrong there.
        place: String,
    },
    /// There is no room. Nothing of the step was written; once there is room, the journal goes on.
    #[error("no room on the disk of the journal {}", file.display())]
    DiskFull {
        /// The file.
        file: PathBuf,
    },
    /// The operating system refuses to read or write the journal.
    #[error("the journal {} can't be used: {cause}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// The journal was opened again after a failure, so this view of it ended: take a new one.
    #[error("the journal {} was opened again while it was read", file.display())]
    Reopened {
        /// The file.
        file: PathBuf,
    },
    /// A record can't be written as JSON. Ours to mend.
    #[error("a record for table {table} can't be written: {cause}")]
    Encode {
        /// The table.
        table: &'static str,
        /// The cause.
        cause: String,
    },
    /// The thread that writes has ended. Ours to mend.
    #[error("the journal {} has no writer any more", file.display())]
    WriterGone {
        /// The file.
        file: PathBuf,
    },
}

impl JournalError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Reopened { .. } => Class::Transient,
            Self::Locked { .. } | Self::DiskFull { .. } | Self::Io { .. } => Class::Operator,
            Self::Corrupt { .. } => Class::Permanent,
            Self::Encode { .. } | Self::WriterGone { .. } => Class::Bug,
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => codes::JOURNAL_LOCKED,
            Self::Corrupt { .. } => codes::JOURNAL_CORRUPT,
            Self::DiskFull { .. } => codes::DISK_FULL,
            Self::Io { .. } | Self::Reopened { .. } => codes::JOURNAL_IO,
            Self::Encode { .. } | Self::WriterGone { .. } => codes::BUG,
        }
    }

    /// The remedy.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Locked { .. } => "stop the other agent, or give this one another agent.state_dir".to_owned(),
            Self::Corrupt { .. } => "restore the state directory from a copy, or move it aside, empty the target's collections of the \
                                     jobs it held, and create the jobs again; agents of another version may not be able to read it"
                .to_owned(),
            Self::DiskFull { file } => format!("make room on the disk that holds {}; the agent goes on by itself", file.display()),
            Self::Io { file, .. } => format!("see that the agent's user may read and write {} and that the disk is well", file.display()),
            Self::Reopened { .. } => "try again".to_owned(),
            Self::Encode { .. } | Self::WriterGone { .. } => "restart the agent and report this".to_owned(),
        }
    }

    pub(super) fn io(file: &Path, error: &io::Error) -> Self {
        let file = file.to_owned();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { file },
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData => Self::Corrupt {
                file,
                place: error.to_string(),
            },
            _ => Self::Io {
                file,
                cause: error.to_string(),
            },
        }
    }

    pub(super) fn record(file: &Path, table: &str, key: &[u8], damage: &Damage) -> Self {
        let place = format!("table {table}, record {}: {damage}", key.escape_ascii());
        Self::Corrupt {
            file: file.to_owned(),
            place,
        }
    }

    /// What redb reports, told in our words. Every error of redb converts to [`redb::Error`].
    pub(super) fn redb(file: &Path, error: impl Into<redb::Error>) -> Self {
        let path = || file.to_owned();
        match error.into() {
            redb::Error::Io(error) => Self::io(file, &error),
            redb::Error::Corrupted(place) => Self::Corrupt {
                file: path(),
                place,
            },
            error @ (redb::Error::UpgradeRequired(_)
            | redb::Error::RepairAborted
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }) => Self::Corrupt {
                file: path(),
                place: error.to_string(),
            },
            redb::Error::DatabaseClosed | redb::Error::PreviousIo => {
                Self::Reopened { file: path() }
            }
            error => Self::Io {
                file: path(),
                cause: error.to_string(),
            },
        }
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Fault::new(error.code(), error.class(), error.to_string(), error.hint())
    }
}
