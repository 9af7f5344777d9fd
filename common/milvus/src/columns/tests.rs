use super::samples::{batch, blobs, column, floats, inside, ints, texts, varints, vectors};
use super::*;
use crate::wire::put_varint;
use bytes::Bytes;
use proptest::prelude::*;
use std::borrow::Cow;

fn cells(column: &Column, rows: u32) -> Vec<String> {
    let reader = ColumnReader::new(column, rows).unwrap();
    (0..reader.rows())
        .map(|row| format!("{:?}", reader.cell(row).unwrap()))
        .collect()
}

fn scalar(data_type: DataType, payload: Bytes) -> Column {
    column("field", data_type, Payload::Scalars(payload), &[])
}

#[test]
fn numbers_of_every_width_are_read() {
    let int8 = scalar(DataType::INT8, varints(2, &[-128, 0, 127]));
    assert_eq!(cells(&int8, 3), ["Int(-128)", "Int(0)", "Int(127)"]);
    let int64 = scalar(DataType::INT64, varints(3, &[i64::MIN, i64::MAX]));
    assert_eq!(
        cells(&int64, 2),
        [format!("Int({})", i64::MIN), format!("Int({})", i64::MAX)]
    );
    let truths = scalar(DataType::BOOL, varints(1, &[1, 0]));
    assert_eq!(cells(&truths, 2), ["Bool(true)", "Bool(false)"]);
    let double = inside(5, &inside(1, &(-0.0f64).to_le_bytes()));
    assert_eq!(
        cells(&scalar(DataType::DOUBLE, double.into()), 1),
        ["Double(-0.0)"]
    );
}

