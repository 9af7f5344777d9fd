//! A disk in memory that keeps an account of what was asked of it, and that can run out of room.

use super::super::store;
use redb::StorageBackend;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex};

/// What was asked of a disk, in order.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    SetLen(usize),
    Sync,
    /// Not the disk's: a step was reported as durable.
    Reported,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    asked: Vec<Asked>,
    /// Requests that still succeed.
    room: Option<usize>,
    syncs: usize,
    /// No sync ends until this is false.
    held: bool,
}

/// A disk, shared by those who open it one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>, Arc<Condvar>);

impl Disk {
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.0.lock().unwrap().bytes = bytes;
        disk
    }

    /// A disk with an empty journal, its account not yet begun.
    pub(super) fn with_empty_journal() -> Self {
        let disk = Self::default();
        drop(store::builder().create_with_backend(disk.clone()).unwrap());
        disk.0.lock().unwrap().asked.clear();
        disk
    }

    pub(super) fn opening(&self) -> super::super::writer::Opening {
        let disk = self.clone();
        Box::new(move || store::builder().create_with_backend(disk.clone()))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    pub(super) fn account(&self) -> Vec<Asked> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(super) fn report(&self) {
        self.0.lock().unwrap().asked.push(Asked::Reported);
    }

    pub(super) fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }

    /// From now on only so many requests that change something succeed; `None` for all.
    pub(super) fn limit_room(&self, requests: Option<usize>) {
        self.0.lock().unwrap().room = requests;
    }

    /// Lets no sync end, or lets them all.
    pub(super) fn hold_syncs(&self, held: bool) {
        self.0.lock().unwrap().held = held;
        self.1.notify_all();
    }

    fn change(&self, asked: Asked) -> io::Result<()> {
        let is_sync = matches!(asked, Asked::Sync);
        let mut state = self
            .1
            .wait_while(self.0.lock().unwrap(), |state| is_sync && state.held)
            .unwrap();
        match &mut state.room {
            Some(0) => return Err(ErrorKind::StorageFull.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        asked.apply(&mut state.bytes);
        state.syncs += usize::from(is_sync);
        state.asked.push(asked);
        Ok(())
    }
}

impl Asked {
    /// What a disk holds after the request, as far as it fits.
    pub(super) fn apply(&self, disk: &mut Vec<u8>) {
        match self {
            Self::SetLen(length) => disk.resize(*length, 0),
            Self::Write { offset, bytes } => {
                let end = disk.len().min(offset + bytes.len());
                if *offset < end {
                    disk[*offset..end].copy_from_slice(&bytes[..end - offset]);
                }
            }
            Self::Sync | Self::Reported => {}
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let found = state
            .bytes
            .get(start..start + out.len())
            .ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Asked::SetLen(usize::try_from(length).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(Asked::Sync)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Asked::Write {
            offset: usize::try_from(offset).unwrap(),
            bytes: bytes.to_vec(),
        })
    }
}
