//! Kafka's numbers, texts and arrays. All are big-endian; a length of -1 stands for nothing.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes that are not what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(crate) &'static str);

const SHORT: Malformed = Malformed("it ends too early");

/// What is left of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Reader(Bytes);

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn rest(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn i8(&mut self) -> Result<i8, Malformed> {
        self.0.try_get_i8().map_err(|_| SHORT)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.0.try_get_i16().map_err(|_| SHORT)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.0.try_get_i32().map_err(|_| SHORT)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32().map_err(|_| SHORT)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.0.try_get_i64().map_err(|_| SHORT)
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<Bytes, Malformed> {
        if count <= self.0.len() {
            Ok(self.0.split_to(count))
        } else {
            Err(SHORT)
        }
    }

    /// Bytes behind their length; `None` where there are none.
    pub(crate) fn bytes(&mut self) -> Result<Option<Bytes>, Malformed> {
        let length = self.i32()?;
        self.counted(length.into())
    }

    /// A text behind its length; `None` where there is none.
    pub(crate) fn text(&mut self) -> Result<Option<String>, Malformed> {
        let length = self.i16()?;
        let text = self.counted(length.into())?;
        text.map(|text| String::from_utf8(text.to_vec()))
            .transpose()
            .map_err(|_| Malformed("a text is not UTF-8"))
    }

    /// Bytes of a length that was read already.
    pub(crate) fn counted(&mut self, length: i64) -> Result<Option<Bytes>, Malformed> {
        match usize::try_from(length) {
            Ok(length) => self.take(length).map(Some),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(Malformed("a length is negative")),
        }
    }

    /// The elements of an array, which may be absent.
    pub(crate) fn array<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.i32()?;
        (0..count.max(0)).map(|_| element(self)).collect()
    }

    /// A number of as many bytes as it needs, with its sign in the lowest bit.
    pub(crate) fn varint(&mut self) -> Result<i64, Malformed> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.0.try_get_u8().map_err(|_| SHORT)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(Malformed("a number is too long"))
    }
}

/// Appends a text behind its length. Topics, users and mechanisms are short.
pub(crate) fn put_text(to: &mut BytesMut, text: &str) {
    to.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    to.put_slice(&text.as_bytes()[..text.len().min(i16::MAX as usize)]);
}

/// Appends bytes behind their length.
pub(crate) fn put_bytes(to: &mut BytesMut, bytes: &[u8]) {
    to.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    to.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &'static [u8]) -> Reader {
        Reader::new(Bytes::from_static(bytes))
    }

    #[test]
    fn numbers_of_any_length_are_read() {
        for (bytes, number) in [
            (&b"\x00"[..], 0),
            (b"\x01", -1),
            (b"\x02", 1),
            (b"\xac\x02", 150),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", i64::MIN),
        ] {
            assert_eq!(reader(bytes).varint(), Ok(number));
        }
        assert!(reader(b"\x80").varint().is_err());
        assert!(reader(&[0x80; 11]).varint().is_err());
    }

    #[test]
    fn a_length_beyond_the_end_takes_no_memory_and_is_refused() {
        assert!(reader(b"\x7f\xff\xff\xffab").bytes().is_err());
        assert!(reader(b"\x7f\xff\xff\xff").array(Reader::i32).is_err());
        assert!(reader(b"\xff\xff\xff\xfe").bytes().is_err());
        assert_eq!(reader(b"\xff\xff\xff\xff").bytes(), Ok(None));
        assert_eq!(reader(b"\x00\x02ab").text(), Ok(Some("ab".to_owned())));
    }
}
