//! The canonical form of a value: bytes that are the same exactly if the values are.
//!
//! Every value is a tag, then a body whose end the tag or a length tells; so no two sequences of values have the same bytes.

use crate::Cell;
use blake3::Hasher;
use serde_json::{Number, Value};

const NULL: u8 = 0;
const BOOL: u8 = 1;
const INT: u8 = 2;
const FLOAT: u8 = 3;
const DOUBLE: u8 = 4;
const TEXT: u8 = 5;
const ARRAY: u8 = 6;
const VECTOR: u8 = 7;
const SPARSE: u8 = 8;
const STRUCT: u8 = 9;
const JSON: u8 = 10;
const OBJECT: u8 = 11;
const BIG_NUMBER: u8 = 12;
const NOT_JSON: u8 = 13;

/// Hashes a value.
pub(super) fn cell(hasher: &mut Hasher, value: &Cell<'_>) {
    match value {
        Cell::Null => tag(hasher, NULL),
        Cell::Bool(truth) => tagged(hasher, BOOL, &[u8::from(*truth)]),
        Cell::Int(number) => tagged(hasher, INT, &number.to_le_bytes()),
        Cell::Float(number) => tagged(hasher, FLOAT, &number.to_bits().to_le_bytes()),
        Cell::Double(number) => tagged(hasher, DOUBLE, &number.to_bits().to_le_bytes()),
        Cell::Text(chars) => {
            tag(hasher, TEXT);
            text(hasher, chars.as_bytes());
        }
        Cell::Json(source) => json_text(hasher, source),
        Cell::Array(elements) => {
            tag(hasher, ARRAY);
            length(hasher, elements.len());
            elements.iter().for_each(|element| cell(hasher, element));
        }
        Cell::Vector(kind, bytes) => {
            tagged(hasher, VECTOR, &kind.number().to_le_bytes());
            text(hasher, bytes);
        }
        Cell::Sparse(pairs) => sparse(hasher, pairs),
        Cell::Struct(fields) => {
            tag(hasher, STRUCT);
            length(hasher, fields.len());
            for (name, field) in fields {
                text(hasher, name.as_bytes());
                cell(hasher, field);
            }
        }
    }
}

/// Hashes some bytes behind their length.
pub(super) fn text(hasher: &mut Hasher, bytes: &[u8]) {
    length(hasher, bytes.len());
    hasher.update(bytes);
}

fn tag(hasher: &mut Hasher, tag: u8) {
    hasher.update(&[tag]);
}

fn tagged(hasher: &mut Hasher, tag: u8, body: &[u8]) {
    hasher.update(&[tag]);
    hasher.update(body);
}

fn length(hasher: &mut Hasher, length: usize) {
    hasher.update(&(length as u64).to_le_bytes());
}

fn sparse(hasher: &mut Hasher, pairs: &[(u32, u32)]) {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    tag(hasher, SPARSE);
    length(hasher, sorted.len());
    for (index, bits) in sorted {
        hasher.update(&index.to_le_bytes());
        hasher.update(&bits.to_le_bytes());
    }
}

fn json_text(hasher: &mut Hasher, source: &[u8]) {
    tag(hasher, JSON);
    match serde_json::from_slice(source) {
        Ok(value) => json(hasher, &value),
        Err(_) => {
            tag(hasher, NOT_JSON);
            text(hasher, source);
        }
    }
}

fn json(hasher: &mut Hasher, value: &Value) {
    match value {
        Value::Null => tag(hasher, NULL),
        Value::Bool(truth) => tagged(hasher, BOOL, &[u8::from(*truth)]),
        Value::Number(number) => json_number(hasher, number),
        Value::String(chars) => {
            tag(hasher, TEXT);
            text(hasher, chars.as_bytes());
        }
        Value::Array(elements) => {
            tag(hasher, ARRAY);
            length(hasher, elements.len());
            elements.iter().for_each(|element| json(hasher, element));
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            tag(hasher, OBJECT);
            length(hasher, sorted.len());
            for (name, member) in sorted {
                text(hasher, name.as_bytes());
                json(hasher, member);
            }
        }
    }
}

/// Integers by value, numbers with a fraction or an exponent by the bits of the double that they mean, and integers that are
/// too long for 64 bits by their digits.
fn json_number(hasher: &mut Hasher, number: &Number) {
    let digits = number.to_string();
    let is_integer = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    match (number.as_i64(), number.as_f64()) {
        (Some(integer), _) if is_integer => tagged(hasher, INT, &integer.to_le_bytes()),
        (None, Some(double)) if !is_integer => {
            tagged(hasher, DOUBLE, &double.to_bits().to_le_bytes())
        }
        _ => {
            tag(hasher, BIG_NUMBER);
            text(hasher, digits.as_bytes());
        }
    }
}
