//! One value, decoded.

use super::ColumnError;
use super::layout::{Kind, Layout};
use crate::wire::{self, Malformed};
use model::{Cell, DataType};
use std::borrow::Cow;

/// The value at a place of a payload.
pub(super) fn decode<'l>(
    layout: &'l Layout<'_>,
    data_type: DataType,
    place: usize,
) -> Result<Cell<'l>, ColumnError> {
    let bytes = layout
        .elements
        .at(place)
        .ok_or(ColumnError::NoRow { row: place })?;
    match layout.kind {
        Kind::Packed { member } => number(member, bytes),
        Kind::Blobs { member } => blob(member, bytes),
        Kind::Arrays => array(bytes),
        Kind::Dense { member, .. } => Ok(Cell::Vector(
            vector_type(member, data_type),
            Cow::Borrowed(bytes),
        )),
        Kind::Sparse => sparse(bytes),
        Kind::VectorArrays { .. } => vector_array(bytes),
    }
}

fn number<'l>(member: u32, bytes: &'l [u8]) -> Result<Cell<'l>, ColumnError> {
    Ok(match member {
        1 => Cell::Bool(wire::number(bytes)? != 0),
        // An int32 is written like the int64 of the same value, so that both are read alike.
        2 => Cell::Int(i64::from(wire::number(bytes)?.cast_signed() as i32)),
        4 => Cell::Float(f32::from_le_bytes(exactly(bytes)?)),
        5 => Cell::Double(f64::from_le_bytes(exactly(bytes)?)),
        _ => Cell::Int(wire::number(bytes)?.cast_signed()),
    })
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed)
}

fn blob(member: u32, bytes: &[u8]) -> Result<Cell<'_>, ColumnError> {
    match member {
        6 | 12 => std::str::from_utf8(bytes)
            .map(Cell::Text)
            .map_err(|_| ColumnError::NotUtf8),
        9 => Ok(Cell::Json(bytes)),
        // Bytes (7) belong to no type of field; Geometry as WKB (10) is never in a query's answer.
        other => Err(ColumnError::UnknownMember { number: other }),
    }
}

fn array(payload: &[u8]) -> Result<Cell<'_>, ColumnError> {
    let Some(layout) = Layout::of_scalars(payload)? else {
        return Ok(Cell::Array(Vec::new()));
    };
    elements(&layout, |layout, place| match layout.kind {
        Kind::Packed { member } => number_of(layout, member, place),
        Kind::Blobs { member } => blob_of(layout, member, place),
        _ => Err(ColumnError::Malformed),
    })
}

fn vector_array(payload: &[u8]) -> Result<Cell<'_>, ColumnError> {
    let Some(layout) = Layout::of_vectors(payload)? else {
        return Ok(Cell::Array(Vec::new()));
    };
    let Kind::Dense { member, .. } = layout.kind else {
        return Err(ColumnError::Malformed);
    };
    let data_type = vector_type(member, DataType::new(0));
    elements(&layout, |layout, place| {
        Ok(Cell::Vector(
            data_type,
            Cow::Owned(piece(layout, place)?.to_vec()),
        ))
    })
}

fn elements<'l>(
    layout: &Layout<'l>,
    decode: impl Fn(&Layout<'l>, usize) -> Result<Cell<'l>, ColumnError>,
) -> Result<Cell<'l>, ColumnError> {
    let cells: Result<Vec<_>, _> = (0..layout.elements.len())
        .map(|place| decode(layout, place))
        .collect();
    Ok(Cell::Array(cells?))
}

fn number_of<'l>(layout: &Layout<'l>, member: u32, place: usize) -> Result<Cell<'l>, ColumnError> {
    Ok(match number(member, piece(layout, place)?)? {
        Cell::Bool(truth) => Cell::Bool(truth),
        Cell::Int(number) => Cell::Int(number),
        Cell::Float(number) => Cell::Float(number),
        Cell::Double(number) => Cell::Double(number),
        _ => return Err(ColumnError::Malformed),
    })
}

fn blob_of<'l>(layout: &Layout<'l>, member: u32, place: usize) -> Result<Cell<'l>, ColumnError> {
    match &layout.elements {
        super::layout::Elements::Apart(pieces) => blob(
            member,
            pieces.get(place).copied().ok_or(ColumnError::Malformed)?,
        ),
        super::layout::Elements::Even { .. } => Err(ColumnError::Malformed),
    }
}

fn piece<'l>(layout: &'l Layout<'_>, place: usize) -> Result<&'l [u8], ColumnError> {
    layout.elements.at(place).ok_or(ColumnError::Malformed)
}

/// The type that a vector payload's member holds; the column's own type where the member tells none.
fn vector_type(member: u32, otherwise: DataType) -> DataType {
    match member {
        2 => DataType::FLOAT_VECTOR,
        3 => DataType::BINARY_VECTOR,
        4 => DataType::FLOAT16_VECTOR,
        5 => DataType::BFLOAT16_VECTOR,
        7 => DataType::INT8_VECTOR,
        _ => otherwise,
    }
}

/// Pairs of an index and the bits of a value, four bytes each.
fn sparse(bytes: &[u8]) -> Result<Cell<'static>, ColumnError> {
    let (pairs, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(ColumnError::Uneven {
            bytes: bytes.len(),
            width: 8,
        });
    }
    let pair = |[a, b, c, d, e, f, g, h]: [u8; 8]| {
        (
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, g, h]),
        )
    };
    Ok(Cell::Sparse(pairs.iter().copied().map(pair).collect()))
}
