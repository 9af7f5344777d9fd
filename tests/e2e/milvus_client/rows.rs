//! Rows and schemas written by hand, so that these tests share no encoding with the client.

use bytes::Bytes;
use model::{Batch, Column, DataType, Key, Payload};

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(field: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(field << 3, &mut out);
    varint(value, &mut out);
    out
}

fn bytes(field: u64, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(field << 3 | 2, &mut out);
    varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

fn pair(key: &str, value: &str) -> Vec<u8> {
    [bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat()
}

/// The type of a collection's primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Int64,
    VarChar,
}

/// The serialized schema of a collection with a primary key `pk` and a vector `v`.
pub(crate) fn schema(name: &str, key: KeyKind, dim: u64) -> Bytes {
    let key = match key {
        KeyKind::Int64 => [bytes(2, b"pk"), number(3, 1), number(5, 5)].concat(),
        KeyKind::VarChar => {
            let length = bytes(6, &pair("max_length", "65535"));
            [bytes(2, b"pk"), number(3, 1), number(5, 21), length].concat()
        }
    };
    let dim = bytes(6, &pair("dim", &dim.to_string()));
    let vector = [bytes(2, b"v"), number(5, 101), dim].concat();
    [bytes(1, name.as_bytes()), bytes(4, &key), bytes(4, &vector)]
        .concat()
        .into()
}

fn column(name: &str, data_type: DataType, payload: Payload) -> Column {
    Column {
        name: name.to_owned(),
        field_id: 0,
        data_type,
        is_dynamic: false,
        valid: Bytes::new(),
        payload,
    }
}

fn keys_column(keys: &[Key]) -> Column {
    let mut run = Vec::new();
    let mut texts = Vec::new();
    for key in keys {
        match key {
            Key::Int64(value) => varint(*value as u64, &mut run),
            Key::VarChar(text) => texts.extend(bytes(1, text.as_bytes())),
        }
    }
    if texts.is_empty() {
        let payload = bytes(3, &bytes(1, &run));
        column("pk", DataType::INT64, Payload::Scalars(payload.into()))
    } else {
        column(
            "pk",
            DataType::VARCHAR,
            Payload::Scalars(bytes(6, &texts).into()),
        )
    }
}

/// A row for each key; every number of its vector is `value`.
pub(crate) fn batch(keys: &[Key], dim: u64, value: f32) -> Batch {
    batch_of(keys, dim, || value)
}

/// A row for each key; the numbers of their vectors are these.
pub(crate) fn batch_of(keys: &[Key], dim: u64, floats: impl FnMut() -> f32) -> Batch {
    let floats = std::iter::repeat_with(floats).take(keys.len() * dim as usize);
    let floats: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
    let payload = [number(1, dim), bytes(2, &bytes(1, &floats))].concat();
    let vectors = column(
        "v",
        DataType::FLOAT_VECTOR,
        Payload::Vectors(payload.into()),
    );
    Batch {
        rows: keys.len() as u32,
        columns: vec![keys_column(keys), vectors],
    }
}
