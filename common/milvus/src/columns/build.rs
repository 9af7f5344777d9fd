//! Payloads made of some of another payload's values. What was not decoded is copied as it was.

use super::layout::{Elements, Kind, Layout};
use crate::wire::{bytes_len, put_bytes_head, put_varint};

impl Layout<'_> {
    /// A payload with the values at these places, in their order. Places beyond the last are left out.
    pub(crate) fn pick(&self, places: impl IntoIterator<Item = usize>) -> Vec<u8> {
        let values: Vec<&[u8]> = places
            .into_iter()
            .filter_map(|place| self.elements.at(place))
            .collect();
        self.compose(&values)
    }

    /// A payload of this one's kind with these values.
    pub(crate) fn compose(&self, values: &[&[u8]]) -> Vec<u8> {
        match self.kind {
            Kind::Packed { member } => Body::packed(values).inside(None, member),
            Kind::Blobs { member } => Body::repeated(1, values).inside(None, member),
            Kind::Arrays => Body::repeated(1, values)
                .and_then(2, self.element_type)
                .inside(None, 8),
            Kind::Dense { member: 2, dim } => Body::packed(values).inside(Some(dim), 2),
            Kind::Dense { member, dim } => Body::bare(values).inside(Some(dim), member),
            Kind::Sparse => {
                let dim = values.iter().map(|row| sparse_dim(row)).max().unwrap_or(0);
                Body::repeated(1, values)
                    .and_then(2, Some(dim))
                    .inside(Some(dim), 6)
            }
            Kind::VectorArrays { dim } => Body {
                before: number_field(1, Some(dim)),
                ..Body::repeated(2, values)
            }
            .and_then(3, self.element_type)
            .inside(Some(dim), 8),
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

/// Values as the body of a payload's member, not yet written: its length is told first, so that each value is copied once.
struct Body<'a> {
    before: Vec<u8>,
    values: &'a [&'a [u8]],
    /// Each value is a field of this number; without one they are a single run.
    each: Option<u32>,
    after: Vec<u8>,
}

impl<'a> Body<'a> {
    /// One value behind the other.
    fn bare(values: &'a [&'a [u8]]) -> Self {
        Self {
            before: Vec::new(),
            values,
            each: None,
            after: Vec::new(),
        }
    }

    /// All values as one field 1, if there are any.
    fn packed(values: &'a [&'a [u8]]) -> Self {
        let mut before = Vec::new();
        let run = values.iter().map(|value| value.len()).sum();
        if run > 0 {
            put_bytes_head(&mut before, 1, run);
        }
        let bare = Self::bare(values);
        Self { before, ..bare }
    }

    /// Each value as a field of this number.
    fn repeated(number: u32, values: &'a [&'a [u8]]) -> Self {
        let each = Some(number);
        let bare = Self::bare(values);
        Self { each, ..bare }
    }

    fn and_then(self, number: u32, value: Option<u64>) -> Self {
        let after = number_field(number, value);
        Self { after, ..self }
    }

    fn len(&self) -> usize {
        let value_len = |value: &&[u8]| {
            let each = self.each.map(|number| bytes_len(number, value.len()));
            each.unwrap_or(value.len())
        };
        let values: usize = self.values.iter().map(value_len).sum();
        self.before.len() + values + self.after.len()
    }

    /// The payload: this body as the given member, behind the dimension if there is one.
    fn inside(&self, dim: Option<u64>, member: u32) -> Vec<u8> {
        let mut out = number_field(1, dim);
        let len = self.len();
        out.reserve_exact(bytes_len(member, len));
        put_bytes_head(&mut out, member, len);
        out.extend_from_slice(&self.before);
        for value in self.values {
            if let Some(number) = self.each {
                put_bytes_head(&mut out, number, value.len());
            }
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&self.after);
        out
    }
}

fn number_field(number: u32, value: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(value) = value {
        put_varint(&mut out, number, value);
    }
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
