//! Files that are written: piece by piece, and there whole or not at all.
//!
//! On a disk a file is written beside its place and moved there when it is on the disk for good; in a bucket its parts are put together
//! by the storage. What was begun and never ended can't be mistaken for a file: on a disk it lies in a folder of its own, which goes with
//! the folder that it was meant for.

use crate::{Storage, StorageError, StorageKind};
use bytes::Bytes;
use futures::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// How many parts of one file may be on their way to a bucket.
const PARTS_AT_ONCE: usize = 2;

/// A file that is being written.
#[derive(Debug)]
pub struct Upload {
    storage: Storage,
    path: String,
    bytes: u64,
    to: To,
}

#[derive(Debug)]
enum To {
    Disk {
        file: tokio::fs::File,
        beside: PathBuf,
        place: PathBuf,
    },
    /// Given up with the first failure.
    Bucket(Option<WriteMultipart>),
}

impl Storage {
    /// Begins a file. `beside` is a folder for what is not whole yet.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn upload(&self, path: &str, beside: &str) -> Result<Upload, StorageError> {
        let to = match &self.disk {
            Some(disk) => {
                let failed = |error| self.disk_failed(path, &error);
                let folder = disk.join(beside);
                tokio::fs::create_dir_all(&folder).await.map_err(failed)?;
                let beside = folder.join(uuid::Uuid::now_v7().to_string());
                let file = tokio::fs::File::create(&beside).await.map_err(failed)?;
                let place = disk.join(path);
                To::Disk {
                    file,
                    beside,
                    place,
                }
            }
            None => {
                let begun = self.store.put_multipart(&self.path(path)).await;
                let begun = begun.map_err(|error| self.failed(path, error))?;
                To::Bucket(Some(WriteMultipart::new(begun)))
            }
        };
        Ok(Upload {
            storage: self.clone(),
            path: path.to_owned(),
            bytes: 0,
            to,
        })
    }

    /// Writes a small file.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), StorageError> {
        let put = self.store.put(&self.path(path), bytes.into()).await;
        put.map(drop).map_err(|error| self.failed(path, error))
    }

    /// Removes every file below a folder, and the folder. One that is not there is removed already.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn remove(&self, folder: &str) -> Result<(), StorageError> {
        if let Some(disk) = &self.disk {
            return match tokio::fs::remove_dir_all(disk.join(folder)).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(self.disk_failed(folder, &error))
                }
                _ => Ok(()),
            };
        }
        let found = self.files(folder).await?;
        let paths = found.into_iter().map(|file| Ok(self.path(&file.path)));
        let mut removed = self
            .store
            .delete_stream(futures::stream::iter(paths.collect::<Vec<_>>()).boxed());
        while let Some(outcome) = removed.next().await {
            match outcome {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(folder, error)),
            }
        }
        Ok(())
    }

    /// What Milvus calls a folder of its own storage, with a slash at its end: an absolute path of its disk, or a key of its bucket.
    #[must_use]
    pub fn name_for_milvus(&self, folder: &str) -> String {
        match &self.server_disk {
            Some(disk) => format!("{}/", disk.join(folder).display()),
            None => format!("{}/", self.path(folder)),
        }
    }

    /// The parts of a file that is not lost; it is, until they are given back.
    fn parts_of(
        &self,
        path: &str,
        parts: &mut Option<WriteMultipart>,
    ) -> Result<WriteMultipart, StorageError> {
        let lost = || StorageError::new(&self.name, path, StorageKind::Broken, "it was given up");
        parts.take().ok_or_else(lost)
    }

    fn disk_failed(&self, path: &str, error: &std::io::Error) -> StorageError {
        let kind = StorageKind::of_disk(error);
        StorageError::new(&self.name, path, kind, error.to_string())
    }
}

impl Upload {
    /// How many bytes were written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a piece that could not be written may be written again: a bucket loses the whole file with it.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        !matches!(self.to, To::Bucket(None))
    }

    /// Writes more of the file.
    ///
    /// # Errors
    /// [`StorageError`]; nothing of the piece is written then, or, where [`Upload::may_go_on`] denies it, the file is lost.
    pub async fn write(&mut self, piece: &Bytes) -> Result<(), StorageError> {
        match &mut self.to {
            To::Disk { file, .. } => {
                let written = at_end(file, self.bytes, piece).await;
                written.map_err(|error| self.storage.disk_failed(&self.path, &error))?;
            }
            To::Bucket(parts) => {
                let mut open = self.storage.parts_of(&self.path, parts)?;
                let room = open.wait_for_capacity(PARTS_AT_ONCE).await;
                room.map_err(|error| self.storage.failed(&self.path, error))?;
                open.put(piece.clone());
                *parts = Some(open);
            }
        }
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Ends the file: it is there for good when this succeeds.
    ///
    /// # Errors
    /// [`StorageError`]; the file is not there then, and may be ended again unless [`Upload::may_go_on`] denies it.
    pub async fn finish(&mut self) -> Result<(), StorageError> {
        let (storage, path) = (&self.storage, &self.path);
        match &mut self.to {
            To::Disk {
                file,
                beside,
                place,
            } => {
                let moved = moved(file, beside, place).await;
                moved.map_err(|error| storage.disk_failed(path, &error))
            }
            To::Bucket(parts) => {
                let put = storage.parts_of(path, parts)?.finish().await;
                put.map(drop).map_err(|error| storage.failed(path, error))
            }
        }
    }
}

/// Writes behind so many bytes, whatever an earlier attempt has left there.
async fn at_end(file: &mut tokio::fs::File, bytes: u64, piece: &[u8]) -> std::io::Result<()> {
    if file.metadata().await?.len() != bytes {
        file.set_len(bytes).await?;
    }
    let _ = file.seek(SeekFrom::Start(bytes)).await?;
    file.write_all(piece).await?;
    file.flush().await
}

/// Has a file on the disk for good, then moves it to its place.
async fn moved(file: &tokio::fs::File, beside: &Path, place: &Path) -> std::io::Result<()> {
    file.sync_all().await?;
    let folder = place.parent().unwrap_or(place);
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::rename(beside, place).await?;
    tokio::fs::File::open(folder).await?.sync_all().await
}
