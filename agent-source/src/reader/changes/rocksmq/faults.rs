//! What an operator is told when the log can't be read.

use model::{Class, Fault, Offset, codes};
use rocksdb::{Error, LoadError};
use std::io::ErrorKind;
use std::path::Path;

/// RocksDB's library can't be had.
pub(super) fn library(folder: &Path, error: &LoadError) -> Fault {
    let message = format!(
        "Milvus's log in {} can't be opened: {error}",
        folder.display()
    );
    let hint = "name a librocksdb.so in the agent's configuration, such as the one in Milvus's own lib folder, or install one, such \
                as Debian's librocksdb7.8";
    Fault::new(codes::LOG_UNREACHABLE, Class::Operator, message, hint)
}

/// The folder can't be read.
pub(super) fn unreadable(error: &Error) -> Fault {
    let hint = match error {
        Error::Folder { cause, .. } if cause.kind() == ErrorKind::PermissionDenied => {
            "let the agent's user read Milvus's rocksmq.path and all files in it"
        }
        Error::Folder { .. } | Error::NotRocksDb { .. } => {
            "configure the folder that Milvus's rocksmq.path names, as this machine sees it; Milvus must run with rocksmq"
        }
        Error::Scratch { .. } => "let the agent's user write its state directory",
        Error::Replaced { .. } | Error::RocksDb { .. } => {
            "see that the agent's user may read all files in the folder, that the disk is well, and that the RocksDB library is not \
             older than Milvus's; the agent tries again"
        }
    };
    let message = format!("Milvus's log can't be read: {error}");
    Fault::new(codes::LOG_UNREACHABLE, Class::Operator, message, hint)
}

/// A key that Milvus writes into no rocksmq.
pub(super) fn not_a_rocksmq(folder: &Path, key: &[u8]) -> Fault {
    let message = format!(
        "the RocksDB in {} is not Milvus's log: it has the key {}",
        folder.display(),
        key.escape_ascii()
    );
    let hint = "configure the folder that Milvus's rocksmq.path names, not the one beside it that ends with _meta_kv";
    Fault::new(codes::LOG_UNREACHABLE, Class::Operator, message, hint)
}

/// Messages are written as Milvus 2.6 and later do.
pub(super) fn wrapped(folder: &Path, topic: &str) -> Fault {
    let message = format!(
        "the messages of topic {topic} in {} have the layout of Milvus 2.6 or later, which is not supported",
        folder.display()
    );
    let hint = "copy without following changes, or look for a newer release of Passage";
    Fault::new(codes::LOG_UNREACHABLE, Class::Permanent, message, hint)
}

/// The topic has no message.
pub(super) fn topic_missing(folder: &Path, topic: &str) -> Fault {
    let message = format!(
        "Milvus's log in {} has no message of topic {topic}",
        folder.display()
    );
    let hint = "see that the configured log is that of the source Milvus, and that this Milvus runs: it writes into the topic of every \
                collection several times a second";
    Fault::new(codes::LOG_TOPIC_MISSING, Class::Operator, message, hint)
}

/// Messages behind the place may be gone.
pub(super) fn truncated(folder: &Path, topic: &str, behind: Offset) -> Fault {
    let message = format!(
        "Milvus's log in {} no longer reaches back to message {behind} of topic {topic}: changes that were not read may have been \
         deleted",
        folder.display()
    );
    let hint = "every row is compared again, and those that missed a change are repaired; set Milvus's \
                rocksmq.retentionTimeInMinutes and rocksmq.retentionSizeInMB longer than the agent is ever behind";
    Fault::new(codes::LOG_TRUNCATED, Class::Transient, message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn a_folder_that_is_missing_and_one_that_may_not_be_read_have_remedies_of_their_own() {
        let fault = |kind: ErrorKind| {
            unreadable(&Error::Folder {
                folder: PathBuf::from("/milvus/rdb_data"),
                cause: kind.into(),
            })
        };
        let (missing, denied) = (
            fault(ErrorKind::NotFound),
            fault(ErrorKind::PermissionDenied),
        );
        assert!(missing.message.contains("/milvus/rdb_data"), "{missing}");
        assert!(missing.hint.contains("rocksmq.path names"), "{missing}");
        assert!(
            denied.hint.contains("let the agent's user read"),
            "{denied}"
        );
    }
}
