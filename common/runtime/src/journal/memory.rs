//! A journal that forgets: for tests of what stands on a journal.

use super::view::{RawScan, Snapshot, View};
use super::writes::Write;
use super::{Committed, CrashPoints, Journal, JournalError, Span, Writes};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

type Records = BTreeMap<&'static str, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A journal in memory. Records are sealed and opened as on disk; nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    state: Mutex<State>,
    points: CrashPoints,
}

#[derive(Debug, Default)]
struct State {
    records: Arc<Records>,
    sequence: u64,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn apply(&self, writes: Writes) -> Result<Committed, JournalError> {
        let writes = writes.into_writes()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let records = Arc::make_mut(&mut state.records);
        for write in writes {
            match write {
                Write::Put { table, key, sealed } => {
                    drop(records.entry(table).or_default().insert(key, sealed))
                }
                Write::Delete { table, key } => {
                    drop(records.entry(table).or_default().remove(&key))
                }
                Write::DeleteSpan { table, span } => records
                    .entry(table)
                    .or_default()
                    .retain(|key, _| !span.holds(key)),
            }
        }
        state.sequence += 1;
        Ok(Committed {
            sequence: state.sequence,
        })
    }
}

impl Journal for MemoryJournal {
    fn commit(&self, writes: Writes) -> BoxFuture<'_, Result<Committed, JournalError>> {
        Box::pin(async move { self.apply(writes) })
    }

    fn view(&self) -> Result<View, JournalError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(View::new(
            MemorySnapshot(state.records.clone()),
            Path::new("(memory)"),
        ))
    }

    fn points(&self) -> &CrashPoints {
        &self.points
    }
}

struct MemorySnapshot(Arc<Records>);

impl Snapshot for MemorySnapshot {
    fn find(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self
            .0
            .get(table)
            .and_then(|records| records.get(key))
            .cloned())
    }

    fn scan(&self, table: &'static str, span: &Span) -> Result<RawScan, JournalError> {
        let (Some(records), Some(bounds)) = (self.0.get(table), span.bounds()) else {
            return Ok(Box::new(std::iter::empty()));
        };
        let found: Vec<_> = records
            .range::<[u8], _>(bounds)
            .map(|(key, sealed)| Ok((key.clone(), sealed.clone())))
            .collect();
        Ok(Box::new(found.into_iter()))
    }
}
