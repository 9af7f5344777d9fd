//! Columns for tests, written by hand.

use crate::wire::{put_bytes, put_varint};
use bytes::Bytes;
use model::{Batch, Column, DataType, Payload, Schema};
use prost::Message;
use prost::encoding::encode_varint;
use proto::milvus::schema::{CollectionSchema, FieldSchema};

pub(crate) fn column(name: &str, data_type: DataType, payload: Payload, valid: &[u8]) -> Column {
    Column {
        name: name.to_owned(),
        field_id: 0,
        data_type,
        is_dynamic: false,
        valid: Bytes::copy_from_slice(valid),
        payload,
    }
}

pub(crate) fn inside(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, number, body);
    out
}

/// A scalar payload with a packed run of varints.
pub(crate) fn varints(member: u32, values: &[i64]) -> Bytes {
    let mut run = Vec::new();
    values
        .iter()
        .for_each(|value| encode_varint(value.cast_unsigned(), &mut run));
    inside(member, &inside(1, &run)).into()
}

/// A scalar payload with runs of bytes.
pub(crate) fn blobs(member: u32, values: &[&[u8]]) -> Bytes {
    let body: Vec<u8> = values.iter().flat_map(|value| inside(1, value)).collect();
    inside(member, &body).into()
}

pub(crate) fn ints(name: &str, values: &[i64]) -> Column {
    column(
        name,
        DataType::INT64,
        Payload::Scalars(varints(3, values)),
        &[],
    )
}

pub(crate) fn texts(values: &[&str], valid: &[u8]) -> Column {
    let values: Vec<&[u8]> = values.iter().map(|text| text.as_bytes()).collect();
    column(
        "text",
        DataType::VARCHAR,
        Payload::Scalars(blobs(6, &values)),
        valid,
    )
}

/// A vector payload of this member and dimension.
pub(crate) fn vectors(member: u32, dim: u64, body: &[u8]) -> Bytes {
    let mut out = Vec::new();
    put_varint(&mut out, 1, dim);
    put_bytes(&mut out, member, body);
    out.into()
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// A field of a struct array: a column of arrays of numbers, one array for each row.
fn struct_column(rows: u32) -> Column {
    let arrays: Vec<Vec<u8>> = (0..i64::from(rows))
        .map(|row| varints(3, &[row, row + 1]).to_vec())
        .collect();
    let mut body: Vec<u8> = arrays.iter().flat_map(|array| inside(1, array)).collect();
    put_varint(&mut body, 2, 5);
    let mut data = Vec::new();
    put_varint(&mut data, 1, 22);
    put_bytes(&mut data, 2, b"clips[label]");
    put_bytes(&mut data, 3, &inside(8, &body));
    column(
        "clips",
        DataType::ARRAY_OF_STRUCT,
        Payload::Structs(inside(1, &data).into()),
        &[],
    )
}

/// So many rows of every kind of column; bit n of `nulls` makes row n null where a column can be null.
pub(crate) fn batch(rows: u32, nulls: u16) -> Batch {
    let valid: Vec<u8> = (0..rows)
        .map(|row| u8::from(nulls & (1 << row) == 0))
        .collect();
    let is_valid = |row: &u32| valid[*row as usize] == 1;
    let numbers: Vec<i64> = (0..i64::from(rows))
        .map(|row| row * 1_000_003 - 5)
        .collect();
    let names: Vec<String> = (0..rows).map(|row| format!("text {row}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dense: Vec<f32> = (0..rows).flat_map(|row| [row as f32, -0.0, 1.5]).collect();
    let compact: Vec<f32> = (0..rows)
        .filter(is_valid)
        .flat_map(|row| [row as f32, 2.5])
        .collect();
    let sparse: Vec<u8> = (0..rows)
        .flat_map(|row| {
            let pair: Vec<u8> = [row.to_le_bytes(), 1.5f32.to_le_bytes()].concat();
            inside(1, &pair.repeat(row as usize % 3))
        })
        .collect();
    let vector = |name, kind, payload, valid| column(name, kind, Payload::Vectors(payload), valid);
    Batch {
        rows,
        columns: vec![
            ints("pk", &numbers),
            texts(&names, &valid),
            vector(
                "dense",
                DataType::FLOAT_VECTOR,
                vectors(2, 3, &inside(1, &floats(&dense))),
                &[],
            ),
            vector(
                "compact",
                DataType::FLOAT_VECTOR,
                vectors(2, 2, &inside(1, &floats(&compact))),
                &valid,
            ),
            vector(
                "bits",
                DataType::BINARY_VECTOR,
                vectors(3, 16, &vec![7; rows as usize * 2]),
                &[],
            ),
            vector(
                "sparse",
                DataType::SPARSE_FLOAT_VECTOR,
                vectors(6, 9, &sparse),
                &[],
            ),
            struct_column(rows),
        ],
    }
}

/// The schema of a collection with an Int64 key and a text.
pub(crate) fn schema() -> Schema {
    let field = |name: &str, data_type: DataType, is_primary_key| FieldSchema {
        name: name.to_owned(),
        data_type: data_type.number(),
        is_primary_key,
        ..FieldSchema::default()
    };
    let fields = vec![
        field("pk", DataType::INT64, true),
        field("text", DataType::VARCHAR, false),
    ];
    let schema = CollectionSchema {
        fields,
        ..CollectionSchema::default()
    };
    crate::schema::decode(&schema.encode_to_vec().into()).unwrap()
}
