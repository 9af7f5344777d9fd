//! One value of one row, as far as it must be understood to be compared.

use crate::DataType;
use std::borrow::Cow;

/// A value, borrowed from the encoded column that holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// A single-precision number; compared by its bits.
    Float(f32),
    /// A double-precision number; compared by its bits.
    Double(f64),
    /// A VarChar, Text, Geometry (as WKT) or Timestamptz (as ISO 8601) value.
    Text(&'a str),
    /// A JSON text; compared by its meaning.
    Json(&'a [u8]),
    /// The elements of an array.
    Array(Vec<Cell<'a>>),
    /// A dense vector of this type, as its little-endian bytes.
    Vector(DataType, Cow<'a, [u8]>),
    /// A sparse vector: (index, bits of the value), in any order.
    Sparse(Vec<(u32, u32)>),
    /// The values of a struct array's fields, by name.
    Struct(Vec<(&'a str, Cell<'a>)>),
}
