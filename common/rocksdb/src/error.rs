//! Why RocksDB's library can't be loaded, and why a folder can't be read.

use std::io;
use std::path::PathBuf;

/// A library that can't be loaded. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No library of one of the usual names can be loaded.
    #[error("no RocksDB library can be loaded; looked for {}{}", names.join(", "), told(causes))]
    None {
        /// The names.
        names: &'static [&'static str],
        /// The loader's words on those that are there, but can't be loaded.
        causes: Vec<String>,
    },
    /// The library that was named can't be loaded.
    #[error("the RocksDB library {} can't be loaded: {cause}", path.display())]
    Refused {
        /// The library.
        path: PathBuf,
        /// The loader's words.
        cause: String,
    },
    /// It was loaded, but lacks a function: it is not RocksDB, or too old.
    #[error("the library {library} has no function {function}")]
    Lacking {
        /// The library.
        library: String,
        /// The function.
        function: &'static str,
    },
}

fn told(causes: &[String]) -> String {
    causes.iter().map(|cause| format!("; {cause}")).collect()
}

/// A folder that can't be read as a RocksDB.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system does not show the folder: it is missing, is no folder, or may not be read.
    #[error("the folder {} can't be read: {cause}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// The folder holds no RocksDB.
    #[error("the folder {} holds no RocksDB: it has no file CURRENT", folder.display())]
    NotRocksDb {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder for RocksDB's own notes can't be written.
    #[error("the folder {} can't be written: {cause}", folder.display())]
    Scratch {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// The folder holds another database than when it was opened.
    #[error("the folder {} holds another RocksDB than when it was opened", folder.display())]
    Replaced {
        /// The folder.
        folder: PathBuf,
    },
    /// RocksDB failed.
    #[error("RocksDB can't read {}: {cause}", folder.display())]
    RocksDb {
        /// The folder.
        folder: PathBuf,
        /// RocksDB's words.
        cause: String,
    },
}

impl Error {
    /// Whether what was opened is no longer what lies in the folder, so that opening it again may mend it: the process that writes
    /// takes files away once it has merged them, and may do so between our learning of a file and our opening it.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Replaced { .. } => true,
            Self::RocksDb { cause, .. } => cause.contains("No such file"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vanished_file_calls_for_opening_again_and_damage_does_not() {
        let error = |cause: &str| Error::RocksDb {
            folder: PathBuf::from("/log"),
            cause: cause.to_owned(),
        };
        let vanished = "IO error: No such file or directory: While open a file for random read: /log/000012.sst";
        assert!(error(vanished).is_stale());
        assert!(!error("Corruption: block checksum mismatch").is_stale());
    }

    #[test]
    fn only_libraries_that_are_there_are_explained() {
        let error = |causes| LoadError::None {
            names: &["a.so", "b.so"],
            causes,
        };
        let nothing = "no RocksDB library can be loaded; looked for a.so, b.so";
        assert_eq!(error(vec![]).to_string(), nothing);
        let broken = error(vec!["libz.so: not found".to_owned()]).to_string();
        assert_eq!(broken, format!("{nothing}; libz.so: not found"));
    }
}
