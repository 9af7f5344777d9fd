//! Writing rows: insert, replace, delete.
//!
//! Each request is sent once. [`MilvusError::is_outcome_unknown`] tells whether it may have been done all the same; an insert in
//! doubt is made good with [`Client::replace`], which leaves one row for each key however often it is done. Insert itself does not
//! reject a key that is there already: it adds a second row.

mod delete;

pub(crate) use delete::portions;

use crate::call::{Call, Kind as CallKind};
use crate::error::Kind;
use crate::{Client, ColumnError, Cutter, MilvusError, columns, nulls};
use bytes::Bytes;
use model::{Batch, Column, Field, Payload};
use proto::milvus::schema::FieldData;
use proto::milvus::schema::field_data::Field as Member;
use proto::milvus::service as wire;

/// What an envelope takes beside the columns: names, types, lengths.
const ENVELOPE_BYTES: usize = 16 << 10;

/// Rows and where they go.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The collection.
    pub collection: &'a str,
    /// The partition; `None` for the default one, and always `None` where a partition key places the rows.
    pub partition: Option<&'a str>,
    /// The rows, as a query answered them.
    pub batch: &'a Batch,
    /// Names of columns that are not sent: those that a function computes, and primary keys that the server makes.
    pub omit: &'a [String],
    /// Names of columns whose null flags are sent even where nothing is null, as [`crate::schema::flagged_names`] tells them.
    pub flagged: &'a [String],
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// The rows that the server says it wrote.
    pub rows: u64,
    /// The time of the last change by the server's clock; 0 where the server does not tell it.
    pub timestamp: u64,
    /// The requests that it took.
    pub requests: u32,
}

impl Applied {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.timestamp = self.timestamp.max(other.timestamp);
        self.requests += other.requests;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Insert,
    Upsert,
}

impl Client {
    /// Inserts rows; in several requests where one would be too large.
    ///
    /// Cancel safety: a dropped future leaves the outcome unknown, like a lost connection.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::RowTooLarge`] when a single row is larger than a request may be.
    pub async fn insert(&self, rows: &Rows<'_>) -> Result<Applied, MilvusError> {
        self.write(Verb::Insert, rows).await
    }

    /// Inserts rows or replaces those of the same keys (Milvus 2.3 and later). Done twice, it is as if done once.
    ///
    /// Cancel safety: a dropped future leaves the outcome unknown; do it again.
    ///
    /// # Errors
    /// As [`Client::insert`]; of kind [`Kind::Unimplemented`] before 2.3.
    pub async fn upsert(&self, rows: &Rows<'_>) -> Result<Applied, MilvusError> {
        self.write(Verb::Upsert, rows).await
    }

    /// Leaves exactly these rows for their keys, on every version: by upsert, or where there is none by delete and insert. Done
    /// twice, it is as if done once, but a failure between delete and insert leaves the rows missing until it is done again.
    ///
    /// Cancel safety: as [`Client::upsert`].
    ///
    /// # Errors
    /// As [`Client::insert`]. The outcome of a failed replacement counts as unknown once its delete was sent.
    pub async fn replace(&self, rows: &Rows<'_>, primary: &Field) -> Result<Applied, MilvusError> {
        if self.capabilities().upsert && !primary.auto_id {
            return self.upsert(rows).await;
        }
        let call = Call::new("Delete", rows.collection, CallKind::Write);
        let keys =
            columns::keys(rows.batch, &primary.name).map_err(|error| malformed(call, &error))?;
        self.delete(rows.collection, rows.partition, primary, &keys)
            .await?;
        self.insert(rows)
            .await
            .map_err(|error| error.with_unknown_outcome(true))
    }

    /// Sends a batch, in halves where it is too large for one request: by our reckoning, or when the server says so.
    async fn write(&self, verb: Verb, rows: &Rows<'_>) -> Result<Applied, MilvusError> {
        let limit = self.max_request_bytes().saturating_sub(ENVELOPE_BYTES);
        let call = Call::new(verb.name(), rows.collection, CallKind::Write);
        let mut done = Applied::default();
        let mut waiting = vec![rows.batch.clone()];
        while let Some(batch) = waiting.pop() {
            if batch.rows == 0 {
                continue;
            }
            let sent = if batch.size_bytes() > limit {
                Err(MilvusError::new(
                    call,
                    Kind::TooLarge,
                    "larger than a request may be",
                ))
            } else {
                self.send(
                    verb,
                    &Rows {
                        batch: &batch,
                        ..*rows
                    },
                )
                .await
            };
            match sent {
                Ok(applied) => done.add(applied),
                Err(error) if error.is_too_large() && !error.is_outcome_unknown() => {
                    let (lower, upper) = halves(call, &batch)
                        .map_err(|error| error.with_unknown_outcome(done.requests > 0))?;
                    waiting.extend([upper, lower]);
                }
                Err(error) => return Err(error.with_unknown_outcome(done.requests > 0)),
            }
        }
        Ok(done)
    }

