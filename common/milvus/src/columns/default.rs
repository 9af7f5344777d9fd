//! The default value of a field, decoded.

use super::ColumnError;
use crate::wire::{self, Value};
use model::{Cell, DataType, Field};

/// The value that rows without one have, if the field names one. By the members of `schema.ValueField`.
///
/// # Errors
/// [`ColumnError`] when it is malformed, of a kind that this build does not know, or not of the field's type.
pub fn default_value(field: &Field) -> Result<Option<Cell<'_>>, ColumnError> {
    let Some(raw) = &field.default_value else {
        return Ok(None);
    };
    let mut found = None;
    for member in wire::fields(raw) {
        let member = member.map_err(|_| ColumnError::Malformed)?;
        found = Some(cell(field.data_type, member.number, member.value)?);
    }
    Ok(found)
}

fn cell(data_type: DataType, number: u32, value: Value<'_>) -> Result<Cell<'_>, ColumnError> {
    use DataType as Of;
    let malformed = || ColumnError::Malformed;
    Ok(match (number, data_type, value) {
        (1, Of::BOOL, Value::Varint(number)) => Cell::Bool(number != 0),
        (2, Of::INT8 | Of::INT16 | Of::INT32, Value::Varint(number))
        | (3, Of::INT64, Value::Varint(number)) => Cell::Int(number.cast_signed()),
        (4, Of::FLOAT, Value::Fixed32(bytes)) => {
            let bytes = bytes.try_into().map_err(|_| malformed())?;
            Cell::Float(f32::from_le_bytes(bytes))
        }
        (5, Of::DOUBLE, Value::Fixed64(bytes)) => {
            let bytes = bytes.try_into().map_err(|_| malformed())?;
            Cell::Double(f64::from_le_bytes(bytes))
        }
        (6, Of::VARCHAR, Value::Bytes(text)) => {
            Cell::Text(std::str::from_utf8(text).map_err(|_| malformed())?)
        }
        (7, Of::JSON, Value::Bytes(text)) => Cell::Json(text),
        (1..=7, ..) => return Err(malformed()),
        (number, ..) => return Err(ColumnError::UnknownMember { number }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::samples;
    use bytes::Bytes;

    fn field(data_type: DataType, default_value: &'static [u8]) -> Field {
        Field {
            data_type,
            default_value: Some(Bytes::from_static(default_value)),
            ..samples::schema().fields[1].clone()
        }
    }

    #[test]
    fn a_default_is_read_as_its_fields_type_has_it() {
        let cases: [(DataType, &'static [u8], Cell<'_>); 7] = [
            (DataType::BOOL, &[0x08, 0], Cell::Bool(false)),
            (
                DataType::INT8,
                &[0x10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                Cell::Int(-1),
            ),
            (DataType::INT64, &[0x18, 7], Cell::Int(7)),
            (DataType::FLOAT, &[0x25, 0, 0, 0, 63], Cell::Float(0.5)),
            (
                DataType::DOUBLE,
                &[0x29, 0, 0, 0, 0, 0, 0, 0xe0, 0xbf],
                Cell::Double(-0.5),
            ),
            (DataType::VARCHAR, &[0x32, 1, b'x'], Cell::Text("x")),
            (DataType::JSON, &[0x3a, 2, b'{', b'}'], Cell::Json(b"{}")),
        ];
        for (data_type, raw, wanted) in cases {
            let field = field(data_type, raw);
            assert_eq!(default_value(&field), Ok(Some(wanted)), "{data_type}");
        }
    }

    #[test]
    fn a_default_of_another_type_is_refused_and_none_is_none() {
        let odd = field(DataType::INT64, &[0x32, 1, b'x']);
        assert_eq!(default_value(&odd), Err(ColumnError::Malformed));
        let later = field(DataType::TIMESTAMPTZ, &[0x40, 1]);
        let unknown = ColumnError::UnknownMember { number: 8 };
        assert_eq!(default_value(&later), Err(unknown));
        let none = Field {
            default_value: None,
            ..odd
        };
        assert_eq!(default_value(&none), Ok(None));
    }
}
