//! The files that a Milvus keeps: on a disk, or in a bucket.
//!
//! Invariants:
//! - a path is relative to Milvus's root path and has `/` between its parts, wherever the files are;
//! - what is read has a bound, and is given whole or not at all;
//! - every failure names the storage, the path and the remedy. Secrets appear in none.
//!
//! S3 and what speaks as it does, Google's and Azure's storages are spoken to by the crate `object_store`, which also knows the
//! environments and identities of machines from which rights come.

mod error;
mod open;
#[cfg(test)]
mod tests;
mod upload;

pub use error::{StorageError, StorageKind};
pub use upload::Upload;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::ops::Range;
use std::sync::Arc;

/// The files of one Milvus.
#[derive(Debug, Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    root: Path,
    /// The root, where it is a folder of this machine.
    disk: Option<Arc<std::path::Path>>,
    /// As Milvus sees it.
    server_disk: Option<Arc<std::path::Path>>,
    /// What it is called in messages.
    name: Arc<str>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Its path below the root.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

impl Storage {
    /// The files below a folder, at any depth, by their paths; none where there is no such folder.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn files(&self, folder: &str) -> Result<Vec<StoredFile>, StorageError> {
        let prefix = self.path(folder);
        let listed = self.store.list(Some(&prefix)).try_collect::<Vec<_>>();
        let listed = listed.await.map_err(|error| self.failed(folder, error))?;
        let mut files: Vec<StoredFile> = listed
            .into_iter()
            .filter_map(|found| {
                let below = found.location.prefix_match(&self.root)?;
                let parts: Vec<String> = below.map(|part| part.as_ref().to_owned()).collect();
                Some(StoredFile {
                    path: parts.join("/"),
                    bytes: found.size,
                })
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// Reads a file of at most so many bytes.
    ///
    /// # Errors
    /// [`StorageError`]; one of [`StorageKind::Missing`] when there is no such file.
    pub async fn read(&self, path: &str, most_bytes: u64) -> Result<Bytes, StorageError> {
        let failed = |error| self.failed(path, error);
        let found = self.store.get(&self.path(path)).await.map_err(failed)?;
        let bytes = found.meta.size;
        if bytes > most_bytes {
            return Err(StorageError::too_large(&self.name, path, bytes, most_bytes));
        }
        let whole = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut chunks = found.into_stream();
        let Some(first) = chunks.try_next().await.map_err(failed)? else {
            return self.whole(path, Bytes::new(), whole);
        };
        if first.len() == whole {
            return Ok(first);
        }
        let mut read = BytesMut::with_capacity(whole);
        read.extend_from_slice(&first);
        while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
            if read.len() + chunk.len() > whole {
                return Err(StorageError::cut(
                    &self.name,
                    path,
                    whole,
                    read.len() + chunk.len(),
                ));
            }
            read.extend_from_slice(&chunk);
        }
        self.whole(path, read.freeze(), whole)
    }

    /// Reads some of a file's bytes, all of which are there.
    ///
    /// # Errors
    /// [`StorageError`]; one of [`StorageKind::Missing`] when there is no such file.
    pub async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let read = self.store.get_range(&self.path(path), range).await;
        self.whole(
            path,
            read.map_err(|error| self.failed(path, error))?,
            wanted,
        )
    }

    fn whole(&self, path: &str, read: Bytes, bytes: usize) -> Result<Bytes, StorageError> {
        if read.len() == bytes {
            Ok(read)
        } else {
            Err(StorageError::cut(&self.name, path, bytes, read.len()))
        }
    }

    /// What it is called in messages: where it is, and nothing secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn path(&self, below: &str) -> Path {
        let mut path = self.root.clone();
        for part in below.split('/').filter(|part| !part.is_empty()) {
            path = path.join(part);
        }
        path
    }

    fn failed(&self, path: &str, error: object_store::Error) -> StorageError {
        StorageError::of(&self.name, path, error)
    }
}
