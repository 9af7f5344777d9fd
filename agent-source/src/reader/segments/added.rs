//! Fields that were added to a collection after files of its segments were written: what their rows have there.
//!
//! Milvus fills them in where it reads such files (`internal/storage/arrow_util.go`, `GenerateEmptyArrayFromSchema`): with the default value,
//! and where there is none with null.

use binlog::{Blobs, FieldValues, Values};
use milvus::{ColumnError, columns};
use model::{Cell, Field};

/// What rows without values have for a field. An object without members is what a row without dynamic fields has.
const NO_MEMBERS: &[u8] = b"{}";

/// The values of so many rows of a field that their files do not have; `None` where a field must be in them.
///
/// # Errors
/// [`ColumnError`] for a default value that is not understood.
pub(super) fn values(field: &Field, rows: usize) -> Result<Option<FieldValues>, ColumnError> {
    let repeated = |blob: &[u8]| Values::Blobs(std::iter::repeat_n(blob, rows).collect::<Blobs>());
    let values = match columns::default_value(field)? {
        Some(Cell::Bool(value)) => Values::Bools(vec![value; rows]),
        Some(Cell::Int(value)) => Values::Ints(vec![value; rows]),
        Some(Cell::Float(value)) => Values::Floats(vec![value; rows]),
        Some(Cell::Double(value)) => Values::Doubles(vec![value; rows]),
        Some(Cell::Text(text)) => repeated(text.as_bytes()),
        Some(Cell::Json(text)) => repeated(text),
        Some(_) => return Err(ColumnError::Malformed),
        None if field.is_dynamic => repeated(NO_MEMBERS),
        None if field.nullable => {
            let valid = vec![false; rows];
            let values = nothing(field);
            return Ok(Some(FieldValues {
                rows,
                valid,
                values,
            }));
        }
        None => return Ok(None),
    };
    let valid = Vec::new();
    Ok(Some(FieldValues {
        rows,
        valid,
        values,
    }))
}

/// No value, of a field's kind.
fn nothing(field: &Field) -> Values {
    use model::DataType as Of;
    match field.data_type {
        Of::BOOL => Values::Bools(Vec::new()),
        Of::INT8 | Of::INT16 | Of::INT32 | Of::INT64 => Values::Ints(Vec::new()),
        Of::FLOAT => Values::Floats(Vec::new()),
        Of::DOUBLE => Values::Doubles(Vec::new()),
        _ => Values::Blobs(Blobs::default()),
    }
}
