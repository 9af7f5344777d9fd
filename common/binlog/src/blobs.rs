//! Many small runs of bytes, one behind the other.

/// Runs of bytes of any length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blobs {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Blobs {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The one at this place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&[u8]> {
        let end = *self.ends.get(place)?;
        let begin = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(begin..end)
    }

    /// Each, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let blob = &self.bytes[begin..*end];
            begin = *end;
            blob
        })
    }

    pub(crate) fn push(&mut self, blob: &[u8]) {
        self.bytes.extend_from_slice(blob);
        self.ends.push(self.bytes.len());
    }
}

impl<'a> FromIterator<&'a [u8]> for Blobs {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(blobs: I) -> Self {
        let mut all = Self::default();
        blobs.into_iter().for_each(|blob| all.push(blob));
        all
    }
}
