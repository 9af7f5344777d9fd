//! Batches of records, as a partition stores them (Kafka's message format v2, since 0.11).

use crate::wire::{Malformed, Reader};
use bytes::Bytes;
use std::io::Read;

/// Bytes of a batch before what its length counts.
const PREFIX_BYTES: usize = 12;

/// The most bytes that a batch may unpack to. Milvus's messages have 10 MiB at most, before they are packed.
const MOST_BYTES: u64 = 256 << 20;

const PACKING: i16 = 0b111;
const ZSTD: i16 = 4;
const IS_CONTROL: i16 = 1 << 5;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: i64,
    /// What was written; memory of its own.
    pub value: Bytes,
}

/// Why batches can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// They are not what they should be.
    Malformed(Malformed),
    /// They are of a form that is not read.
    Form(&'static str),
}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// The records of batches from an offset on, and the offset behind the last batch. A batch may begin before the offset, and the last
/// one may be cut off: it comes again.
pub(crate) fn decode(batches: Bytes, from: i64) -> Result<(Vec<Record>, i64), Unreadable> {
    let (mut rest, mut records, mut next) = (Reader::new(batches), Vec::new(), from);
    while rest.len() > PREFIX_BYTES {
        let first = rest.i64()?;
        let length = rest.i32()?;
        let length = usize::try_from(length).map_err(|_| Malformed("a batch's length"))?;
        if length > rest.len() {
            break;
        }
        let batch = Reader::new(rest.take(length)?);
        let last = one(batch, first, from, &mut records)?;
        next = next.max(last.saturating_add(1));
    }
    Ok((records, next))
}

/// Adds a batch's records from an offset on; the offset that its last record has or had.
fn one(
    mut batch: Reader,
    first: i64,
    from: i64,
    records: &mut Vec<Record>,
) -> Result<i64, Unreadable> {
    let _leader_epoch = batch.i32()?;
    if batch.i8()? != 2 {
        return Err(Unreadable::Form("of a format older than Kafka 0.11's"));
    }
    if batch.u32()? != crc32c::crc32c(batch.rest()) {
        return Err(Malformed("a batch's checksum is wrong").into());
    }
    let attributes = batch.i16()?;
    let last = first.saturating_add(batch.i32()?.into());
    // The oldest and newest time, and what tells a writer's batches apart.
    batch.take(8 + 8 + 8 + 2 + 4)?;
    let count = batch.i32()?;
    // These tell of transactions.
    if attributes & IS_CONTROL != 0 {
        return Ok(last);
    }
    let mut packed = unpacked(attributes & PACKING, batch)?;
    for _ in 0..count {
        let length = packed.varint()?;
        let record = packed
            .counted(length)?
            .ok_or(Malformed("a record's length"))?;
        let mut record = Reader::new(record);
        record.i8()?;
        record.varint()?;
        let offset = first.saturating_add(record.varint()?);
        let key_length = record.varint()?;
        record.counted(key_length)?;
        let value_length = record.varint()?;
        let value = record.counted(value_length)?.unwrap_or_default();
        if offset >= from {
            // Not a view of the whole answer, which would stay in memory with it.
            let value = Bytes::copy_from_slice(&value);
            records.push(Record { offset, value });
        }
    }
    Ok(last)
}

