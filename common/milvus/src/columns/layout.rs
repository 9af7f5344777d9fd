//! How a column's values lie in its payload: which kind they are, and where each of them begins and ends.

use super::ColumnError;
use crate::wire::{self, Malformed, Value};
use std::borrow::Cow;

/// What the values are, and with it how they are written. The numbers are those of the payload message's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number in a scalar payload: Bool 1, Int 2, Long 3, Timestamptz 11 are varints; Float 4 and Double 5 are fixed.
    Packed { member: u32 },
    /// String 6, Bytes 7, JSON 9, Geometry 10 and 12: one run of bytes each.
    Blobs { member: u32 },
    /// Arrays (8): one scalar payload each.
    Arrays,
    /// Dense vectors, all of them in one run of bytes; a float vector's run is that of a packed field.
    Dense { member: u32, dim: u64 },
    /// Sparse vectors (6).
    Sparse,
    /// Arrays of vectors (8): one vector payload each.
    VectorArrays { dim: u64 },
}

/// Where the values lie.
#[derive(Debug, Clone)]
pub(crate) enum Elements<'a> {
    /// Each of the same width, one behind the other.
    Even { bytes: Cow<'a, [u8]>, width: usize },
    /// Each for itself.
    Apart(Vec<&'a [u8]>),
}

/// A payload taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Layout<'a> {
    pub(crate) kind: Kind,
    pub(crate) elements: Elements<'a>,
    /// The element type that arrays carry beside their values.
    pub(crate) element_type: Option<u64>,
}

impl<'a> Elements<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Even { bytes, width } => bytes.len() / width.max(&1),
            Self::Apart(pieces) => pieces.len(),
        }
    }

    /// The bytes of one value; `None` beyond the last.
    pub(crate) fn at(&self, place: usize) -> Option<&[u8]> {
        match self {
            Self::Even { bytes, width } => {
                let begin = place.checked_mul(*width)?;
                bytes.get(begin..begin.checked_add(*width)?)
            }
            Self::Apart(pieces) => pieces.get(place).copied(),
        }
    }
}

impl<'a> Layout<'a> {
    /// Takes a serialized `ScalarField` apart. An empty one, which is how a column without a single value may come, is `None`.
    pub(crate) fn of_scalars(payload: &'a [u8]) -> Result<Option<Self>, ColumnError> {
        let Some(field) = last_field(payload)? else {
            return Ok(None);
        };
        let body = field.value.bytes()?;
        let (elements, element_type) = match field.number {
            1..=3 | 11 => (packed_varints(body)?, None),
            4 => (packed_fixed(body, 4)?, None),
            5 => (packed_fixed(body, 8)?, None),
            6 | 7 | 9 | 10 | 12 => (blobs(body, 1)?, None),
            8 => (blobs(body, 1)?, number_at(body, 2)?),
            other => return Err(ColumnError::UnknownMember { number: other }),
        };
        let kind = match field.number {
            8 => Kind::Arrays,
            member @ (6 | 7 | 9 | 10 | 12) => Kind::Blobs { member },
            member => Kind::Packed { member },
        };
        Ok(Some(Self {
            kind,
            elements,
            element_type,
        }))
    }

    /// Takes a serialized `VectorField` apart. Without any vector in it, it is `None`.
    pub(crate) fn of_vectors(payload: &'a [u8]) -> Result<Option<Self>, ColumnError> {
        let dim = number_at(payload, 1)?.unwrap_or(0);
        let Some(field) = last_field_but(payload, 1)? else {
            return Ok(None);
        };
        let body = field.value.bytes()?;
        let (kind, elements, element_type) = match field.number {
            2 => (Kind::Dense { member: 2, dim }, floats(body, dim)?, None),
            member @ (3 | 4 | 5 | 7) => {
                let width = dense_width(member, dim)?;
                let bytes = Cow::Borrowed(even(body, width)?);
                (
                    Kind::Dense { member, dim },
                    Elements::Even { bytes, width },
                    None,
                )
            }
            6 => (Kind::Sparse, blobs(body, 1)?, None),
            8 => {
                let dim = number_at(body, 1)?.unwrap_or(dim);
                (
                    Kind::VectorArrays { dim },
                    blobs(body, 2)?,
                    number_at(body, 3)?,
                )
            }
            other => return Err(ColumnError::UnknownMember { number: other }),
        };
        Ok(Some(Self {
            kind,
            elements,
            element_type,
        }))
    }
}

