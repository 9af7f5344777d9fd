//! Keys of records and runs of them. Records are ordered by the bytes of their keys.

use std::fmt;
use std::ops::{Bound, RangeBounds};

/// The key of a record: parts, one behind the other, so that the records that share the first parts stand side by side.
///
/// ```
/// # use passage_runtime::journal::RecordKey;
/// let unit = RecordKey::new().text("sales-to-globex").number(3).number(17);
/// assert!(unit < RecordKey::new().text("sales-to-globex").number(4));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RecordKey(Vec<u8>);

impl RecordKey {
    /// The key without any part: the only one of a table with one record; as a prefix, the one of all records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The key with these bytes, as a scan gave it.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// With a text behind it. A zero byte ends the text, so that no text is the beginning of another; a zero byte inside is written as two bytes.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        for byte in text.bytes() {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xff);
            }
        }
        self.0.extend([0, 0]);
        self
    }

    /// With a number behind it: eight bytes, highest first, so that keys stand in the order of their numbers.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number that stands this many bytes before the end: `last_number(0)` is the last part of a key that ends with a number.
    #[must_use]
    pub fn number_before_end(&self, bytes: usize) -> Option<u64> {
        let end = self.0.len().checked_sub(bytes)?;
        let start = end.checked_sub(8)?;
        Some(u64::from_be_bytes(self.0[start..end].try_into().ok()?))
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What ordered maps take for a range of keys.
pub(super) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// A run of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub(super) start: Bound<Vec<u8>>,
    pub(super) end: Bound<Vec<u8>>,
}

impl Span {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
        }
    }

    /// The keys that begin with these parts.
    #[must_use]
    pub fn under(prefix: &RecordKey) -> Self {
        Self {
            start: Bound::Included(prefix.0.clone()),
            end: behind(&prefix.0),
        }
    }

    /// Those of this span that stand behind the key.
    #[must_use]
    pub fn after(self, key: &RecordKey) -> Self {
        Self {
            start: Bound::Excluded(key.0.clone()),
            ..self
        }
    }

    /// Those of this span that stand before the key.
    #[must_use]
    pub fn before(self, key: &RecordKey) -> Self {
        Self {
            end: Bound::Excluded(key.0.clone()),
            ..self
        }
    }

    /// Whether this key is one of them.
    pub(super) fn holds(&self, key: &[u8]) -> bool {
        self.bounds()
            .is_some_and(|bounds| RangeBounds::<[u8]>::contains(&bounds, key))
    }

    /// Its bounds, or `None` when no key can lie between them: ordered maps panic on such a range.
    pub(super) fn bounds(&self) -> Option<Bounds<'_>> {
        let (start, end) = (
            self.start.as_ref().map(Vec::as_slice),
            self.end.as_ref().map(Vec::as_slice),
        );
        match (start, end) {
            (Bound::Included(a) | Bound::Excluded(a), Bound::Excluded(b)) if a >= b => None,
            (Bound::Excluded(a), Bound::Included(b)) if a >= b => None,
            (Bound::Included(a), Bound::Included(b)) if a > b => None,
            bounds => Some(bounds),
        }
    }
}

/// The end of the keys that begin with these bytes: the next bytes of the same length, if there are any.
fn behind(prefix: &[u8]) -> Bound<Vec<u8>> {
    let Some(last) = prefix.iter().rposition(|byte| *byte != 0xff) else {
        return Bound::Unbounded;
    };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Bound::Excluded(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(span: &Span, key: &RecordKey) -> bool {
        span.holds(key.as_bytes())
    }

    #[test]
    fn a_prefix_means_whole_parts_only() {
        let span = Span::under(&RecordKey::new().text("job"));
        assert!(holds(&span, &RecordKey::new().text("job").number(u64::MAX)));
        assert!(!holds(&span, &RecordKey::new().text("job2").number(0)));
        assert!(!holds(&span, &RecordKey::new().text("job\0").number(0)));
        assert!(!holds(&span, &RecordKey::new().text("jo").number(0)));
    }

    #[test]
    fn a_prefix_of_highest_bytes_has_no_end() {
        let span = Span::under(&RecordKey::new().number(u64::MAX));
        assert!(holds(&span, &RecordKey::new().number(u64::MAX).number(1)));
        assert!(!holds(
            &span,
            &RecordKey::new().number(u64::MAX - 1).number(1)
        ));
    }

    #[test]
    fn numbers_stand_in_their_order() {
        assert!(RecordKey::new().number(255) < RecordKey::new().number(256));
        assert_eq!(
            RecordKey::new()
                .text("a")
                .number(7)
                .number(9)
                .number_before_end(0),
            Some(9)
        );
        assert_eq!(
            RecordKey::new()
                .text("a")
                .number(7)
                .number(9)
                .number_before_end(8),
            Some(7)
        );
        assert_eq!(RecordKey::new().number_before_end(0), None);
    }

    #[test]
    fn a_span_without_room_is_empty() {
        let key = RecordKey::new().number(1);
        assert!(Span::all().after(&key).before(&key).bounds().is_none());
        assert!(!holds(&Span::all().after(&key), &key));
        assert!(holds(&Span::all().after(&key), &RecordKey::new().number(2)));
    }
}
