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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::DataType;
    use std::collections::BTreeMap;

    fn field(data_type: DataType) -> Field {
        Field {
            id: 105,
            name: "later".to_owned(),
            description: String::new(),
            data_type,
            element_type: None,
            is_primary: false,
            auto_id: false,
            is_partition_key: false,
            is_clustering_key: false,
            is_dynamic: false,
            nullable: false,
            default_value: None,
            is_function_output: false,
            params: BTreeMap::new(),
            sub_fields: Vec::new(),
        }
    }

    fn of(field: &Field) -> FieldValues {
        values(field, 3).unwrap().unwrap()
    }

    #[test]
    fn a_field_with_a_default_has_it_in_every_row_also_where_it_may_be_null() {
        let text = Field {
            default_value: Some(Bytes::from_static(&[0x32, 1, b'x'])),
            nullable: true,
            ..field(DataType::VARCHAR)
        };
        let blobs: Blobs = [b"x"; 3].iter().map(|blob| &blob[..]).collect();
        let found = of(&text);
        assert_eq!((found.rows, found.values), (3, Values::Blobs(blobs)));
        assert!(found.valid.is_empty());
        let number = Field {
            default_value: Some(Bytes::from_static(&[0x18, 7])),
            ..field(DataType::INT64)
        };
        assert_eq!(of(&number).values, Values::Ints(vec![7; 3]));
    }

    #[test]
    fn a_field_that_may_be_null_is_null_in_every_row() {
        for data_type in [DataType::BOOL, DataType::FLOAT, DataType::FLOAT_VECTOR] {
            let nullable = Field {
                nullable: true,
                ..field(data_type)
            };
            let found = of(&nullable);
            assert_eq!((found.rows, found.valid), (3, vec![false; 3]));
            assert!(found.values.is_empty());
        }
    }

    #[test]
    fn a_row_without_dynamic_fields_has_an_object_without_members() {
        let dynamic = Field {
            is_dynamic: true,
            ..field(DataType::JSON)
        };
        let Values::Blobs(blobs) = of(&dynamic).values else {
            panic!("no blobs");
        };
        assert!(blobs.iter().eq([NO_MEMBERS; 3]));
    }

    #[test]
    fn a_field_that_every_row_has_must_be_in_files() {
        assert_eq!(values(&field(DataType::INT64), 3), Ok(None));
        let odd = Field {
            default_value: Some(Bytes::from_static(&[0x32, 1, b'x'])),
            ..field(DataType::INT64)
        };
        assert!(values(&odd, 3).is_err());
    }
}
