//! Columns decoded, as far as something asks for their values.
//!
//! A [`ColumnReader`] finds where each value lies and decodes it when it is asked for; vectors and texts are borrowed. Malformed
//! bytes are an error, never a panic: they come from another machine.
//!
//! Nulls come in two forms. A query answers scalars in full, with a placeholder where a value is null; an insert, and vectors on
//! both ways, hold the values that are not null and nothing for the others. The number of values tells which it is.

mod build;
mod cells;
mod default;
mod encode;
pub(crate) mod field_data;
pub(crate) mod layout;
#[cfg(test)]
pub(crate) mod samples;
mod structs;

use crate::wire::Malformed;
pub use default::default_value;
pub use encode::{Plain, encode, has_values};
use layout::Layout;
use model::{Batch, Cell, Column, DataType, Key, Payload};
use structs::SubColumn;
pub(crate) use structs::pick as structs_pick;

/// What is wrong with a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// The bytes are no protobuf message.
    #[error("malformed column")]
    Malformed,
    /// Values of a kind that this build does not know.
    #[error("the column's values are of an unknown kind, number {number}")]
    UnknownMember {
        /// The number of the message's field.
        number: u32,
    },
    /// More or fewer values than rows.
    #[error("the column has {values} values and {flags} null flags for {rows} rows")]
    Length {
        /// The values.
        values: usize,
        /// The flags.
        flags: usize,
        /// The rows.
        rows: usize,
    },
    /// A dimension that no vector can have.
    #[error("a vector can't have the dimension {dim}")]
    Dimension {
        /// The dimension.
        dim: u64,
    },
    /// Bytes that are not a whole number of values.
    #[error("{bytes} bytes are not a whole number of values of {width} bytes")]
    Uneven {
        /// The bytes.
        bytes: usize,
        /// The bytes of each value.
        width: usize,
    },
    /// A text that is not UTF-8.
    #[error("a text of the column is not UTF-8")]
    NotUtf8,
    /// A value was asked for beyond the last row.
    #[error("there is no row {row}")]
    NoRow {
        /// The row.
        row: usize,
    },
    /// A column that other batches have is missing.
    #[error("the batch has no column {name:?}")]
    NoColumn {
        /// The column's name.
        name: String,
    },
    /// The column that holds the primary keys is missing or of another type.
    #[error("the batch has no primary keys in a column {name:?}")]
    NoKeys {
        /// The field's name.
        name: String,
    },
}

impl From<Malformed> for ColumnError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A column, ready to have its values read.
#[derive(Debug, Clone)]
pub struct ColumnReader<'a> {
    rows: usize,
    data_type: DataType,
    values: Values<'a>,
    nulls: Nulls<'a>,
}