    async fn send(&self, verb: Verb, rows: &Rows<'_>) -> Result<Applied, MilvusError> {
        let call = Call::new(verb.name(), rows.collection, CallKind::Write);
        let fields_data = fields(rows).map_err(|error| malformed(call, &error))?;
        let db_name = self.db_name();
        let collection_name = rows.collection.to_owned();
        let partition_name = rows.partition.unwrap_or_default().to_owned();
        let num_rows = rows.batch.rows;
        let answer = match verb {
            Verb::Insert => {
                let message = wire::InsertRequest {
                    db_name,
                    collection_name,
                    partition_name,
                    fields_data,
                    num_rows,
                };
                self.call(
                    call,
                    message,
                    |mut stub, q| async move { stub.insert(q).await },
                )
                .await?
            }
            Verb::Upsert => {
                let message = wire::UpsertRequest {
                    db_name,
                    collection_name,
                    partition_name,
                    fields_data,
                    num_rows,
                };
                self.call(
                    call,
                    message,
                    |mut stub, q| async move { stub.upsert(q).await },
                )
                .await?
            }
        };
        let count = if verb == Verb::Insert {
            answer.insert_cnt
        } else {
            answer.upsert_cnt
        };
        let rows = u64::try_from(count).unwrap_or_default();
        Ok(Applied {
            rows,
            timestamp: answer.timestamp,
            requests: 1,
        })
    }
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Insert => "Insert",
            Self::Upsert => "Upsert",
        }
    }
}

/// A batch that can't be sent, because its columns are malformed. Nothing was sent.
fn malformed(call: Call<'_>, error: &ColumnError) -> MilvusError {
    MilvusError::new(call, Kind::Answer, error.to_string())
}

fn halves(call: Call<'_>, batch: &Batch) -> Result<(Batch, Batch), MilvusError> {
    if batch.rows < 2 {
        let text = format!(
            "one row of {} bytes is larger than a request may be",
            batch.size_bytes()
        );
        return Err(MilvusError::new(call, Kind::RowTooLarge, text));
    }
    let middle = batch.rows / 2;
    let cut = || {
        let cutter = Cutter::new(batch)?;
        Ok((cutter.rows(0..middle)?, cutter.rows(middle..batch.rows)?))
    };
    cut().map_err(|error: ColumnError| malformed(call, &error))
}

fn fields(rows: &Rows<'_>) -> Result<Vec<FieldData>, ColumnError> {
    let count = rows.batch.rows;
    let sent = rows
        .batch
        .columns
        .iter()
        .filter(|column| !rows.omit.contains(&column.name));
    sent.map(|column| {
        let mut column = nulls::for_insert(column, count)?;
        if column.valid.is_empty() && rows.flagged.contains(&column.name) {
            column.valid = Bytes::from(vec![1; count as usize]);
        }
        Ok(field_data(column))
    })
    .collect()
}

fn field_data(column: Column) -> FieldData {
    let field = match column.payload {
        Payload::Scalars(bytes) => Some(Member::Scalars(bytes)),
        Payload::Vectors(bytes) => Some(Member::Vectors(bytes)),
        Payload::Structs(bytes) => Some(Member::StructArrays(bytes)),
        Payload::Absent | Payload::File(_) => None,
    };
    FieldData {
        r#type: column.data_type.number(),
        field_name: column.name,
        field,
        // The target numbers its fields itself; it goes by the name.
        field_id: 0,
        is_dynamic: column.is_dynamic,
        valid_data: column.valid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_sent_where_the_schema_asks_for_them_and_omitted_columns_are_not() {
        let batch = crate::columns::samples::batch(2, 0b10);
        let [omit, flagged] = ["sparse", "dense"].map(|name| [name.to_owned()]);
        let rows = Rows {
            collection: "docs",
            partition: None,
            batch: &batch,
            omit: &omit,
            flagged: &flagged,
        };
        let sent = fields(&rows).unwrap();
        let flags = |name: &str| {
            sent.iter()
                .find(|data| data.field_name == name)
                .map(|data| data.valid_data.to_vec())
        };
        assert_eq!(flags("sparse"), None);
        assert_eq!(flags("dense"), Some(vec![1, 1]));
        assert_eq!(flags("text"), Some(vec![1, 0]));
        assert_eq!(flags("bits"), Some(vec![]));
    }

    #[test]
    fn one_row_can_not_be_halved() {
        let batch = crate::columns::samples::batch(1, 0);
        let call = Call::new("Insert", "docs", CallKind::Write);
        let error = halves(call, &batch).unwrap_err();
        assert_eq!(error.kind(), Kind::RowTooLarge);
        assert!(!error.is_outcome_unknown());
    }
}
