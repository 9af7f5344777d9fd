//! Primary keys and ranges of them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A primary key. Milvus orders Int64 keys by value and VarChar keys by their bytes; so does this type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// A key of a field of type Int64.
    Int64(i64),
    /// A key of a field of type VarChar: any text, the empty one too.
    VarChar(String),
}

impl Key {
    /// The bytes that this key takes in memory and, nearly, on the wire.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Int64(_) => 8,
            Self::VarChar(text) => text.len() + 8,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int64(value) => value.fmt(f),
            Self::VarChar(text) => write!(f, "{text:?}"),
        }
    }
}

/// The keys greater than `after` and up to and including `upto`; a missing bound is no bound.
///
/// Ranges that share their borders tile the key space: every key is in exactly one of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct KeyRange {
    /// The greatest key below the range.
    pub after: Option<Key>,
    /// The greatest key that the range can hold.
    pub upto: Option<Key>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether the key lies in this range.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| key > after)
            && self.upto.as_ref().is_none_or(|upto| key <= upto)
    }

    /// The two ranges on either side of `border`, which belongs to the lower one.
    #[must_use]
    pub fn split_at(&self, border: Key) -> (Self, Self) {
        let lower = Self {
            after: self.after.clone(),
            upto: Some(border.clone()),
        };
        let upper = Self {
            after: Some(border),
            upto: self.upto.clone(),
        };
        (lower, upper)
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |key: &Option<Key>| key.as_ref().map_or_else(|| "-".to_owned(), Key::to_string);
        write!(f, "({}, {}]", bound(&self.after), bound(&self.upto))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_range_holds_every_key_once() {
        let (lower, upper) = KeyRange::all().split_at(Key::Int64(7));
        for value in [i64::MIN, 6, 7, 8, i64::MAX] {
            let key = Key::Int64(value);
            assert!(lower.contains(&key) ^ upper.contains(&key), "{value}");
        }
    }

    #[test]
    fn varchar_keys_are_ordered_by_their_bytes() {
        assert!(Key::VarChar("Z".into()) < Key::VarChar("a".into()));
        assert!(Key::VarChar("z".into()) < Key::VarChar("é".into()));
        assert!(Key::VarChar(String::new()) < Key::VarChar("\u{0}".into()));
    }
}
