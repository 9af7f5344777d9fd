//! A database that another process writes, as it was when we last caught up.

use crate::raw::{Cursor, Database};
use crate::{Error, Library};
use bytes::Bytes;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A key and its value.
pub type Entry = (Vec<u8>, Bytes);

/// The default column family of a database that another process writes. Every call sees it as [`Secondary::catch_up`] last left it,
/// or, if it comes meanwhile, with some of what is just being taken in; what was once seen is lost only to deletions. May be shared
/// by threads. Closed when it is dropped.
#[derive(Debug)]
pub struct Secondary {
    folder: PathBuf,
    identity: Vec<u8>,
    database: Database,
}

impl Secondary {
    /// Opens the database in `folder`, as it is now. RocksDB keeps a file for its own notes in `scratch`, which is made if need be, and
    /// which no other process may use.
    ///
    /// # Errors
    /// The folder can't be read, or is not a RocksDB's; the scratch folder can't be written; RocksDB fails.
    pub fn open(library: &Library, folder: &Path, scratch: &Path) -> Result<Self, Error> {
        let unreadable = |cause| Error::Folder {
            folder: folder.to_owned(),
            cause,
        };
        fs::read_dir(folder).map_err(unreadable)?;
        fs::read(folder.join("CURRENT")).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => Error::NotRocksDb {
                folder: folder.to_owned(),
            },
            _ => unreadable(cause),
        })?;
        let identity = identity(folder).map_err(unreadable)?;
        make_ready(scratch).map_err(|cause| Error::Scratch {
            folder: scratch.to_owned(),
            cause,
        })?;
        let [at, notes] = [folder, scratch].map(|path| CString::new(path.as_os_str().as_bytes()));
        let at = at.map_err(|cause| unreadable(cause.into()))?;
        let notes = notes.map_err(|cause| Error::Scratch {
            folder: scratch.to_owned(),
            cause: cause.into(),
        })?;
        let failed = |cause| Error::RocksDb {
            folder: folder.to_owned(),
            cause,
        };
        let database = Database::open(library.functions, &at, &notes).map_err(failed)?;
        Ok(Self {
            folder: folder.to_owned(),
            identity,
            database,
        })
    }

    /// Takes in what the other process wrote since the last time.
    ///
    /// # Errors
    /// RocksDB fails, or the folder is gone or holds another database by now, which RocksDB itself does not see.
    pub fn catch_up(&self) -> Result<(), Error> {
        let now = identity(&self.folder).map_err(|cause| Error::Folder {
            folder: self.folder.clone(),
            cause,
        })?;
        if now != self.identity {
            return Err(Error::Replaced {
                folder: self.folder.clone(),
            });
        }
        self.database.catch_up().map_err(|cause| self.failed(cause))
    }

    /// The memory that holds what the other process has not put into sorted files yet: as much as there, its write buffer at most.
    /// `None` where RocksDB does not tell.
    #[must_use]
    pub fn memtable_bytes(&self) -> Option<u64> {
        self.database.memtable_bytes()
    }

    /// The entries whose keys lie between two keys, neither of them included, in order: all there are, or the first of them whose
    /// values have at least `most_bytes` together, and no more of them than that takes.
    ///
    /// # Errors
    /// RocksDB fails.
    pub fn scan(
        &self,
        behind: &[u8],
        before: &[u8],
        most_bytes: usize,
    ) -> Result<Vec<Entry>, Error> {
        // The smallest key that is greater than another is that one with a 0 behind it.
        let low = [behind, &[0]].concat();
        self.ask(&low, before, |cursor| {
            let (mut found, mut bytes) = (Vec::new(), 0);
            cursor.first();
            while bytes < most_bytes
                && let Some(entry) = cursor.entry()?
            {
                bytes += entry.1.len();
                found.push(entry);
                cursor.next();
            }
            Ok(found)
        })
    }

    /// The first entry whose key is `low` or greater, but smaller than `high`.
    ///
    /// # Errors
    /// RocksDB fails.
    pub fn first_from(&self, low: &[u8], high: &[u8]) -> Result<Option<Entry>, Error> {
        self.ask(low, high, |cursor| {
            cursor.first();
            cursor.entry()
        })
    }

    /// The last entry whose key is smaller than `high`, but `low` or greater.
    ///
    /// # Errors
    /// RocksDB fails.
    pub fn last_before(&self, low: &[u8], high: &[u8]) -> Result<Option<Entry>, Error> {
        self.ask(low, high, |cursor| {
            cursor.last();
            cursor.entry()
        })
    }

    fn ask<T>(
        &self,
        low: &[u8],
        high: &[u8],
        question: impl FnOnce(&mut Cursor<'_>) -> Result<T, String>,
    ) -> Result<T, Error> {
        Cursor::new(&self.database, low, high)
            .and_then(|mut cursor| question(&mut cursor))
            .map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: String) -> Error {
        Error::RocksDb {
            folder: self.folder.clone(),
            cause,
        }
    }
}

/// The name that RocksDB gave the database when it was made.
fn identity(folder: &Path) -> io::Result<Vec<u8>> {
    fs::read(folder.join("IDENTITY"))
}

/// RocksDB sets its notes of the last time aside whenever it opens a database; nobody reads them.
fn make_ready(scratch: &Path) -> io::Result<()> {
    fs::create_dir_all(scratch)?;
    for entry in fs::read_dir(scratch)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(b"LOG.old.") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