/// The last field of a message that holds a single choice: of several, protobuf takes the last.
fn last_field(message: &[u8]) -> Result<Option<wire::Field<'_>>, Malformed> {
    last_field_but(message, 0)
}

fn last_field_but(message: &[u8], other: u32) -> Result<Option<wire::Field<'_>>, Malformed> {
    let mut last = None;
    for field in wire::fields(message) {
        let field = field?;
        if field.number != other {
            last = Some(field);
        }
    }
    Ok(last)
}

fn number_at(message: &[u8], number: u32) -> Result<Option<u64>, Malformed> {
    let mut last = None;
    for field in wire::fields(message) {
        let field = field?;
        if field.number == number {
            last = Some(field.value.varint()?);
        }
    }
    Ok(last)
}

/// The bytes of one vector.
pub(crate) fn dense_width(member: u32, dim: u64) -> Result<usize, ColumnError> {
    let width = match member {
        2 => dim.checked_mul(4),
        3 if dim.is_multiple_of(8) => Some(dim / 8),
        4 | 5 => dim.checked_mul(2),
        7 => Some(dim),
        _ => None,
    };
    width
        .and_then(|width| usize::try_from(width).ok())
        .ok_or(ColumnError::Dimension { dim })
}

fn floats(body: &[u8], dim: u64) -> Result<Elements<'_>, ColumnError> {
    let width = dense_width(2, dim)?;
    match packed_fixed(body, 4)? {
        Elements::Even { bytes, .. } => {
            even(&bytes, width)?;
            Ok(Elements::Even { bytes, width })
        }
        Elements::Apart(_) => Err(Malformed.into()),
    }
}

fn even(bytes: &[u8], width: usize) -> Result<&[u8], ColumnError> {
    let fits = if width == 0 {
        bytes.is_empty()
    } else {
        bytes.len().is_multiple_of(width)
    };
    fits.then_some(bytes).ok_or(ColumnError::Uneven {
        bytes: bytes.len(),
        width,
    })
}

/// A repeated number of fixed width: in one run, as every server sends it, or in any other form that protobuf allows.
fn packed_fixed(body: &[u8], width: usize) -> Result<Elements<'_>, ColumnError> {
    let mut bytes = Cow::Borrowed(&body[..0]);
    for field in wire::fields(body) {
        let run = match field? {
            wire::Field {
                number: 1,
                value: Value::Bytes(run),
                ..
            } => run,
            wire::Field {
                number: 1,
                value: Value::Fixed32(one),
                ..
            } if width == 4 => one,
            wire::Field {
                number: 1,
                value: Value::Fixed64(one),
                ..
            } if width == 8 => one,
            _ => return Err(Malformed.into()),
        };
        let run = even(run, width)?;
        if bytes.is_empty() {
            bytes = Cow::Borrowed(run);
        } else {
            bytes.to_mut().extend_from_slice(run);
        }
    }
    Ok(Elements::Even { bytes, width })
}

fn packed_varints(body: &[u8]) -> Result<Elements<'_>, ColumnError> {
    let mut pieces = Vec::new();
    for field in wire::fields(body) {
        match field? {
            wire::Field {
                number: 1,
                value: Value::Bytes(run),
                ..
            } => {
                for varint in wire::varints(run) {
                    pieces.push(varint?);
                }
            }
            // One number by itself: its key is the single byte 0x08.
            wire::Field {
                number: 1,
                value: Value::Varint(_),
                raw,
            } => pieces.push(&raw[1..]),
            _ => return Err(Malformed.into()),
        }
    }
    Ok(Elements::Apart(pieces))
}

fn blobs(body: &[u8], number: u32) -> Result<Elements<'_>, ColumnError> {
    let mut pieces = Vec::new();
    for field in wire::fields(body) {
        let field = field?;
        if field.number == number {
            pieces.push(field.value.bytes()?);
        }
    }
    Ok(Elements::Apart(pieces))
}
