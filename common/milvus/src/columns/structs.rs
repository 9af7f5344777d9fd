//! Columns of struct arrays: one inner column for each field of the struct, each with an array for each row.

use super::{ColumnError, ColumnReader};
use crate::columns::layout::Layout;
use crate::cut::{flags_of, places};
use crate::wire::{self, Value};
use bytes::Bytes;
use model::{Cell, DataType, Payload};
use std::ops::Range;

/// The column of one field of the struct.
#[derive(Debug, Clone)]
pub(crate) struct SubColumn<'a> {
    name: &'a str,
    reader: ColumnReader<'a>,
}

/// The parts of a serialized `FieldData`, not yet understood.
pub(crate) struct RawColumn<'a> {
    pub(crate) name: &'a str,
    pub(crate) data_type: DataType,
    pub(crate) valid: &'a [u8],
    /// The number of the payload's field, and its bytes.
    pub(crate) payload: Option<(u32, &'a [u8])>,
}

/// Reads the inner columns of a serialized `StructArrayField`.
pub(super) fn read(bytes: &[u8], rows: usize) -> Result<Vec<SubColumn<'_>>, ColumnError> {
    let mut columns = Vec::new();
    for field in wire::fields(bytes) {
        let field = field?;
        if field.number == 1 {
            columns.push(sub_column(raw(field.value.bytes()?)?, rows)?);
        }
    }
    columns.sort_by(|a, b| a.name.cmp(b.name));
    Ok(columns)
}

/// The row of a struct array: what each field's column has there, by name.
pub(super) fn cell<'r>(columns: &'r [SubColumn<'_>], row: usize) -> Result<Cell<'r>, ColumnError> {
    let fields: Result<Vec<_>, ColumnError> = columns
        .iter()
        .map(|column| Ok((column.name, column.reader.cell(row)?)))
        .collect();
    Ok(Cell::Struct(fields?))
}

pub(crate) fn raw(field_data: &[u8]) -> Result<RawColumn<'_>, ColumnError> {
    let mut column = RawColumn {
        name: "",
        data_type: DataType::new(0),
        valid: &[],
        payload: None,
    };
    for field in wire::fields(field_data) {
        let field = field?;
        match (field.number, field.value) {
            (1, Value::Varint(number)) => {
                let number = i32::try_from(number).map_err(|_| ColumnError::Malformed)?;
                column.data_type = DataType::new(number);
            }
            (2, Value::Bytes(name)) => {
                let name = std::str::from_utf8(name).map_err(|_| ColumnError::NotUtf8)?;
                column.name = bare(name);
            }
            (number @ (3 | 4), Value::Bytes(bytes)) => column.payload = Some((number, bytes)),
            (7, Value::Bytes(flags)) => column.valid = flags,
            _ => {}
        }
    }
    Ok(column)
}

fn sub_column(raw: RawColumn<'_>, rows: usize) -> Result<SubColumn<'_>, ColumnError> {
    let layout = match raw.payload {
        Some((3, bytes)) => Layout::of_scalars(bytes)?,
        Some((_, bytes)) => Layout::of_vectors(bytes)?,
        None => None,
    };
    let reader = ColumnReader::flat(raw.data_type, layout, raw.valid, rows)?;
    Ok(SubColumn {
        name: raw.name,
        reader,
    })
}

/// A field's own name: some servers put the struct's in front, as `struct[field]`.
fn bare(name: &str) -> &str {
    match name.split_once('[') {
        Some((_, rest)) => rest.strip_suffix(']').unwrap_or(name),
        None => name,
    }
}

/// A struct payload with some of the rows.
pub(crate) fn pick(payload: &[u8], rows: Range<usize>) -> Result<Payload, ColumnError> {
    let mut out = Vec::new();
    for field in wire::fields(payload) {
        let field = field?;
        if field.number == 1 {
            wire::put_bytes(
                &mut out,
                1,
                &pick_column(field.value.bytes()?, rows.clone())?,
            );
        } else {
            out.extend_from_slice(field.raw);
        }
    }
    Ok(Payload::Structs(Bytes::from(out)))
}

fn pick_column(field_data: &[u8], rows: Range<usize>) -> Result<Vec<u8>, ColumnError> {
    let column = raw(field_data)?;
    let mut out = Vec::new();
    for field in wire::fields(field_data) {
        let field = field?;
        if !matches!(field.number, 3 | 4 | 7) {
            out.extend_from_slice(field.raw);
        }
    }
    let flags = flags_of(column.valid, &rows)?;
    if let Some((number, bytes)) = column.payload {
        let layout = if number == 3 {
            Layout::of_scalars(bytes)?
        } else {
            Layout::of_vectors(bytes)?
        };
        if let Some(layout) = layout {
            let places = places(column.valid, &rows, layout.elements.len());
            wire::put_bytes(&mut out, number, &layout.pick(places));
        }
    }
    if !flags.is_empty() {
        wire::put_bytes(&mut out, 7, flags);
    }
    Ok(out)
}
