//! The values of some fields of the rows in files, in whichever form those are.

use super::{LogFiles, Segments, added, malformed, segment_malformed};
use binlog::{BinlogError, FieldValues};
use futures::{FutureExt, StreamExt, TryStreamExt};
use model::{DataType, Fault, Field};

/// How many files of one field are read at a time.
const FILES_AT_ONCE: usize = 2;

/// A field that is read: one that is described, or one that Milvus adds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    id: i64,
    field: Option<&'a Field>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(field: &'a Field) -> Self {
        Self {
            id: field.id,
            field: Some(field),
        }
    }

    pub(super) fn of_server(id: i64) -> Self {
        Self { id, field: None }
    }

    fn name(&self) -> &str {
        self.field.map_or("time", |field| &field.name)
    }

    /// Milvus's number of its type.
    fn data_type(&self) -> i32 {
        let data_type = self.field.map_or(DataType::INT64, |field| field.data_type);
        data_type.number()
    }
}

impl Segments<'_> {
    /// The values of so many fields.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(super) async fn some<const N: usize>(
        &self,
        files: &LogFiles,
        wanted: [Wanted<'_>; N],
    ) -> Result<[FieldValues; N], Fault> {
        let values = self.values(files, &wanted).await?;
        let values = values.try_into();
        values.map_err(|_| self.odd(files, "another number of fields than were read"))
    }

    /// The values of these fields, in their order.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(super) async fn values(
        &self,
        files: &LogFiles,
        wanted: &[Wanted<'_>],
    ) -> Result<Vec<FieldValues>, Fault> {
        let found = match &files.grouped {
            Some(grouped) => {
                let fields: Vec<(i64, i32)> = wanted
                    .iter()
                    .map(|wanted| (wanted.id, wanted.data_type()))
                    .collect();
                self.grouped_values(files, grouped, &fields).await?
            }
            None => {
                let reading: Vec<_> = wanted
                    .iter()
                    .map(|wanted| self.in_own_file(files, *wanted).boxed())
                    .collect();
                let reading = futures::stream::iter(reading);
                reading.buffered(FILES_AT_ONCE).try_collect().await?
            }
        };
        let values = wanted.iter().zip(found).map(|(wanted, found)| match found {
            Some(values) => Ok(values),
            None => self.not_in_files(files, *wanted),
        });
        values.collect()
    }

    /// What rows have for a field that their files do not have.
    fn not_in_files(&self, files: &LogFiles, wanted: Wanted<'_>) -> Result<FieldValues, Fault> {
        let rows = usize::try_from(files.rows).unwrap_or(usize::MAX);
        let values = wanted.field.map(|field| added::values(field, rows));
        let values = values.transpose().map_err(|error| {
            let what = format!("the default value of field {}: {error}", wanted.name());
            self.odd(files, &what)
        })?;
        values.flatten().ok_or_else(|| {
            let what = format!("no file of field {}", wanted.name());
            self.odd(files, &what)
        })
    }

    /// The values of a field that has a file of its own, if it has.
    async fn in_own_file(
        &self,
        files: &LogFiles,
        wanted: Wanted<'_>,
    ) -> Result<Option<FieldValues>, Fault> {
        let Some(path) = files.paths.get(&wanted.id) else {
            return Ok(None);
        };
        let file = self.read(path).await?;
        let read = tokio::task::spawn_blocking(move || binlog::read_field(&file)).await;
        let read = read.unwrap_or_else(|error| {
            let what = error.to_string();
            Err(BinlogError::Parquet { what })
        });
        let log = read.map_err(|error| malformed(self.storage, path, &error))?;
        let told = (log.descriptor.segment, log.descriptor.field);
        let is_typed = wanted.field.is_none() || wanted.data_type() == log.descriptor.data_type;
        if told != (files.segment, wanted.id) || !is_typed {
            let what = format!("it says of itself that it is {:?}", log.descriptor);
            let message = format!("storage {}, {path:?}: {what}", self.storage.name());
            return Err(segment_malformed(message));
        }
        Ok(Some(log.into()))
    }
}
