//! Proof by content: a hash for each row, and a sum of hashes for a range of rows.
//!
//! A row's hash covers every field in canonical form, each under its name, in the order of the names: floating-point numbers and
//! vectors by their bits, sparse vectors sorted by index, JSON with its keys sorted and its spaces gone, null apart from every
//! value. So two rows have the same hash exactly if an application can't tell them apart.
//!
//! The digest of a range is the sum of its rows' hashes modulo 2^256. It does not depend on the order of the rows, and a row
//! that is there twice counts twice (which an exclusive-or would hide).

mod canonical;

use crate::Cell;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The hash of a row or of one value: 256 bits of BLAKE3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RowHash([u8; 32]);

impl From<RowHash> for String {
    fn from(hash: RowHash) -> Self {
        blake3::Hash::from_bytes(hash.0).to_hex().to_string()
    }
}

impl TryFrom<String> for RowHash {
    type Error = blake3::HexError;
    fn try_from(text: String) -> Result<Self, blake3::HexError> {
        Ok(Self(*blake3::Hash::from_hex(text)?.as_bytes()))
    }
}

impl RowHash {
    /// The hash with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a row: of its fields' names and values. The fields must come in the order of their names.
    pub fn of_row<'a, 'c: 'a>(fields: impl IntoIterator<Item = (&'a str, &'a Cell<'c>)>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for (name, cell) in fields {
            canonical::text(&mut hasher, name.as_bytes());
            canonical::cell(&mut hasher, cell);
        }
        Self(hasher.finalize().into())
    }

    /// The hash of one value.
    #[must_use]
    pub fn of_cell(cell: &Cell<'_>) -> Self {
        let mut hasher = blake3::Hasher::new();
        canonical::cell(&mut hasher, cell);
        Self(hasher.finalize().into())
    }
}

/// The sum of the hashes of some rows, and their number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct Digest {
    rows: u64,
    sum: [u8; 32],
}

impl Digest {
    /// Takes a digest from its parts.
    #[must_use]
    pub fn from_parts(rows: u64, sum: [u8; 32]) -> Self {
        Self { rows, sum }
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The sum, little-endian.
    #[must_use]
    pub fn sum(&self) -> &[u8; 32] {
        &self.sum
    }

    /// Adds a row.
    pub fn add(&mut self, hash: &RowHash) {
        self.rows += 1;
        self.add_sum(&hash.0);
    }

    /// Adds all rows of another digest.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.add_sum(&other.sum);
    }

    fn add_sum(&mut self, addend: &[u8; 32]) {
        let mut carry = 0u16;
        for (digit, other) in self.sum.iter_mut().zip(addend) {
            let sum = u16::from(*digit) + u16::from(*other) + carry;
            *digit = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} rows, ", self.rows)?;
        self.sum
            .iter()
            .take(8)
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataType;
    use std::borrow::Cow;

    fn hash(cell: Cell<'_>) -> RowHash {
        RowHash::of_row([("field", &cell)])
    }

    fn json(text: &str) -> RowHash {
        hash(Cell::Json(text.as_bytes()))
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_their_number_does() {
        let (a, b) = (hash(Cell::Int(1)), hash(Cell::Int(2)));
        let mut forward = Digest::default();
        let mut backward = Digest::default();
        [a, b].iter().for_each(|row| forward.add(row));
        [b, a].iter().for_each(|row| backward.add(row));
        assert_eq!(forward, backward);
        forward.add(&a);
        assert_ne!(forward, backward);
    }

    #[test]
    fn a_hash_survives_being_told() {
        let told = serde_json::to_string(&hash(Cell::Int(1))).unwrap();
        assert_eq!(told.len(), 66, "in hexadecimal");
        assert_eq!(
            serde_json::from_str::<RowHash>(&told).unwrap(),
            hash(Cell::Int(1))
        );
    }

    #[test]
    fn the_sum_carries_over_all_its_bytes() {
        let mut digest = Digest::from_parts(1, [0xff; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        digest.merge(&Digest::from_parts(1, one));
        assert_eq!(digest, Digest::from_parts(2, [0; 32]));
    }

    #[test]
    fn minus_zero_is_not_zero_and_null_is_nothing_else() {
        let hashes = [
            hash(Cell::Null),
            hash(Cell::Bool(false)),
            hash(Cell::Int(0)),
            hash(Cell::Float(0.0)),
            hash(Cell::Float(-0.0)),
            hash(Cell::Double(0.0)),
            hash(Cell::Double(-0.0)),
            hash(Cell::Text("")),
            hash(Cell::Array(vec![])),
            hash(Cell::Array(vec![Cell::Null])),
            json("null"),
            json("{}"),
            hash(Cell::Vector(DataType::FLOAT_VECTOR, Cow::Borrowed(&[]))),
            hash(Cell::Vector(DataType::FLOAT16_VECTOR, Cow::Borrowed(&[]))),
        ];
        let unique: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(unique.len(), hashes.len());
    }

    #[test]
    fn json_is_compared_by_its_meaning() {
        assert_eq!(
            json(r#"{"a":1,"b":[true,null]}"#),
            json("{ \"b\" : [true, null],\n\"a\":1}")
        );
        assert_eq!(json(r#"{"a":"\u00e9"}"#), json(r#"{"a":"é"}"#));
        assert_ne!(json(r#"{"a":1}"#), json(r#"{"a":2}"#));
        assert_ne!(json(r#"{"a":1}"#), json(r#"{"a":1.0}"#));
        assert_ne!(json(r#"[1,2]"#), json(r#"[2,1]"#));
        assert_ne!(
            json(r#"{"a":9007199254740993}"#),
            json(r#"{"a":9007199254740992}"#)
        );
        assert_ne!(
            json(r#"{"a":123456789012345678901}"#),
            json(r#"{"a":123456789012345678902}"#)
        );
        assert_eq!(json(r#"{"a":1e3}"#), json(r#"{"a":1000.0}"#));
    }

    #[test]
    fn a_text_that_is_no_json_is_compared_by_its_bytes() {
        assert_ne!(json("{oops"), json("{ oops"));
    }

    #[test]
    fn a_sparse_vector_is_the_same_in_any_order() {
        assert_eq!(
            hash(Cell::Sparse(vec![(1, 7), (9, 8)])),
            hash(Cell::Sparse(vec![(9, 8), (1, 7)]))
        );
        assert_ne!(
            hash(Cell::Sparse(vec![(1, 7)])),
            hash(Cell::Sparse(vec![(1, 8)]))
        );
    }

    #[test]
    fn a_value_does_not_run_over_into_the_next_field() {
        let (ab, c) = (Cell::Text("ab"), Cell::Text("c"));
        let (a, bc) = (Cell::Text("a"), Cell::Text("bc"));
        assert_ne!(
            RowHash::of_row([("x", &ab), ("y", &c)]),
            RowHash::of_row([("x", &a), ("y", &bc)])
        );
    }
}
