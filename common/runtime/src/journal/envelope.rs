//! How a record is written: one byte of format, eight bytes of checksum, and the record as JSON.
//!
//! The checksum (xxh3, 64 bits) also covers the table and the key, so a record that turns up in another's place is found out.

use serde::{Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::Xxh3;

/// The format that this code writes, and the only one that it reads.
const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 1 + 8;

/// Why a value is not a record.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    #[error("{0} bytes are too few for a record")]
    Short(usize),
    #[error("its format is {0}, and this version reads format {FORMAT}")]
    Format(u8),
    #[error("its checksum does not fit")]
    Checksum,
    #[error("it is not what its table holds: {0}")]
    Shape(serde_json::Error),
}

/// Puts a record into its envelope.
pub(super) fn seal<T: Serialize>(
    table: &str,
    key: &[u8],
    record: &T,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut sealed = vec![0; HEAD_BYTES];
    serde_json::to_writer(&mut sealed, record)?;
    let checksum = checksum(table, key, &sealed[HEAD_BYTES..]);
    sealed[0] = FORMAT;
    sealed[1..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(sealed)
}

/// Whether the envelope is whole; gives what is inside.
pub(super) fn inspect<'a>(table: &str, key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Damage> {
    let Some((&[format, ref claimed @ ..], inside)) = sealed.split_first_chunk::<HEAD_BYTES>()
    else {
        return Err(Damage::Short(sealed.len()));
    };
    if format != FORMAT {
        return Err(Damage::Format(format));
    }
    if *claimed != checksum(table, key, inside).to_le_bytes() {
        return Err(Damage::Checksum);
    }
    Ok(inside)
}

/// Takes a record out of its envelope.
pub(super) fn open<T: DeserializeOwned>(
    table: &str,
    key: &[u8],
    sealed: &[u8],
) -> Result<T, Damage> {
    serde_json::from_slice(inspect(table, key, sealed)?).map_err(Damage::Shape)
}

fn checksum(table: &str, key: &[u8], inside: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&[FORMAT]);
    for part in [table.as_bytes(), key] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(inside);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_record_is_found() {
        let sealed = seal("units", b"k", &vec![1_u32, 2, 3]).unwrap();
        assert_eq!(
            open::<Vec<u32>>("units", b"k", &sealed).unwrap(),
            vec![1, 2, 3]
        );
        for bit in 0..sealed.len() * 8 {
            let mut bent = sealed.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(inspect("units", b"k", &bent).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_in_another_place_is_found() {
        let sealed = seal("units", b"k", &1).unwrap();
        assert!(matches!(
            inspect("units", b"l", &sealed),
            Err(Damage::Checksum)
        ));
        assert!(matches!(
            inspect("jobs", b"k", &sealed),
            Err(Damage::Checksum)
        ));
        assert!(matches!(
            inspect("units", b"k", &sealed[..3]),
            Err(Damage::Short(3))
        ));
    }

    #[test]
    fn a_record_of_another_shape_is_refused() {
        let sealed = seal("units", b"k", &"text").unwrap();
        assert!(matches!(
            open::<u32>("units", b"k", &sealed),
            Err(Damage::Shape(_))
        ));
    }
}