#[test]
fn a_negative_int32_is_read_in_both_spellings() {
    // Ten bytes, as protobuf writes it, and five, as some writers do.
    let mut run = vec![0xfe, 0xff, 0xff, 0xff, 0x0f];
    run.extend([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    let payload = inside(2, &inside(1, &run));
    assert_eq!(
        cells(&scalar(DataType::INT32, payload.into()), 2),
        ["Int(-2)", "Int(-2)"]
    );
}

#[test]
fn texts_and_json_are_borrowed() {
    let column = texts(&["", "é"], &[]);
    let reader = ColumnReader::new(&column, 2).unwrap();
    assert_eq!(reader.cell(1), Ok(Cell::Text("é")));
    let json = scalar(DataType::JSON, blobs(9, &[b"{}", b"[1]"]));
    assert_eq!(
        ColumnReader::new(&json, 2).unwrap().cell(1),
        Ok(Cell::Json(b"[1]"))
    );
}

#[test]
fn arrays_hold_their_elements() {
    let rows = [varints(3, &[1, 2]), Bytes::new(), blobs(6, &[b"x"])];
    let body: Vec<u8> = rows.iter().flat_map(|row| inside(1, row)).collect();
    let arrays = scalar(DataType::ARRAY, inside(8, &body).into());
    assert_eq!(
        cells(&arrays, 3),
        [
            "Array([Int(1), Int(2)])",
            "Array([])",
            "Array([Text(\"x\")])"
        ]
    );
}

#[test]
fn dense_vectors_are_borrowed_by_their_bits() {
    let values = floats(&[1.0, -0.0, f32::MIN_POSITIVE, 3.0]);
    let payload = vectors(2, 2, &inside(1, &values));
    let column = column("v", DataType::FLOAT_VECTOR, Payload::Vectors(payload), &[]);
    let reader = ColumnReader::new(&column, 2).unwrap();
    let Cell::Vector(DataType::FLOAT_VECTOR, Cow::Borrowed(bytes)) = reader.cell(1).unwrap() else {
        panic!("not borrowed")
    };
    assert_eq!(bytes, &values[8..]);
}

#[test]
fn every_dense_type_has_its_width() {
    for (member, dim, width, kind) in [
        (3, 16, 2, DataType::BINARY_VECTOR),
        (4, 3, 6, DataType::FLOAT16_VECTOR),
        (5, 3, 6, DataType::BFLOAT16_VECTOR),
        (7, 3, 3, DataType::INT8_VECTOR),
    ] {
        let payload = vectors(member, dim, &vec![9; width * 2]);
        let column = column("v", kind, Payload::Vectors(payload), &[]);
        let reader = ColumnReader::new(&column, 2).unwrap();
        assert_eq!(
            reader.cell(1),
            Ok(Cell::Vector(kind, Cow::Borrowed(&vec![9; width][..])))
        );
    }
}

#[test]
fn arrays_of_vectors_hold_their_vectors() {
    let row = vectors(2, 1, &inside(1, &floats(&[1.0, 2.0])));
    let mut body = inside(2, &row);
    body.extend(inside(2, &vectors(2, 1, &inside(1, &[]))));
    put_varint(&mut body, 3, 101);
    let payload = vectors(8, 1, &body);
    let column = column(
        "v",
        DataType::ARRAY_OF_VECTOR,
        Payload::Vectors(payload),
        &[],
    );
    let reader = ColumnReader::new(&column, 2).unwrap();
    let one = |value: f32| Cell::Vector(DataType::FLOAT_VECTOR, Cow::Owned(floats(&[value])));
    assert_eq!(reader.cell(0), Ok(Cell::Array(vec![one(1.0), one(2.0)])));
    assert_eq!(reader.cell(1), Ok(Cell::Array(vec![])));
}

#[test]
fn structs_hold_their_fields_under_their_own_names() {
    let batch = batch(2, 0);
    let reader = ColumnReader::new(batch.column("clips").unwrap(), 2).unwrap();
    let label = Cell::Array(vec![Cell::Int(1), Cell::Int(2)]);
    assert_eq!(reader.cell(1), Ok(Cell::Struct(vec![("label", label)])));
}

#[test]
fn full_and_compact_nulls_read_alike() {
    let full = texts(&["a", "placeholder", "c"], &[1, 0, 1]);
    let compact = texts(&["a", "c"], &[1, 0, 1]);
    assert_eq!(cells(&full, 3), cells(&compact, 3));
    assert_eq!(cells(&full, 3)[1], "Null");
    let absent = column("field", DataType::VARCHAR, Payload::Absent, &[0, 0]);
    assert_eq!(cells(&absent, 2), ["Null", "Null"]);
}

#[test]
fn too_few_and_too_many_values_are_refused() {
    for (column, rows) in [
        (ints("pk", &[1, 2]), 3),
        (ints("pk", &[1, 2]), 1),
        (texts(&["a"], &[1, 1, 0]), 3),
        (texts(&["a", "b", "c"], &[1, 1]), 3),
    ] {
        let refused = ColumnReader::new(&column, rows);
        assert!(
            matches!(refused, Err(ColumnError::Length { .. })),
            "{refused:?}"
        );
    }
    let torn = vectors(2, 3, &inside(1, &floats(&[1.0, 2.0])));
    let torn = column("v", DataType::FLOAT_VECTOR, Payload::Vectors(torn), &[]);
    assert!(matches!(
        ColumnReader::new(&torn, 1),
        Err(ColumnError::Uneven { .. })
    ));
}

#[test]
fn keys_are_read_and_nothing_else_is_taken_for_one() {
    let batch = Batch {
        rows: 2,
        columns: vec![ints("pk", &[7, -7]), texts(&["a", "b"], &[])],
    };
    assert_eq!(keys(&batch, "pk"), Ok(vec![Key::Int64(7), Key::Int64(-7)]));
    assert_eq!(
        keys(&batch, "text").unwrap()[1],
        Key::VarChar("b".to_owned())
    );
    assert!(matches!(
        keys(&batch, "other"),
        Err(ColumnError::NoKeys { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_a_column_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        valid in proptest::collection::vec(0u8..2, 0..6),
        rows in 0u32..6,
        kind in 0u8..4,
    ) {
        let bytes = Bytes::from(bytes);
        let payload = match kind {
            0 => Payload::Scalars(bytes),
            1 => Payload::Vectors(bytes),
            2 => Payload::Structs(bytes),
            _ => Payload::Absent,
        };
        let data_type = [DataType::VARCHAR, DataType::ARRAY, DataType::GEOMETRY][rows as usize % 3];
        let column = column("field", data_type, payload, &valid);
        let _ = crate::nulls::for_insert(&column, rows);
        let _ = crate::Cutter::new(&Batch { rows, columns: vec![column.clone()] }).map(|cutter| cutter.rows(0..rows / 2));
        if let Ok(reader) = ColumnReader::new(&column, rows) {
            for row in 0..=rows as usize {
                let _ = reader.cell(row);
            }
        }
    }

    #[test]
    fn one_changed_byte_never_panics(place in any::<prop::sample::Index>(), byte in any::<u8>(), which in 0usize..7) {
        let batch = batch(5, 0b10010);
        let mut column = batch.columns[which].clone();
        let mut bytes = column.payload.bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        column.payload = match column.payload {
            Payload::Scalars(_) => Payload::Scalars(bytes.into()),
            Payload::Vectors(_) => Payload::Vectors(bytes.into()),
            Payload::Structs(_) => Payload::Structs(bytes.into()),
            other => other,
        };
        if let Ok(reader) = ColumnReader::new(&column, batch.rows) {
            for row in 0..5 {
                let _ = reader.cell(row);
            }
        }
        let _ = crate::Cutter::new(&Batch { rows: 5, columns: vec![column] }).map(|cutter| cutter.rows(1..3));
    }
}
