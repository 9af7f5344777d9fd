//! Protocol buffers and frames by hand, so that what the client writes and reads is not checked by its own means.
//!
//! Source: https://protobuf.dev/programming-guides/encoding/ and https://pulsar.apache.org/docs/developing-binary-protocol/.

use std::collections::BTreeMap;

/// A message's fields: numbers, and texts or messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) numbers: BTreeMap<u64, u64>,
    pub(super) bytes: BTreeMap<u64, Vec<u8>>,
}

impl Fields {
    pub(super) fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Self::default();
        while !bytes.is_empty() {
            let key = take_varint(&mut bytes);
            match key & 7 {
                0 => {
                    let number = take_varint(&mut bytes);
                    fields.numbers.insert(key >> 3, number);
                }
                2 => {
                    let size = take_varint(&mut bytes) as usize;
                    fields.bytes.insert(key >> 3, bytes[..size].to_vec());
                    bytes = &bytes[size..];
                }
                other => panic!("wire type {other}"),
            }
        }
        fields
    }

    pub(super) fn number(&self, field: u64) -> Option<u64> {
        self.numbers.get(&field).copied()
    }

    pub(super) fn text(&self, field: u64) -> Option<&str> {
        let bytes = self.bytes.get(&field)?;
        Some(std::str::from_utf8(bytes).unwrap())
    }

    pub(super) fn message(&self, field: u64) -> Option<Self> {
        self.bytes.get(&field).map(|bytes| Self::read(bytes))
    }
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    number
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub(super) fn number(field: u64, number: u64) -> Vec<u8> {
    [varint(field << 3), varint(number)].concat()
}

pub(super) fn bytes(field: u64, bytes: &[u8]) -> Vec<u8> {
    let size = varint(bytes.len() as u64);
    [varint(field << 3 | 2), size, bytes.to_vec()].concat()
}

/// A command's frame; its type is the number of its field.
pub(super) fn command(kind: u64, body: &[u8]) -> Vec<u8> {
    frame(kind, body, &[])
}

fn frame(kind: u64, body: &[u8], rest: &[u8]) -> Vec<u8> {
    let command = [number(1, kind), bytes(kind, body)].concat();
    let total = (4 + command.len() + rest.len()) as u32;
    let size = command.len() as u32;
    [
        &total.to_be_bytes()[..],
        &size.to_be_bytes(),
        &command,
        rest,
    ]
    .concat()
}

pub(super) fn message_id((ledger, entry): (u64, u64)) -> Vec<u8> {
    [number(1, ledger), number(2, entry)].concat()
}

/// An entry of the log as it is delivered: what `entry` or `batch` made.
pub(super) fn delivery(id: (u64, u64), stored: &[u8], damage: u32) -> Vec<u8> {
    let body = [number(1, 1), bytes(2, &message_id(id))].concat();
    let checksum = crc32c(stored) ^ damage;
    let rest = [&[0x0e, 0x01][..], &checksum.to_be_bytes(), stored].concat();
    frame(9, &body, &rest)
}

/// An entry with one message; `more` is added to its metadata.
pub(super) fn entry(payload: &[u8], more: &[u8]) -> Vec<u8> {
    let metadata = [
        bytes(1, b"milvus"),
        number(2, 1),
        number(3, 1),
        more.to_vec(),
    ]
    .concat();
    let size = metadata.len() as u32;
    [&size.to_be_bytes()[..], &metadata, payload].concat()
}

/// An entry with a batch of messages, in ZSTD.
pub(super) fn zstd_batch(payloads: &[&[u8]]) -> Vec<u8> {
    let single = |payload: &&[u8]| {
        let metadata = number(3, payload.len() as u64);
        let size = metadata.len() as u32;
        [&size.to_be_bytes()[..], &metadata, payload].concat()
    };
    let plain: Vec<u8> = payloads.iter().flat_map(single).collect();
    let packed = zstd::bulk::compress(&plain, 1).unwrap();
    let count = number(11, payloads.len() as u64);
    let more = [number(8, 3), number(9, plain.len() as u64), count].concat();
    entry(&packed, &more)
}

/// CRC-32C, bit by bit.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let is_odd = crc & 1 == 1;
            crc = crc >> 1 ^ if is_odd { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}
