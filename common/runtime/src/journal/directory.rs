//! The directory of a journal: who holds it, and whether a journal has to be in it.
//!
//! A journal is made under another name, closed, and renamed; only then the marker `format` is written. So a journal file that
//! bears its name is complete, and a marker without a journal file means that the file was lost.

use super::{JournalError, store};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const FORMAT: &str = "passage journal, format 1\n";

/// A state directory that this process holds.
#[derive(Debug)]
pub(super) struct StateDirectory {
    path: PathBuf,
    /// Held, not read: the lock lasts as long as the file is open.
    _lock: File,
}

impl StateDirectory {
    /// Takes the directory for this process; makes it when it is not there, for its user only.
    pub(super) fn claim(path: &Path) -> Result<Self, JournalError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| JournalError::io(path, &error))?;
        let lock_path = path.join("lock");
        let refused = |error: io::Error| JournalError::io(&lock_path, &error);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Locked {
                    state_dir: path.to_owned(),
                    holder: holder(&mut lock),
                });
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        // Only a help to the one who is refused: on a full disk the lock holds without it.
        let _ = lock
            .set_len(0)
            .and_then(|()| write!(lock, "process {}", std::process::id()));
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The journal's file.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal.redb")
    }

    /// Sees that the journal is there: makes it in a directory that never had one, refuses when it was lost.
    pub(super) fn ensure_journal(&self) -> Result<(), JournalError> {
        let (journal, marker) = (self.journal(), self.path.join("format"));
        let refused = |error: io::Error| JournalError::io(&journal, &error);
        let marked = self.is_marked(&marker)?;
        match (marked, journal.try_exists().map_err(refused)?) {
            (true, true) => Ok(()),
            (true, false) => {
                let place = format!(
                    "the file is gone, though {} says that there was one",
                    marker.display()
                );
                Err(JournalError::Corrupt {
                    file: journal,
                    place,
                })
            }
            (false, there) => {
                if !there {
                    self.create_journal()?;
                }
                self.publish("format", |path| {
                    File::create(path)?.write_all(FORMAT.as_bytes())
                })
                .map_err(|error| JournalError::io(&marker, &error))
            }
        }
    }

    fn is_marked(&self, marker: &Path) -> Result<bool, JournalError> {
        match fs::read_to_string(marker) {
            Ok(text) if text == FORMAT => Ok(true),
            Ok(text) => {
                let place = format!("it must say {FORMAT:?} and says {text:?}");
                Err(JournalError::Corrupt {
                    file: marker.to_owned(),
                    place,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(JournalError::io(marker, &error)),
        }
    }

    fn create_journal(&self) -> Result<(), JournalError> {
        let journal = self.journal();
        tracing::info!(file = %journal.display(), "new journal");
        let mut refusal = None;
        self.publish("journal.redb", |path| match store::builder().create(path) {
            Ok(database) => {
                drop(database);
                Ok(())
            }
            Err(error) => {
                refusal = Some(JournalError::redb(&journal, error));
                Err(io::Error::other("refused by redb"))
            }
        })
        .map_err(|error| {
            refusal
                .take()
                .unwrap_or_else(|| JournalError::io(&journal, &error))
        })
    }

    /// Makes a file under another name, and gives it its own once it is durable.
    fn publish(&self, name: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let (unfinished, finished) = (self.path.join(format!("{name}.new")), self.path.join(name));
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make(&unfinished)?;
        File::open(&unfinished)?.sync_all()?;
        fs::rename(&unfinished, &finished)?;
        File::open(&self.path)?.sync_all()
    }
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => text,
        _ => "another process".to_owned(),
    }
}