#[derive(Debug, Clone)]
enum Values<'a> {
    None,
    Flat(Layout<'a>),
    Structs(Vec<SubColumn<'a>>),
}

/// Which rows are null, and where the values of the others are.
#[derive(Debug, Clone)]
enum Nulls<'a> {
    None,
    /// A value for each row, whatever the flag.
    Full(&'a [u8]),
    /// A value for each row that is not null: the place of each row's value.
    Compact(Vec<Option<u32>>),
}

impl<'a> ColumnReader<'a> {
    /// Looks at a column of so many rows.
    ///
    /// # Errors
    /// [`ColumnError`] when the bytes are not what Milvus would send. Values inside arrays are looked at only when they are read.
    pub fn new(column: &'a Column, rows: u32) -> Result<Self, ColumnError> {
        Self::of_parts(
            column.data_type,
            &column.payload,
            &column.valid,
            rows as usize,
        )
    }

    fn of_parts(
        data_type: DataType,
        payload: &'a Payload,
        valid: &'a [u8],
        rows: usize,
    ) -> Result<Self, ColumnError> {
        match payload {
            Payload::Scalars(bytes) => {
                Self::flat(data_type, Layout::of_scalars(bytes)?, valid, rows)
            }
            Payload::Vectors(bytes) => {
                Self::flat(data_type, Layout::of_vectors(bytes)?, valid, rows)
            }
            Payload::Structs(bytes) => {
                let values = Values::Structs(structs::read(bytes, rows)?);
                let nulls = if valid.is_empty() {
                    Nulls::None
                } else {
                    Nulls::Full(valid)
                };
                Self {
                    rows,
                    data_type,
                    values,
                    nulls,
                }
                .checked(valid)
            }
            Payload::Absent => Self::flat(data_type, None, valid, rows),
            Payload::File(_) => Err(ColumnError::Malformed),
        }
    }

    fn flat(
        data_type: DataType,
        layout: Option<Layout<'a>>,
        valid: &'a [u8],
        rows: usize,
    ) -> Result<Self, ColumnError> {
        let count = layout.as_ref().map_or(0, |layout| layout.elements.len());
        let nulls = nulls(count, valid, rows, layout.is_none())?;
        let values = layout.map_or(Values::None, Values::Flat);
        Ok(Self {
            rows,
            data_type,
            values,
            nulls,
        })
    }

    fn checked(self, valid: &[u8]) -> Result<Self, ColumnError> {
        if valid.is_empty() || valid.len() == self.rows {
            Ok(self)
        } else {
            Err(ColumnError::Length {
                values: self.rows,
                flags: valid.len(),
                rows: self.rows,
            })
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The value of one row, from 0.
    ///
    /// # Errors
    /// [`ColumnError`] when there is no such row, or its value is malformed.
    pub fn cell(&self, row: usize) -> Result<Cell<'_>, ColumnError> {
        if row >= self.rows {
            return Err(ColumnError::NoRow { row });
        }
        let place = match &self.nulls {
            Nulls::None => row,
            Nulls::Full(valid) if valid[row] == 0 => return Ok(Cell::Null),
            Nulls::Full(_) => row,
            Nulls::Compact(places) => match places[row] {
                Some(place) => place as usize,
                None => return Ok(Cell::Null),
            },
        };
        match &self.values {
            Values::None => Ok(Cell::Null),
            Values::Flat(layout) => cells::decode(layout, self.data_type, place),
            Values::Structs(columns) => structs::cell(columns, place),
        }
    }
}

/// Matches values and flags to rows.
fn nulls(count: usize, valid: &[u8], rows: usize, absent: bool) -> Result<Nulls<'_>, ColumnError> {
    let wrong = ColumnError::Length {
        values: count,
        flags: valid.len(),
        rows,
    };
    if valid.is_empty() {
        // Without a data message and without flags, every row is null, or there is none.
        let all_null = absent && count == 0;
        return if count == rows || all_null {
            Ok(Nulls::None)
        } else {
            Err(wrong)
        };
    }
    if valid.len() != rows {
        return Err(wrong);
    }
    let set = valid.iter().filter(|flag| **flag != 0).count();
    if count == rows {
        Ok(Nulls::Full(valid))
    } else if count == set {
        let mut next = 0;
        let places = valid.iter().map(|flag| {
            (*flag != 0).then(|| {
                next += 1;
                next - 1
            })
        });
        Ok(Nulls::Compact(places.collect()))
    } else {
        Err(wrong)
    }
}

/// The primary keys of a batch, row by row.
///
/// # Errors
/// [`ColumnError::NoKeys`] when there is no column of that name, or its values are no keys; others when it is malformed.
pub fn keys(batch: &Batch, primary: &str) -> Result<Vec<Key>, ColumnError> {
    let missing = || ColumnError::NoKeys {
        name: primary.to_owned(),
    };
    if batch.rows == 0 {
        return Ok(Vec::new());
    }
    let reader = ColumnReader::new(batch.column(primary).ok_or_else(missing)?, batch.rows)?;
    (0..reader.rows())
        .map(|row| match reader.cell(row)? {
            Cell::Int(number) => Ok(Key::Int64(number)),
            Cell::Text(text) => Ok(Key::VarChar(text.to_owned())),
            _ => Err(missing()),
        })
        .collect()
}

#[cfg(test)]
mod tests;
