//! Rows in files of several fields, which Milvus writes since 2.6. Such a file may hold a whole segment, and is read a run of rows at a time.

use super::{LogFiles, Segments, malformed};
use binlog::{BinlogError, FieldValues, GroupedFile};
use bytes::Bytes;
use model::Fault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// How many bytes the values of a run of rows are meant to take: about as many as those of a file of one field do.
const RUN_BYTES: u64 = 32 << 20;

/// How much of a file's end is read at first: its footer is seldom longer.
const END_BYTES: u64 = 64 << 10;

/// Where rows lie in files of several fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupedRows {
    /// The place of the first of them among the rows of the files.
    first: u64,
    /// The number of the group in whose file each field is.
    fields: BTreeMap<i64, i64>,
    /// How long the file of each group is.
    bytes: BTreeMap<i64, u64>,
}

impl GroupedRows {
    /// The ids of the fields in the files.
    pub(crate) fn fields(&self) -> impl Iterator<Item = i64> {
        self.fields.keys().copied()
    }

    /// The group in whose file a field is.
    pub(crate) fn group(&self, field: i64) -> Option<i64> {
        self.fields.get(&field).copied()
    }
}

impl Segments<'_> {
    /// Takes files of the same rows apart into runs of those, by their lengths. Each run is as files of one field would be, with the place
    /// of its first row; they are numbered from this.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(super) async fn runs(
        &self,
        files: LogFiles,
        lengths: &BTreeMap<String, u64>,
        place: u32,
    ) -> Result<Vec<LogFiles>, Fault> {
        let mut grouped = GroupedRows {
            first: 0,
            fields: BTreeMap::new(),
            bytes: BTreeMap::new(),
        };
        let mut rows = None;
        let mut value_bytes = 0;
        for (group, path) in &files.paths {
            let bytes = lengths.get(path).copied().unwrap_or_default();
            let opened = self.grouped_file(path, bytes).await?;
            if *rows.get_or_insert(opened.rows()) != opened.rows() {
                return Err(self.odd(&files, "groups of unlike numbers of rows"));
            }
            value_bytes += opened.value_bytes();
            grouped.bytes.insert(*group, bytes);
            for field in opened.fields() {
                if grouped.fields.insert(field, *group).is_some() {
                    return Err(self.odd(&files, &format!("field {field} in two groups")));
                }
            }
        }
        let runs = runs(rows.unwrap_or_default(), value_bytes);
        let numbered = runs.zip(place..).map(|(run, place)| LogFiles {
            place,
            rows: run.end - run.start,
            grouped: Some(GroupedRows {
                first: run.start,
                ..grouped.clone()
            }),
            ..files.clone()
        });
        Ok(numbered.collect())
    }

    /// The values of these fields, which have these numbers of types; `None` for one that the files do not have.
    ///
    /// # Errors
    /// `segment_malformed`, and the storage's.
    pub(super) async fn grouped_values(
        &self,
        files: &LogFiles,
        grouped: &GroupedRows,
        wanted: &[(i64, i32)],
    ) -> Result<Vec<Option<FieldValues>>, Fault> {
        let mut by_group: BTreeMap<i64, Vec<(i64, i32)>> = BTreeMap::new();
        for (field, data_type) in wanted {
            if let Some(group) = grouped.group(*field) {
                by_group
                    .entry(group)
                    .or_default()
                    .push((*field, *data_type));
            }
        }
        let mut found = BTreeMap::new();
        for (group, fields) in by_group {
            let path = files.paths.get(&group).zip(grouped.bytes.get(&group));
            let (path, bytes) =
                path.ok_or_else(|| self.odd(files, &format!("no file of group {group}")))?;
            let rows = grouped.first..grouped.first + files.rows;
            let values = self.run_of(path, *bytes, rows, &fields).await?;
            found.extend(fields.into_iter().map(|(field, _)| field).zip(values));
        }
        Ok(wanted
            .iter()
            .map(|(field, _)| found.remove(field))
            .collect())
    }

    /// The values of some rows of a file, for each of these fields of it.
    async fn run_of(
        &self,
        path: &str,
        file_bytes: u64,
        rows: Range<u64>,
        fields: &[(i64, i32)],
    ) -> Result<Vec<FieldValues>, Fault> {
        let opened = self.grouped_file(path, file_bytes).await?;
        let odd = |error: BinlogError| malformed(self.storage, path, &error);
        let range = opened.bytes_of(&rows).map_err(odd)?;
        let bytes = match range.is_empty() {
            true => Bytes::new(),
            false => self.bytes(path, range).await?,
        };
        let fields = fields.to_vec();
        let read = tokio::task::spawn_blocking(move || opened.values(&bytes, &rows, &fields)).await;
        let read = read.unwrap_or_else(|error| {
            let what = error.to_string();
            Err(BinlogError::Parquet { what })
        });
        read.map_err(odd)
    }

    /// What a file of so many bytes says of itself.
    async fn grouped_file(&self, path: &str, file_bytes: u64) -> Result<GroupedFile, Fault> {
        let odd = |error: BinlogError| malformed(self.storage, path, &error);
        let at = file_bytes.saturating_sub(END_BYTES);
        let mut end = self.bytes(path, at..file_bytes).await?;
        let wanted = GroupedFile::footer_bytes(&end).map_err(odd)? as u64;
        if wanted > end.len() as u64 && wanted <= file_bytes {
            end = self.bytes(path, file_bytes - wanted..file_bytes).await?;
        }
        let read = tokio::task::spawn_blocking(move || GroupedFile::read(&end, file_bytes)).await;
        let read = read.unwrap_or_else(|error| {
            let what = error.to_string();
            Err(BinlogError::Parquet { what })
        });
        read.map_err(odd)
    }
}

/// Rows in runs whose values take about as much memory as one is meant to.
fn runs(rows: u64, value_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let number = value_bytes.div_ceil(RUN_BYTES).clamp(1, rows.max(1));
    let long = rows.div_ceil(number).max(1);
    let runs = (0..rows).step_by(usize::try_from(long).unwrap_or(usize::MAX));
    runs.map(move |first| first..(first + long).min(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_tile_the_rows_and_are_as_long_as_memory_allows() {
        let of = |rows, bytes| {
            let runs = runs(rows, bytes).map(|run| (run.start, run.end));
            runs.collect::<Vec<_>>()
        };
        assert_eq!(of(10, 1), [(0, 10)]);
        assert_eq!(of(10, RUN_BYTES), [(0, 10)]);
        assert_eq!(of(10, RUN_BYTES + 1), [(0, 5), (5, 10)]);
        assert_eq!(of(7, 3 * RUN_BYTES), [(0, 3), (3, 6), (6, 7)]);
        // A row is not cut.
        assert_eq!(of(2, 1 << 40), [(0, 1), (1, 2)]);
        assert!(of(0, 1 << 40).is_empty());
    }
}
