//! Batches cut into smaller ones, for when a request is larger than a server takes.

use crate::ColumnError;
use crate::columns::layout::Layout;
use crate::columns::structs_pick;
use bytes::Bytes;
use model::{Batch, Column, Payload};
use std::ops::Range;

/// Some neighbouring rows of a batch. The columns are taken apart and put together again; no value is decoded.
///
/// # Errors
/// [`ColumnError`] when a column is malformed, or the range reaches beyond the last row.
pub fn slice(batch: &Batch, rows: Range<u32>) -> Result<Batch, ColumnError> {
    if rows.start > rows.end || rows.end > batch.rows {
        return Err(ColumnError::NoRow {
            row: rows.end as usize,
        });
    }
    let wanted = rows.start as usize..rows.end as usize;
    let columns: Result<Vec<_>, _> = batch
        .columns
        .iter()
        .map(|column| slice_column(column, batch.rows, &wanted))
        .collect();
    Ok(Batch {
        rows: rows.end - rows.start,
        columns: columns?,
    })
}

fn slice_column(column: &Column, all: u32, rows: &Range<usize>) -> Result<Column, ColumnError> {
    // Looks at the whole column, so that a malformed one is not cut into pieces that look sound.
    crate::ColumnReader::new(column, all)?;
    let flags = flags_of(&column.valid, rows)?;
    let valid = if flags.iter().all(|flag| *flag != 0) {
        Bytes::new()
    } else {
        column.valid.slice_ref(flags)
    };
    let cut = |layout: Option<Layout<'_>>| {
        layout.map(|layout| {
            let places = places(&column.valid, rows, layout.elements.len());
            Bytes::from(layout.pick(places))
        })
    };
    let payload = match &column.payload {
        Payload::Scalars(bytes) => cut(Layout::of_scalars(bytes)?).map(Payload::Scalars),
        Payload::Vectors(bytes) => cut(Layout::of_vectors(bytes)?).map(Payload::Vectors),
        Payload::Structs(bytes) => Some(structs_pick(bytes, rows.clone())?),
        Payload::Absent => None,
    };
    let payload = payload.unwrap_or_else(|| column.payload.clone());
    Ok(Column {
        valid,
        payload,
        ..column.clone()
    })
}

/// The null flags of some rows.
pub(crate) fn flags_of<'v>(valid: &'v [u8], rows: &Range<usize>) -> Result<&'v [u8], ColumnError> {
    if valid.is_empty() {
        return Ok(valid);
    }
    valid
        .get(rows.clone())
        .ok_or(ColumnError::NoRow { row: rows.end })
}

/// The places of some rows' values among the values that a column has. With fewer values than flags, nulls have none.
pub(crate) fn places(valid: &[u8], rows: &Range<usize>, values: usize) -> Range<usize> {
    if valid.is_empty() || values == valid.len() {
        return rows.clone();
    }
    let set = |flags: &[u8]| flags.iter().filter(|flag| **flag != 0).count();
    let begin = set(&valid[..rows.start]);
    begin..begin + set(&valid[rows.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::ColumnReader;
    use crate::columns::samples;
    use proptest::prelude::*;

    fn cells(batch: &Batch) -> Vec<Vec<String>> {
        let readers: Vec<_> = batch
            .columns
            .iter()
            .map(|c| ColumnReader::new(c, batch.rows).unwrap())
            .collect();
        (0..batch.rows as usize)
            .map(|row| {
                readers
                    .iter()
                    .map(|r| format!("{:?}", r.cell(row).unwrap()))
                    .collect()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn pieces_of_a_batch_hold_its_rows_and_no_others(rows in 0u32..9, border in 0u32..9, nulls in any::<u16>()) {
            let border = border.min(rows);
            let batch = samples::batch(rows, nulls);
            let lower = slice(&batch, 0..border).unwrap();
            let upper = slice(&batch, border..rows).unwrap();
            let mut joined = cells(&lower);
            joined.extend(cells(&upper));
            prop_assert_eq!(joined, cells(&batch));
        }
    }

    #[test]
    fn a_range_beyond_the_last_row_is_refused() {
        let batch = samples::batch(3, 0);
        assert_eq!(slice(&batch, 2..4), Err(ColumnError::NoRow { row: 4 }));
    }
}
