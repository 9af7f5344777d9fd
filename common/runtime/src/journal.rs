//! What an agent must still know after a kill: small records, written in atomic steps, durable before anyone is told so.
//!
//! Invariants:
//! - [`Journal::commit`] resolves only when the whole step is on disk; a step is there in full or not at all.
//! - Steps become durable in the order in which they were queued, so a lost step means that no later one is there either.
//! - A record comes back as it was put, or not at all: its checksum covers its table, its key and its value.
//! - A damaged, truncated or vanished journal is refused when it is opened; it is never taken for an empty one.
//! - One process at a time has a journal open.
//!
//! Non-goals: large values (rows never go through a journal), queries, more than one writer, repair of a damaged file.
//!
//! ```text
//! <state_dir>/lock           held by the process that has the journal open; holds its process id
//! <state_dir>/format         written once, after the journal was created: from then on a journal must be there
//! <state_dir>/journal.redb   the records
//! ```

mod directory;
mod disk;
mod envelope;
mod error;
mod key;
mod memory;
pub mod points;
mod store;
mod table;
mod view;
mod writer;
mod writes;

pub use disk::DiskJournal;
pub use error::JournalError;
pub use key::{RecordKey, Span};
pub use memory::MemoryJournal;
pub use points::CrashPoints;
pub use table::Table;
pub use view::{Scan, View};
pub use writes::Writes;

use futures::future::BoxFuture;

/// Proof that a step is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Committed {
    sequence: u64,
}

impl Committed {
    /// The number of this step among those of this process, from 1; a later step has a higher number.
    #[must_use]
    pub fn sequence(self) -> u64 {
        self.sequence
    }
}

/// Named tables of small records.
pub trait Journal: std::fmt::Debug + Send + Sync + 'static {
    /// Makes a step durable: all of its writes or none.
    ///
    /// Steps that are committed at the same time share one write to the disk.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`] and [`JournalError::Io`]: nothing of the step is visible, and it may be committed again once
    /// the cause is gone. [`JournalError::Encode`]: a record can't be written; ours to mend.
    ///
    /// # Cancel safety
    /// When the future is dropped, the step may or may not become durable; it is never durable in part. The future does
    /// nothing before it is first polled.
    fn commit(&self, writes: Writes) -> BoxFuture<'_, Result<Committed, JournalError>>;

    /// The records as they are now; what is committed later does not show in this view. Blocks for the time of a small read, never for a commit.
    ///
    /// # Errors
    /// [`JournalError::Io`] or [`JournalError::DiskFull`] while the file can't be opened again after such a failure.
    fn view(&self) -> Result<View, JournalError>;

    /// The points at which a test may have this process die.
    fn points(&self) -> &CrashPoints;
}

#[cfg(test)]
mod tests;
