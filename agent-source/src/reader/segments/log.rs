//! The values of some rows of a segment, field by field, and batches made of them.

use super::values::Wanted;
use super::{LogFiles, ROW_ID, Segments, TIME, segment_malformed};
use binlog::{FieldValues, Values};
use bytes::Bytes;
use milvus::ColumnError;
use milvus::columns::{self, Plain};
use model::{Batch, Class, Column, Fault, Field, Key, Tick, codes};
use std::collections::BTreeSet;
use tokio::sync::SemaphorePermit;

/// The keys and times of some rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyLog {
    keys: Values,
    ticks: Vec<i64>,
}

impl KeyLog {
    /// How many rows.
    pub(crate) fn rows(&self) -> usize {
        self.ticks.len()
    }

    /// A row's key.
    pub(crate) fn key(&self, row: usize) -> Option<Key> {
        match &self.keys {
            Values::Ints(keys) => keys.get(row).copied().map(Key::Int64),
            Values::Blobs(keys) => {
                let text = std::str::from_utf8(keys.get(row)?).ok()?;
                Some(Key::VarChar(text.to_owned()))
            }
            _ => None,
        }
    }

    /// When a row was written.
    pub(crate) fn tick(&self, row: usize) -> Tick {
        let tick = self.ticks.get(row).copied().unwrap_or_default();
        Tick::new(tick.cast_unsigned())
    }
}

/// Some rows of a segment, in memory. They have a place there until they are dropped.
#[derive(Debug)]
pub(crate) struct LogRows<'a> {
    keys: KeyLog,
    columns: Vec<(Field, FieldValues)>,
    _place: SemaphorePermit<'a>,
}

impl LogRows<'_> {
    /// Their keys and times.
    pub(crate) fn keys(&self) -> &KeyLog {
        &self.keys
    }

    /// A batch of these of them, by their places.
    ///
    /// # Errors
    /// [`ColumnError`] when values are not of their field's type.
    pub(crate) fn batch(&self, rows: &[usize]) -> Result<Batch, ColumnError> {
        let columns = self
            .columns
            .iter()
            .map(|(field, log)| column(field, log, rows));
        Ok(Batch {
            rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
            columns: columns.collect::<Result<_, _>>()?,
        })
    }

    /// About the bytes of a row.
    pub(crate) fn row_bytes(&self) -> usize {
        let bytes: usize = self
            .columns
            .iter()
            .map(|(_, log)| size_bytes(&log.values))
            .sum();
        (bytes / self.keys.rows().max(1)).max(1)
    }
}