fn unpacked(packing: i16, batch: Reader) -> Result<Reader, Unreadable> {
    match packing {
        0 => Ok(batch),
        ZSTD => {
            let decoder = zstd::Decoder::new(batch.rest());
            let mut plain = Vec::new();
            let read =
                decoder.and_then(|decoder| decoder.take(MOST_BYTES + 1).read_to_end(&mut plain));
            match read {
                Ok(_) if plain.len() as u64 <= MOST_BYTES => Ok(Reader::new(plain.into())),
                Ok(_) => Err(Malformed("a batch unpacks to too much").into()),
                Err(_) => Err(Malformed("a batch can't be unpacked").into()),
            }
        }
        1 => Err(Unreadable::Form("that are packed by gzip")),
        2 => Err(Unreadable::Form("that are packed by snappy")),
        3 => Err(Unreadable::Form("that are packed by lz4")),
        _ => Err(Unreadable::Form("that are packed by what is not known")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::wire::put_bytes;
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    fn put_varint(to: &mut BytesMut, number: i64) {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            to.put_u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        to.put_u8(rest as u8);
    }

    /// A batch of these values, as a broker stores it.
    pub(crate) fn batch(first: i64, attributes: i16, values: &[&[u8]]) -> Bytes {
        let mut records = BytesMut::new();
        for (delta, value) in values.iter().enumerate() {
            let mut record = BytesMut::from(&b"\0\0"[..]);
            put_varint(&mut record, delta as i64);
            put_varint(&mut record, -1);
            put_varint(&mut record, value.len() as i64);
            record.put_slice(value);
            put_varint(&mut record, 0);
            put_varint(&mut records, record.len() as i64);
            records.put_slice(&record);
        }
        let mut body = BytesMut::new();
        body.put_i16(attributes);
        body.put_i32(values.len() as i32 - 1);
        body.put_bytes(0, 8 + 8 + 8 + 2 + 4);
        body.put_i32(values.len() as i32);
        match attributes & PACKING {
            ZSTD => body.put_slice(&zstd::encode_all(&records[..], 1).unwrap()),
            _ => body.put_slice(&records),
        }
        let mut behind = BytesMut::new();
        behind.put_i32(0);
        behind.put_u8(2);
        behind.put_u32(crc32c::crc32c(&body));
        behind.put_slice(&body);
        let mut all = BytesMut::new();
        all.put_i64(first);
        put_bytes(&mut all, &behind);
        all.freeze()
    }

    fn read(batches: &[Bytes], from: i64) -> (Vec<(i64, String)>, i64) {
        let (records, next) = decode(batches.concat().into(), from).unwrap();
        let shown = |record: Record| {
            (
                record.offset,
                String::from_utf8(record.value.to_vec()).unwrap(),
            )
        };
        (records.into_iter().map(shown).collect(), next)
    }

    #[test]
    fn records_are_given_from_the_offset_on_packed_or_not() {
        let batches = [
            batch(5, 0, &[b"a", b"b", b"c"]),
            batch(8, ZSTD, &[b"d", b"e"]),
        ];
        let of = |offset, value: &str| (offset, value.to_owned());
        let all = [of(5, "a"), of(6, "b"), of(7, "c"), of(8, "d"), of(9, "e")];
        for from in 5..=9 {
            assert_eq!(
                read(&batches, from),
                (all[from as usize - 5..].to_vec(), 10)
            );
        }
    }

    #[test]
    fn a_batch_that_is_cut_off_comes_again() {
        let (whole, cut) = (batch(5, 0, &[b"a"]), batch(6, 0, &[b"b"]));
        for length in 0..cut.len() {
            let (records, next) = read(&[whole.clone(), cut.slice(..length)], 5);
            assert_eq!((records.len(), next), (1, 6), "{length}");
        }
    }

    #[test]
    fn what_tells_of_transactions_is_passed_over() {
        let batches = [batch(5, IS_CONTROL, &[b"x"]), batch(6, 0, &[b"a"])];
        assert_eq!(read(&batches, 5), (vec![(6, "a".to_owned())], 7));
        assert_eq!(read(&batches[..1], 5), (vec![], 6));
    }

    #[test]
    fn a_damaged_batch_is_refused() {
        let whole = batch(5, 0, &[b"value"]);
        let mut damaged = whole.to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        let refusal = decode(damaged.into(), 5).unwrap_err();
        assert_eq!(refusal, Malformed("a batch's checksum is wrong").into());
    }

    #[test]
    fn other_forms_are_named() {
        let lz4 = batch(5, 3, &[b"a"]);
        assert_eq!(
            decode(lz4, 5),
            Err(Unreadable::Form("that are packed by lz4"))
        );
        let mut old = batch(5, 0, &[b"a"]).to_vec();
        old[16] = 1;
        assert!(matches!(decode(old.into(), 5), Err(Unreadable::Form(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, from: i64) {
            let _ = decode(bytes.into(), from);
        }

        #[test]
        fn no_content_of_a_batch_makes_it_panic(body: Vec<u8>, first: i64, from: i64) {
            let mut behind = BytesMut::new();
            behind.put_i32(0);
            behind.put_u8(2);
            behind.put_u32(crc32c::crc32c(&body));
            behind.put_slice(&body);
            let mut all = BytesMut::new();
            all.put_i64(first);
            put_bytes(&mut all, &behind);
            let _ = decode(all.freeze(), from);
        }
    }
}
