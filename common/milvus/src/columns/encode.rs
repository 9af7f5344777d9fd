//! Columns made of plain values, as a query would answer them.

use super::ColumnError;
use super::layout::{Elements, Kind, Layout, dense_width};
use crate::wire;
use bytes::Bytes;
use model::{Column, DataType, Field, Payload};

/// The values of a column, nulls left out.
#[derive(Debug, Clone, Copy)]
pub enum Plain<'a> {
    /// Truth values.
    Bools(&'a [bool]),
    /// Integers of any width.
    Ints(&'a [i64]),
    /// Single-precision numbers.
    Floats(&'a [f32]),
    /// Double-precision numbers.
    Doubles(&'a [f64]),
    /// Runs of bytes: texts, JSON, arrays (a serialized `schema.ScalarField` each), vectors.
    Blobs(&'a [&'a [u8]]),
}

/// A column of a field: with these null flags, one a row or none at all, and these values.
///
/// # Errors
/// [`ColumnError`] when the field's type has no such values, or when a dense vector's bytes are not those of a whole dimension. Texts
/// are not looked at.
pub fn encode(field: &Field, valid: Bytes, values: Plain<'_>) -> Result<Column, ColumnError> {
    let kind = kind(field, values)?;
    let layout = Layout {
        kind,
        elements: Elements::Apart(Vec::new()),
        element_type: match kind {
            Kind::Arrays => field
                .element_type
                .map(|kind| u64::from(kind.number().unsigned_abs())),
            _ => None,
        },
    };
    let bytes = match values {
        Plain::Blobs(blobs) => layout.compose(blobs),
        Plain::Bools(truths) => {
            let each = truths.iter().map(|truth| [u8::from(*truth)]);
            layout.compose_each(each)
        }
        Plain::Ints(numbers) => {
            let each = numbers
                .iter()
                .map(|number| wire::varint(number.cast_unsigned()));
            layout.compose_each(each)
        }
        Plain::Floats(numbers) => {
            layout.compose_each(numbers.iter().map(|number| number.to_le_bytes()))
        }
        Plain::Doubles(numbers) => {
            layout.compose_each(numbers.iter().map(|number| number.to_le_bytes()))
        }
    };
    Ok(Column {
        name: field.name.clone(),
        field_id: field.id,
        data_type: field.data_type,
        is_dynamic: field.is_dynamic,
        valid,
        payload: if field.data_type.is_vector() {
            Payload::Vectors(bytes.into())
        } else {
            Payload::Scalars(bytes.into())
        },
    })
}

/// Whether values of this type can be written so.
#[must_use]
pub fn has_values(data_type: DataType) -> bool {
    use DataType as Of;
    matches!(
        data_type,
        Of::BOOL
            | Of::INT8
            | Of::INT16
            | Of::INT32
            | Of::INT64
            | Of::FLOAT
            | Of::DOUBLE
            | Of::VARCHAR
            | Of::JSON
            | Of::ARRAY
            | Of::SPARSE_FLOAT_VECTOR
            | Of::FLOAT_VECTOR
            | Of::BINARY_VECTOR
            | Of::FLOAT16_VECTOR
            | Of::BFLOAT16_VECTOR
            | Of::INT8_VECTOR
    )
}

/// How values of a type are written.
fn kind(field: &Field, values: Plain<'_>) -> Result<Kind, ColumnError> {
    use DataType as Of;
    Ok(match (field.data_type, values) {
        (Of::BOOL, Plain::Bools(_)) => Kind::Packed { member: 1 },
        (Of::INT8 | Of::INT16 | Of::INT32, Plain::Ints(_)) => Kind::Packed { member: 2 },
        (Of::INT64, Plain::Ints(_)) => Kind::Packed { member: 3 },
        (Of::FLOAT, Plain::Floats(_)) => Kind::Packed { member: 4 },
        (Of::DOUBLE, Plain::Doubles(_)) => Kind::Packed { member: 5 },
        (Of::VARCHAR, Plain::Blobs(_)) => Kind::Blobs { member: 6 },
        (Of::JSON, Plain::Blobs(_)) => Kind::Blobs { member: 9 },
        (Of::ARRAY, Plain::Blobs(_)) => Kind::Arrays,
        (Of::SPARSE_FLOAT_VECTOR, Plain::Blobs(_)) => Kind::Sparse,
        (_, Plain::Blobs(vectors)) => dense(field, vectors)?,
        _ => return Err(ColumnError::Malformed),
    })
}

/// Dense vectors, of which the first tells the dimension, and where all are null the field.
fn dense(field: &Field, vectors: &[&[u8]]) -> Result<Kind, ColumnError> {
    let bytes = vectors.first().map_or(0, |vector| vector.len());
    let width = bytes as u64;
    let (member, dim) = match field.data_type {
        DataType::FLOAT_VECTOR => (2, width / 4),
        DataType::BINARY_VECTOR => (3, width * 8),
        DataType::FLOAT16_VECTOR => (4, width / 2),
        DataType::BFLOAT16_VECTOR => (5, width / 2),
        DataType::INT8_VECTOR => (7, width),
        _ => return Err(ColumnError::Malformed),
    };
    let is_whole = dense_width(member, dim)? == bytes;
    let told = field.params.get("dim").and_then(|dim| dim.parse().ok());
    if let (true, Some(dim)) = (vectors.is_empty(), told) {
        return Ok(Kind::Dense { member, dim });
    }
    match vectors.iter().find(|vector| vector.len() != bytes) {
        None if is_whole => Ok(Kind::Dense { member, dim }),
        other => Err(ColumnError::Uneven {
            bytes: other.map_or(bytes, |vector| vector.len()),
            width: bytes,
        }),
    }
}

impl Layout<'_> {
    fn compose_each<B: AsRef<[u8]>>(&self, values: impl Iterator<Item = B>) -> Vec<u8> {
        let values: Vec<B> = values.collect();
        let values: Vec<&[u8]> = values.iter().map(AsRef::as_ref).collect();
        self.compose(&values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnReader;
    use crate::columns::samples;
    use model::Cell;

    fn field(data_type: DataType, element_type: Option<DataType>) -> Field {
        Field {
            name: "field".into(),
            id: 105,
            data_type,
            element_type,
            ..samples::schema().fields[1].clone()
        }
    }

    fn cells(
        data_type: DataType,
        valid: &'static [u8],
        rows: u32,
        values: Plain<'_>,
    ) -> Vec<String> {
        let field = field(data_type, Some(DataType::INT64));
        let column = encode(&field, Bytes::from_static(valid), values).unwrap();
        assert_eq!((column.field_id, column.data_type), (105, data_type));
        let reader = ColumnReader::new(&column, rows).unwrap();
        let cells = (0..rows as usize).map(|row| format!("{:?}", reader.cell(row).unwrap()));
        cells.collect()
    }

    #[test]
    fn values_of_every_kind_read_back_as_they_were() {
        let ints = [i64::from(i32::MIN), -1, 0, 300];
        let told: Vec<_> = ints
            .iter()
            .map(|int| format!("{:?}", Cell::Int(*int)))
            .collect();
        for data_type in [DataType::INT32, DataType::INT64] {
            assert_eq!(cells(data_type, &[], 4, Plain::Ints(&ints)), told);
        }
        let bools = cells(DataType::BOOL, &[], 2, Plain::Bools(&[true, false]));
        assert_eq!(bools, ["Bool(true)", "Bool(false)"]);
        let floats = cells(DataType::FLOAT, &[], 2, Plain::Floats(&[-0.0, 1.5]));
        assert_eq!(floats, ["Float(-0.0)", "Float(1.5)"]);
        let doubles = cells(DataType::DOUBLE, &[], 2, Plain::Doubles(&[-0.0, 1.5]));
        assert_eq!(doubles, ["Double(-0.0)", "Double(1.5)"]);
        let texts = cells(DataType::VARCHAR, &[], 2, Plain::Blobs(&[b"", b"a"]));
        assert_eq!(texts, ["Text(\"\")", "Text(\"a\")"]);
        let arrays = cells(
            DataType::ARRAY,
            &[],
            1,
            Plain::Blobs(&[&[0x1a, 3, 0x0a, 1, 7]]),
        );
        assert_eq!(arrays, ["Array([Int(7)])"]);
    }

    #[test]
    fn vectors_of_every_type_read_back_as_they_were() {
        let vectors: [&[u8]; 2] = [&[1; 8], &[2; 8]];
        for data_type in [
            DataType::FLOAT_VECTOR,
            DataType::BINARY_VECTOR,
            DataType::FLOAT16_VECTOR,
            DataType::BFLOAT16_VECTOR,
            DataType::INT8_VECTOR,
        ] {
            let wanted =
                vectors.map(|bytes| format!("{:?}", Cell::Vector(data_type, bytes.into())));
            assert_eq!(cells(data_type, &[], 2, Plain::Blobs(&vectors)), wanted);
        }
        let sparse = cells(
            DataType::SPARSE_FLOAT_VECTOR,
            &[],
            1,
            Plain::Blobs(&vectors[..1]),
        );
        assert_eq!(sparse, ["Sparse([(16843009, 16843009)])"]);
    }

    #[test]
    fn nulls_are_told_from_values() {
        let found = cells(DataType::INT64, &[1, 0, 0, 1], 4, Plain::Ints(&[7, 8]));
        assert_eq!(found, ["Int(7)", "Null", "Null", "Int(8)"]);
    }

    #[test]
    fn values_of_another_type_and_uneven_vectors_are_refused() {
        fn refused(data_type: DataType, values: Plain<'_>) -> Result<Column, ColumnError> {
            encode(&field(data_type, None), Bytes::new(), values)
        }
        let mixed = refused(DataType::INT64, Plain::Floats(&[1.0]));
        assert_eq!(mixed, Err(ColumnError::Malformed));
        for vectors in [[&[0u8; 8][..], &[0; 4]], [&[0; 7], &[0; 7]]] {
            let uneven = refused(DataType::FLOAT_VECTOR, Plain::Blobs(&vectors));
            assert!(
                matches!(uneven, Err(ColumnError::Uneven { .. })),
                "{uneven:?}"
            );
        }
    }
}
