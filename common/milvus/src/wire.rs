//! Protobuf as it lies on the wire: enough to look into a message, to leave fields out and to put others in, without knowing the
//! rest of it. What is not known stays as it is.

use prost::encoding::{
    WireType, decode_key, decode_varint, encode_key, encode_varint, encoded_len_varint, key_len,
};

/// Bytes that are no protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed protobuf message")]
pub struct Malformed;

/// A field's value. Groups, which nobody writes any more, are malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed32(&'a [u8]),
    Fixed64(&'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(Malformed),
        }
    }
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) value: Value<'a>,
    /// The whole field, its key included.
    pub(crate) raw: &'a [u8],
}

/// The fields of a message, in the order in which they lie there.
pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = next_field(&mut self.rest);
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Result<Field<'a>, Malformed> {
    let whole = *rest;
    let (number, wire_type) = decode_key(rest).map_err(|_| Malformed)?;
    let value = match wire_type {
        WireType::Varint => Value::Varint(decode_varint(rest).map_err(|_| Malformed)?),
        WireType::ThirtyTwoBit => Value::Fixed32(take(rest, 4)?),
        WireType::SixtyFourBit => Value::Fixed64(take(rest, 8)?),
        WireType::LengthDelimited => {
            let length = decode_varint(rest).map_err(|_| Malformed)?;
            Value::Bytes(take(rest, usize::try_from(length).map_err(|_| Malformed)?)?)
        }
        WireType::StartGroup | WireType::EndGroup => return Err(Malformed),
    };
    let raw = &whole[..whole.len() - rest.len()];
    Ok(Field { number, value, raw })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = left;
    Ok(taken)
}

/// Splits a run of varints into the bytes of each.
pub(crate) fn varints(run: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let mut rest = run;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = rest;
        if decode_varint(&mut rest).is_err() {
            rest = &[];
            return Some(Err(Malformed));
        }
        Some(Ok(&whole[..whole.len() - rest.len()]))
    })
}

/// The number that one varint's bytes stand for.
pub(crate) fn number(mut varint: &[u8]) -> Result<u64, Malformed> {
    decode_varint(&mut varint).map_err(|_| Malformed)
}

/// What stands before the bytes of a field.
pub(crate) fn put_bytes_head(out: &mut Vec<u8>, number: u32, length: usize) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

/// What a field of so many bytes takes, its head included.
pub(crate) fn bytes_len(number: u32, length: usize) -> usize {
    key_len(number) + encoded_len_varint(length as u64) + length
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_bytes_head(out, number, bytes.len());
    out.extend_from_slice(bytes);
}

/// A number as a varint.
pub(crate) fn varint(number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(number, &mut out);
    out
}

pub(crate) fn put_varint(out: &mut Vec<u8>, number: u32, value: u64) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let mut message = Vec::new();
        put_varint(&mut message, 1, 300);
        put_bytes(&mut message, 200, b"abc");
        let found: Vec<_> = fields(&message).map(Result::unwrap).collect();
        assert_eq!((found[0].number, found[0].value), (1, Value::Varint(300)));
        assert_eq!(
            (found[1].number, found[1].value),
            (200, Value::Bytes(b"abc"))
        );
        let raw: Vec<u8> = found.iter().flat_map(|field| field.raw).copied().collect();
        assert_eq!(raw, message);
        assert_eq!(bytes_len(200, 3), found[1].raw.len());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_to_the_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut read = 0;
            for field in fields(&bytes) {
                match field {
                    Ok(field) => read += field.raw.len(),
                    Err(Malformed) => return Ok(()),
                }
            }
            prop_assert_eq!(read, bytes.len());
        }
    }
}
