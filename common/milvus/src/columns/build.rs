//! Payloads made of some of another payload's values. What was not decoded is copied as it was.

use super::layout::{Elements, Kind, Layout};
use crate::wire::{put_bytes, put_varint};

impl Layout<'_> {
    /// A payload with the values at these places, in their order. Places beyond the last are left out.
    pub(crate) fn pick(&self, places: impl IntoIterator<Item = usize>) -> Vec<u8> {
        let values = places
            .into_iter()
            .filter_map(|place| self.elements.at(place));
        match self.kind {
            Kind::Packed { member } => inside(member, &packed(values)),
            Kind::Blobs { member } => inside(member, &repeated(1, values)),
            Kind::Arrays => {
                let mut body = repeated(1, values);
                self.element_type
                    .iter()
                    .for_each(|kind| put_varint(&mut body, 2, *kind));
                inside(8, &body)
            }
            Kind::Dense { member, dim } => {
                let run: Vec<u8> = values.flatten().copied().collect();
                let body = if member == 2 {
                    packed([run.as_slice()])
                } else {
                    run
                };
                with_dim(dim, member, &body)
            }
            Kind::Sparse => {
                let values: Vec<&[u8]> = values.collect();
                let dim = values.iter().map(|row| sparse_dim(row)).max().unwrap_or(0);
                let mut body = repeated(1, values);
                put_varint(&mut body, 2, dim);
                with_dim(dim, 6, &body)
            }
            Kind::VectorArrays { dim } => {
                let mut body = Vec::new();
                put_varint(&mut body, 1, dim);
                body.extend(repeated(2, values));
                self.element_type
                    .iter()
                    .for_each(|kind| put_varint(&mut body, 3, *kind));
                with_dim(dim, 8, &body)
            }
        }
    }

    /// Gives arrays that are empty messages the empty list of their elements' type; tells whether there were any.
    pub(crate) fn name_empty_arrays(&mut self) -> bool {
        let (Kind::Arrays, Elements::Apart(rows)) = (self.kind, &mut self.elements) else {
            return false;
        };
        if rows.iter().all(|row| !row.is_empty()) {
            return false;
        }
        // Without a type beside the arrays, one that is not empty has it.
        let first = rows
            .iter()
            .find_map(|row| row.first().map(|key| u64::from(key >> 3)));
        let member = self.element_type.and_then(member_of).or(first).unwrap_or(3);
        let empty = EMPTY_LISTS[(member as usize).clamp(1, EMPTY_LISTS.len()) - 1];
        rows.iter_mut()
            .filter(|row| row.is_empty())
            .for_each(|row| *row = empty);
        true
    }
}

/// The scalar messages that hold an empty list: of Bool 1, Int 2, Long 3, Float 4, Double 5 and String 6.
const EMPTY_LISTS: [&[u8]; 6] = [
    &[0x0a, 0],
    &[0x12, 0],
    &[0x1a, 0],
    &[0x22, 0],
    &[0x2a, 0],
    &[0x32, 0],
];

/// The member of the scalar message that holds elements of a type, by Milvus's numbers.
fn member_of(element_type: u64) -> Option<u64> {
    match element_type {
        1 => Some(1),
        2..=4 => Some(2),
        5 => Some(3),
        10 => Some(4),
        11 => Some(5),
        20 | 21 => Some(6),
        _ => None,
    }
}

fn inside(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 8);
    put_bytes(&mut out, number, body);
    out
}

fn with_dim(dim: u64, member: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 16);
    put_varint(&mut out, 1, dim);
    put_bytes(&mut out, member, body);
    out
}

fn packed<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let run: Vec<u8> = values.into_iter().flatten().copied().collect();
    if run.is_empty() {
        Vec::new()
    } else {
        inside(1, &run)
    }
}

fn repeated<'a>(number: u32, values: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    values
        .into_iter()
        .for_each(|value| put_bytes(&mut out, number, value));
    out
}

/// One more than the greatest index of a sparse vector. Its pairs are index and value, four bytes each.
fn sparse_dim(row: &[u8]) -> u64 {
    let indexes = row
        .as_chunks::<8>()
        .0
        .iter()
        .map(|pair| u64::from(u32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]])));
    indexes.max().map_or(0, |greatest| greatest + 1)
}
