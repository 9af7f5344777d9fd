//! One view of the folder, kept open, and what is asked of it. Every call blocks for as long as the disk takes.

use super::faults;
use super::keys::{self, Unreadable};
use crate::reader::changes::Message;
use model::{Fault, Offset};
use rocksdb::{Error, Library, Secondary};
use runtime::telemetry::metric_names::LOG_MEMTABLES;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The rocksmq in a folder.
#[derive(Debug)]
pub(super) struct Log {
    library: Library,
    folder: PathBuf,
    scratch: PathBuf,
    view: Mutex<Arc<Secondary>>,
}

impl Log {
    /// Opens the folder as it is now.
    pub(super) fn open(
        folder: PathBuf,
        library: Option<&Path>,
        scratch: PathBuf,
    ) -> Result<Self, Fault> {
        let library = Library::load(library).map_err(|error| faults::library(&folder, &error))?;
        let view = Secondary::open(&library, &folder, &scratch)
            .map_err(|error| faults::unreadable(&error))?;
        let log = Self {
            library,
            folder,
            scratch,
            view: Mutex::new(Arc::new(view)),
        };
        // Texts are smaller than this.
        match log.ask(|view| view.first_from(&[], &[u8::MAX]))? {
            Some((key, _)) if keys::parse(&key).is_none() => {
                Err(faults::not_a_rocksmq(&log.folder, &key))
            }
            _ => Ok(log),
        }
    }

    /// Takes in what Milvus wrote since the last time.
    pub(super) fn catch_up(&self) -> Result<(), Fault> {
        self.ask(|view| {
            view.catch_up()?;
            if let Some(bytes) = view.memtable_bytes() {
                metrics::gauge!(LOG_MEMTABLES).set(bytes as f64);
            }
            Ok(())
        })
    }

    /// The place of the topic's newest message.
    pub(super) fn newest(&self, topic: &str) -> Result<Offset, Fault> {
        let (start, end) = (keys::start(topic), keys::end(topic));
        let Some(entry) = self.ask(|view| view.last_before(&start, &end))? else {
            return Err(faults::topic_missing(&self.folder, topic));
        };
        let message = keys::message(entry);
        Ok(message.map_err(|cause| self.fault(topic, &cause))?.offset)
    }

    /// The topic's oldest message.
    pub(super) fn oldest(&self, topic: &str) -> Result<Message, Fault> {
        let (start, end) = (keys::start(topic), keys::end(topic));
        let Some(entry) = self.ask(|view| view.first_from(&start, &end))? else {
            return Err(faults::topic_missing(&self.folder, topic));
        };
        keys::message(entry).map_err(|cause| self.fault(topic, &cause))
    }

    /// The topic's messages behind a place, as far as the view shows them: all, or so many that their payloads have `most_bytes`.
    pub(super) fn messages(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        let (start, end) = (keys::start(topic), keys::end(topic));
        let place = keys::at(topic, behind);
        let (entries, kept) = self.ask(|view| {
            let entries = view.scan(&place, &end, most_bytes)?;
            // The smallest key behind the place's is that one with a 0 behind it.
            let kept = view.last_before(&start, &[&place[..], &[0]].concat())?;
            Ok((entries, kept))
        })?;
        keys::messages(behind, entries, kept.as_ref()).map_err(|cause| self.fault(topic, &cause))
    }

    fn fault(&self, topic: &str, cause: &Unreadable) -> Fault {
        match cause {
            Unreadable::Truncated(behind) => faults::truncated(&self.folder, topic, *behind),
            Unreadable::Foreign(key) => faults::not_a_rocksmq(&self.folder, key),
            Unreadable::Wrapped => faults::wrapped(&self.folder, topic),
        }
    }

    /// Asks the view; where that is stale, once more with a new one.
    fn ask<T>(&self, question: impl Fn(&Secondary) -> Result<T, Error>) -> Result<T, Fault> {
        let view = Arc::clone(&self.held());
        let answer = match question(&view) {
            Err(error) if error.is_stale() => {
                self.opened_after(&view).and_then(|view| question(&view))
            }
            answer => answer,
        };
        answer.map_err(|error| faults::unreadable(&error))
    }

    /// A view that was opened later than this one: by us, unless somebody else was quicker.
    fn opened_after(&self, stale: &Arc<Secondary>) -> Result<Arc<Secondary>, Error> {
        let mut held = self.held();
        if Arc::ptr_eq(&held, stale) {
            let fresh = Secondary::open(&self.library, &self.folder, &self.scratch)?;
            *held = Arc::new(fresh);
        }
        Ok(Arc::clone(&held))
    }

    fn held(&self) -> MutexGuard<'_, Arc<Secondary>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
