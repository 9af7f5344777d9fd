//! Rows that were inserted or deleted.

use super::{Cause, named, some_time};
use crate::columns::field_data::column;
use crate::{ColumnReader, Cutter};
use model::schema::DYNAMIC_FIELD;
use model::{Batch, ChangeKind, Column, Key, Tick};
use proto::milvus::msg::{DeleteRequest, InsertRequest};
use proto::milvus::schema::FieldData;
use proto::milvus::schema::i_ds::IdField;
use std::ops::Range;

/// The form of rows that 2.2 and later write.
const BY_COLUMN: i32 = 1;

/// The rows of an insert, an insert for each run of rows of the same time.
pub(super) fn inserted(request: InsertRequest) -> Result<Vec<(Tick, ChangeKind)>, Cause> {
    if request.version != BY_COLUMN {
        let version = request.version;
        return Err(Cause::RowBased { version });
    }
    let columns = request.fields_data;
    let rows = agreed(request.num_rows, request.timestamps.len(), columns.len())?;
    let columns: Result<Vec<_>, _> = columns.into_iter().map(|data| read(data, rows)).collect();
    let columns = columns?;
    let runs = runs(&request.timestamps)?;
    let batches = cut(Batch { rows, columns }, &runs)?;
    let partition = named(request.partition_name)?;
    let insert = |batch| ChangeKind::Insert {
        partition: partition.clone(),
        batch,
    };
    let ticks = runs.iter().map(|run| run.tick);
    Ok(ticks.zip(batches.into_iter().map(insert)).collect())
}

/// The keys of a delete, a delete for each run of keys of the same time.
///
/// A delete by an expression can name one of a partition key's partitions by its id alone. It is taken as one of all partitions:
/// the rows' own keys say which they are.
pub(super) fn deleted(request: DeleteRequest) -> Result<Vec<(Tick, ChangeKind)>, Cause> {
    let times = &request.timestamps;
    let counted = u64::try_from(request.num_rows).unwrap_or_default();
    let keys: Vec<Key> = match request.primary_keys.and_then(|keys| keys.id_field) {
        Some(IdField::IntId(keys)) => keys.data.into_iter().map(Key::Int64).collect(),
        Some(IdField::StrId(keys)) => keys.data.into_iter().map(Key::VarChar).collect(),
        None => {
            let keys = request.int64_primary_keys.into_iter();
            keys.map(Key::Int64).collect()
        }
    };
    agreed(counted, times.len(), keys.len())?;
    if times.len() != keys.len() {
        return Err(miscounted(counted, times.len(), keys.len()));
    }
    let partition = Some(request.partition_name).filter(|name| !name.is_empty());
    let runs = runs(times)?;
    let mut keys = keys.into_iter();
    let delete = |run: &Run| ChangeKind::Delete {
        partition: partition.clone(),
        keys: keys.by_ref().take(run.rows.len()).collect(),
    };
    let ticks = runs.iter().map(|run| run.tick);
    Ok(ticks.zip(runs.iter().map(delete)).collect())
}

/// Neighbouring rows of the same time.
struct Run {
    tick: Tick,
    rows: Range<u32>,
}

fn runs(times: &[u64]) -> Result<Vec<Run>, Cause> {
    let mut begin = 0;
    times
        .chunk_by(|one, next| one == next)
        .map(|run| {
            let rows = begin..begin + u32::try_from(run.len()).map_err(|_| Cause::Malformed)?;
            begin = rows.end;
            let tick = some_time(Tick::new(run[0]))?;
            Ok(Run { tick, rows })
        })
        .collect()
}

/// How many rows, where the message does not contradict itself and has one at least.
fn agreed(counted: u64, times: usize, values: usize) -> Result<u32, Cause> {
    match u32::try_from(counted) {
        Ok(rows) if rows as usize == times && times > 0 && values > 0 => Ok(rows),
        _ => Err(miscounted(counted, times, values)),
    }
}

fn miscounted(rows: u64, times: usize, values: usize) -> Cause {
    Cause::Rows {
        rows,
        times,
        values,
    }
}

/// A column as the log has it; looked at, so that its values are known to be as many as the rows.
fn read(data: FieldData, rows: u32) -> Result<Column, Cause> {
    let name = if data.is_dynamic {
        DYNAMIC_FIELD.to_owned()
    } else {
        named(data.field_name.clone())?
    };
    let column = column(data, &name);
    match ColumnReader::new(&column, rows) {
        Ok(_) => Ok(column),
        Err(error) => Err(Cause::Column { name, error }),
    }
}

/// The rows of each run.
fn cut(batch: Batch, runs: &[Run]) -> Result<Vec<Batch>, Cause> {
    if runs.len() == 1 {
        return Ok(vec![batch]);
    }
    let cutter = Cutter::new(&batch).map_err(|_| Cause::Malformed)?;
    let pieces = runs.iter().map(|run| cutter.rows(run.rows.clone()));
    let pieces: Result<Vec<_>, _> = pieces.collect();
    pieces.map_err(|_| Cause::Malformed)
}