impl Segments<'_> {
    /// The keys and times of the rows in these files.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(crate) async fn keys(&self, files: &LogFiles) -> Result<KeyLog, Fault> {
        let wanted = [Wanted::of(self.primary), Wanted::of_server(TIME)];
        let [keys, ticks] = self.some(files, wanted).await?;
        self.key_log(files, keys.values, &ticks)
    }

    /// The numbers that Milvus gave to the rows in these files.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(super) async fn numbers(&self, files: &LogFiles) -> Result<Vec<i64>, Fault> {
        let [numbers] = self.some(files, [Wanted::of_server(ROW_ID)]).await?;
        match numbers.values {
            Values::Ints(numbers) if numbers.len() as u64 == files.rows => Ok(numbers),
            _ => Err(self.odd(files, "unlike numbers of rows and of their own numbers")),
        }
    }

    /// The rows in these files, once there is a place for them in memory: who holds some must not ask for others.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(crate) async fn rows(&self, files: &LogFiles) -> Result<LogRows<'_>, Fault> {
        let place = self.agent.segment_places.acquire().await.map_err(|_| {
            let what = "there are no places for rows any more";
            Fault::new(codes::BUG, Class::Bug, what, "restart the agent")
        })?;
        let fields = self.numbered_fields(files)?;
        let mut wanted: Vec<Wanted<'_>> = fields.iter().map(Wanted::of).collect();
        wanted.push(Wanted::of_server(TIME));
        let mut values = self.values(files, &wanted).await?;
        let ticks = values.pop().ok_or_else(|| self.odd(files, "no times"))?;
        for (field, values) in fields.iter().zip(&values) {
            if values.rows != ticks.rows {
                let what = format!(
                    "{} rows, and {} of field {}",
                    ticks.rows, values.rows, field.name
                );
                return Err(self.odd(files, &what));
            }
        }
        let columns: Vec<(Field, FieldValues)> = fields.into_iter().zip(values).collect();
        let keys = columns.iter().find(|(field, _)| field.is_primary);
        let keys = keys.ok_or_else(|| self.odd(files, "no file of keys"))?;
        let keys = self.key_log(files, keys.1.values.clone(), &ticks)?;
        Ok(LogRows {
            keys,
            columns,
            _place: place,
        })
    }

    fn key_log(
        &self,
        files: &LogFiles,
        keys: Values,
        ticks: &FieldValues,
    ) -> Result<KeyLog, Fault> {
        match &ticks.values {
            Values::Ints(ticks) if ticks.len() == keys.len() => Ok(KeyLog {
                keys,
                ticks: ticks.clone(),
            }),
            _ => Err(self.odd(files, "unlike numbers of keys and times")),
        }
    }

    /// The fields that are read, each with its id.
    fn numbered_fields(&self, files: &LogFiles) -> Result<Vec<Field>, Fault> {
        let fields = self.source.schema.fields.iter();
        let known: BTreeSet<i64> = fields.map(|field| field.id).collect();
        let unknown: Vec<i64> = files
            .fields()
            .into_iter()
            .filter(|id| ![ROW_ID, TIME].contains(id) && !known.contains(id))
            .collect();
        let dynamic = match unknown[..] {
            [] => None,
            [id] if self.source.schema.has_dynamic_field => Some(id),
            _ => {
                return Err(self.odd(
                    files,
                    &format!("fields that are not described: {unknown:?}"),
                ));
            }
        };
        let numbered = self.fields.iter().map(|field| Field {
            id: match (field.is_dynamic, dynamic) {
                (true, Some(id)) => id,
                _ => field.id,
            },
            ..field.clone()
        });
        Ok(numbered.collect())
    }

    /// A row's key.
    ///
    /// # Errors
    /// `segment_malformed` when it is none.
    pub(crate) fn key(&self, files: &LogFiles, keys: &KeyLog, row: usize) -> Result<Key, Fault> {
        keys.key(row).ok_or_else(|| {
            self.odd(
                files,
                &format!("the key of row {row} is neither a number nor a text"),
            )
        })
    }

    /// Files of a segment that do not fit each other.
    pub(super) fn odd(&self, files: &LogFiles, what: &str) -> Fault {
        let message = format!(
            "storage {}, segment {} of collection {}: {what}",
            self.storage.name(),
            files.segment,
            self.source.name
        );
        segment_malformed(message)
    }
}

fn size_bytes(values: &Values) -> usize {
    match values {
        Values::Bools(values) => values.len(),
        Values::Ints(values) => 8 * values.len(),
        Values::Floats(values) => 4 * values.len(),
        Values::Doubles(values) => 8 * values.len(),
        Values::Blobs(values) => values.iter().map(|value| value.len() + 2).sum(),
        Values::Vectors { bytes, .. } => bytes.len(),
    }
}

/// A column of these rows.
fn column(field: &Field, log: &FieldValues, rows: &[usize]) -> Result<Column, ColumnError> {
    let (places, valid) = places(log, rows);
    macro_rules! picked {
        ($values:expr, $kind:ident) => {{
            let picked: Vec<_> = places
                .iter()
                .filter_map(|place| $values.get(*place).copied())
                .collect();
            columns::encode(field, valid, Plain::$kind(&picked))
        }};
    }
    match &log.values {
        Values::Bools(values) => picked!(values, Bools),
        Values::Ints(values) => picked!(values, Ints),
        Values::Floats(values) => picked!(values, Floats),
        Values::Doubles(values) => picked!(values, Doubles),
        Values::Blobs(values) => {
            let picked: Vec<&[u8]> = places
                .iter()
                .filter_map(|place| values.get(*place))
                .collect();
            columns::encode(field, valid, Plain::Blobs(&picked))
        }
        Values::Vectors { width, bytes } => {
            let vector = |place: &usize| bytes.get(place * width..(place + 1) * width);
            let picked: Vec<&[u8]> = places.iter().filter_map(vector).collect();
            columns::encode(field, valid, Plain::Blobs(&picked))
        }
    }
}

/// Where the values of these rows are among those that are not null, and which of the rows have one.
fn places(log: &FieldValues, rows: &[usize]) -> (Vec<usize>, Bytes) {
    if log.valid.is_empty() {
        return (rows.to_vec(), Bytes::new());
    }
    let mut behind = 0;
    let before: Vec<usize> = log
        .valid
        .iter()
        .map(|valid| {
            let place = behind;
            behind += usize::from(*valid);
            place
        })
        .collect();
    let is_valid = |row: &usize| log.valid.get(*row).copied().unwrap_or(false);
    let places = rows
        .iter()
        .filter(|row| is_valid(row))
        .map(|row| before[*row]);
    let flags: Vec<u8> = rows.iter().map(|row| u8::from(is_valid(row))).collect();
    (places.collect(), flags.into())
}
