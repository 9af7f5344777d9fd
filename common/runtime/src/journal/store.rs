//! What is asked of redb: open a file, apply writes in one transaction, look at records, check them all.

use super::view::{RawScan, Snapshot};
use super::writes::Write;
use super::{JournalError, Span, envelope};
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError, TableHandle};
use std::path::{Path, PathBuf};

/// A journal is a few MiB; redb's own default cache is 1 GiB.
const CACHE_BYTES: usize = 4 << 20;

type Bytes = &'static [u8];

/// How redb is set up here.
pub(super) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Applies writes in one transaction and makes it durable.
pub(super) fn apply<'a>(
    database: &Database,
    writes: impl Iterator<Item = &'a Write>,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // Two phases, so that after a kill redb never falls back to the step before: a last step that can't be read is damage.
    transaction.set_two_phase_commit(true);
    for write in writes {
        apply_one(&transaction, write)?;
    }
    transaction.commit()?;
    Ok(())
}

fn apply_one(transaction: &redb::WriteTransaction, write: &Write) -> Result<(), redb::Error> {
    let name = match write {
        Write::Put { table, .. }
        | Write::Delete { table, .. }
        | Write::DeleteSpan { table, .. } => *table,
    };
    let mut table = transaction.open_table(TableDefinition::<Bytes, Bytes>::new(name))?;
    match write {
        Write::Put { key, sealed, .. } => drop(table.insert(key.as_slice(), sealed.as_slice())?),
        Write::Delete { key, .. } => drop(table.remove(key.as_slice())?),
        Write::DeleteSpan { span, .. } => {
            if let Some(bounds) = span.bounds() {
                table.retain_in::<&[u8], _>(bounds, |_, _| false)?;
            }
        }
    }
    Ok(())
}

/// Checks every page and every record. The file must have been opened with nothing else reading it.
pub(super) fn verify(database: &mut Database, file: &Path) -> Result<(), JournalError> {
    if !database
        .check_integrity()
        .map_err(|error| JournalError::redb(file, error))?
    {
        // Every tree was read and found whole; only the list of free pages was made anew.
        tracing::warn!(file = %file.display(), "free space of the journal was recounted");
    }
    let snapshot = DiskSnapshot::take(database, file)?;
    let tables = snapshot
        .transaction
        .list_tables()
        .map_err(|error| JournalError::redb(file, error))?;
    for handle in tables {
        for record in snapshot.records(handle.name(), &Span::all())? {
            let (key, sealed) = record?;
            envelope::inspect(handle.name(), &key, &sealed)
                .map_err(|damage| JournalError::record(file, handle.name(), &key, &damage))?;
        }
    }
    Ok(())
}

/// The records of a file at one moment.
pub(super) struct DiskSnapshot {
    transaction: redb::ReadTransaction,
    file: PathBuf,
}

impl DiskSnapshot {
    pub(super) fn take(database: &Database, file: &Path) -> Result<Self, JournalError> {
        let transaction = database
            .begin_read()
            .map_err(|error| JournalError::redb(file, error))?;
        Ok(Self {
            transaction,
            file: file.to_owned(),
        })
    }

    fn failed(&self, error: impl Into<redb::Error>) -> JournalError {
        JournalError::redb(&self.file, error)
    }

    /// The table, or `None` when nothing was ever put into it.
    fn table(&self, name: &str) -> Result<Option<ReadOnlyTable<Bytes, Bytes>>, JournalError> {
        match self.transaction.open_table(TableDefinition::new(name)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn records(&self, name: &str, span: &Span) -> Result<RawScan, JournalError> {
        let (Some(table), Some(bounds)) = (self.table(name)?, span.bounds()) else {
            return Ok(Box::new(std::iter::empty()));
        };
        let file = self.file.clone();
        let range = table
            .range::<&[u8]>(bounds)
            .map_err(|error| self.failed(error))?;
        Ok(Box::new(range.map(move |record| {
            let (key, sealed) = record.map_err(|error| JournalError::redb(&file, error))?;
            Ok((key.value().to_vec(), sealed.value().to_vec()))
        })))
    }
}

impl Snapshot for DiskSnapshot {
    fn find(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        let Some(table) = self.table(table)? else {
            return Ok(None);
        };
        let found = table.get(key).map_err(|error| self.failed(error))?;
        Ok(found.map(|sealed| sealed.value().to_vec()))
    }

    fn scan(&self, table: &'static str, span: &Span) -> Result<RawScan, JournalError> {
        self.records(table, span)
    }
}
