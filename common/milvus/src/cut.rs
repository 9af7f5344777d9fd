//! Batches cut into smaller ones: for when a request is larger than a server takes, and so that little is in memory at a time.

use crate::columns::layout::Layout;
use crate::columns::structs_pick;
use crate::{ColumnError, ColumnReader};
use bytes::Bytes;
use model::{Batch, Column, Payload};
use std::ops::Range;

/// A batch, taken apart once so that it can be cut many times. No value is decoded.
#[derive(Debug)]
pub struct Cutter<'a> {
    rows: u32,
    columns: Vec<Cut<'a>>,
}

/// A column and where its values lie; nowhere in particular for struct arrays, and where there are none.
#[derive(Debug)]
struct Cut<'a> {
    column: &'a Column,
    layout: Option<Layout<'a>>,
}

impl<'a> Cutter<'a> {
    /// Takes a batch apart.
    ///
    /// # Errors
    /// [`ColumnError`] when a column is malformed, or of a kind that this build does not know.
    pub fn new(batch: &'a Batch) -> Result<Self, ColumnError> {
        let columns: Result<Vec<_>, _> = batch
            .columns
            .iter()
            .map(|column| Cut::new(column, batch.rows))
            .collect();
        Ok(Self {
            rows: batch.rows,
            columns: columns?,
        })
    }

    /// Some neighbouring rows.
    ///
    /// # Errors
    /// [`ColumnError`] when the range reaches beyond the last row.
    pub fn rows(&self, rows: Range<u32>) -> Result<Batch, ColumnError> {
        if rows.start > rows.end || rows.end > self.rows {
            return Err(ColumnError::NoRow {
                row: rows.end as usize,
            });
        }
        let wanted = rows.start as usize..rows.end as usize;
        let columns: Result<Vec<_>, _> = self.columns.iter().map(|cut| cut.rows(&wanted)).collect();
        Ok(Batch {
            rows: rows.end - rows.start,
            columns: columns?,
        })
    }
}

impl<'a> Cut<'a> {
    fn new(column: &'a Column, rows: u32) -> Result<Self, ColumnError> {
        // Looks at the whole column, so that a malformed one is not cut into pieces that look sound.
        ColumnReader::new(column, rows)?;
        let layout = match &column.payload {
            Payload::Scalars(bytes) => Layout::of_scalars(bytes)?,
            Payload::Vectors(bytes) => Layout::of_vectors(bytes)?,
            Payload::Structs(_) | Payload::Absent | Payload::File(_) => None,
        };
        Ok(Self { column, layout })
    }

    fn rows(&self, rows: &Range<usize>) -> Result<Column, ColumnError> {
        let Self { column, layout } = self;
        let flags = flags_of(&column.valid, rows)?;
        let valid = if flags.iter().all(|flag| *flag != 0) {
            Bytes::new()
        } else {
            column.valid.slice_ref(flags)
        };
        let picked = layout.as_ref().map(|layout| {
            let places = places(&column.valid, rows, layout.elements.len());
            Bytes::from(layout.pick(places))
        });
        let payload = match (&column.payload, picked) {
            (Payload::Scalars(_), Some(bytes)) => Payload::Scalars(bytes),
            (Payload::Vectors(_), Some(bytes)) => Payload::Vectors(bytes),
            (Payload::Structs(bytes), _) => structs_pick(bytes, rows.clone())?,
            (without_values, _) => without_values.clone(),
        };
        Ok(Column {
            valid,
            payload,
            ..Column::clone(column)
        })
    }
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
            let cutter = Cutter::new(&batch).unwrap();
            let lower = cutter.rows(0..border).unwrap();
            let upper = cutter.rows(border..rows).unwrap();
            let mut joined = cells(&lower);
            joined.extend(cells(&upper));
            prop_assert_eq!(joined, cells(&batch));
        }
    }

    #[test]
    fn a_range_beyond_the_last_row_is_refused() {
        let batch = samples::batch(3, 0);
        let cutter = Cutter::new(&batch).unwrap();
        assert_eq!(cutter.rows(2..4), Err(ColumnError::NoRow { row: 4 }));
    }
}
