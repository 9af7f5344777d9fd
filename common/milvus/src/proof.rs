//! The hashes by which rows are compared: the same on both sides, from the columns as Milvus gave them.

use crate::{ColumnError, ColumnReader, keys};
use model::{Batch, Key, KeyRange, RowHash};
use std::collections::BTreeSet;
use std::future::Future;

/// The hash of each row of a batch, with its key.
///
/// With `is_key_hashed` false the key's own value does not count: for rows that were given new keys.
///
/// # Errors
/// [`ColumnError`] when a column is malformed, or the batch has no column of keys.
pub fn row_hashes(
    batch: &Batch,
    primary: &str,
    is_key_hashed: bool,
) -> Result<Vec<(Key, RowHash)>, ColumnError> {
    let columns = readers(batch, |name| is_key_hashed || name != primary)?;
    let mut cells = Vec::with_capacity(columns.len());
    keys(batch, primary)?
        .into_iter()
        .enumerate()
        .map(|(row, key)| {
            cells.clear();
            for (_, reader) in &columns {
                cells.push(reader.cell(row)?);
            }
            let fields = columns.iter().map(|(name, _)| *name).zip(&cells);
            Ok((key, RowHash::of_row(fields)))
        })
        .collect()
}

/// A row's key, and the hash of each of its fields by name.
pub type FieldHashes = (Key, Vec<(String, RowHash)>);

/// The hash of each field of the rows with these keys.
///
/// # Errors
/// As [`row_hashes`].
pub fn field_hashes(
    batch: &Batch,
    primary: &str,
    wanted: &BTreeSet<Key>,
) -> Result<Vec<FieldHashes>, ColumnError> {
    let columns = readers(batch, |_| true)?;
    let rows = keys(batch, primary)?
        .into_iter()
        .enumerate()
        .filter(|(_, key)| wanted.contains(key));
    rows.map(|(row, key)| {
        let hash = |(name, reader): &(&str, ColumnReader<'_>)| {
            Ok(((*name).to_owned(), RowHash::of_cell(&reader.cell(row)?)))
        };
        Ok((
            key,
            columns
                .iter()
                .map(hash)
                .collect::<Result<_, ColumnError>>()?,
        ))
    })
    .collect()
}

/// The columns in the order of their names.
fn readers<'a>(
    batch: &'a Batch,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(&'a str, ColumnReader<'a>)>, ColumnError> {
    let mut columns: Vec<_> = batch
        .columns
        .iter()
        .filter(|column| is_wanted(&column.name))
        .collect();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    columns
        .into_iter()
        .map(|column| Ok((column.name.as_str(), ColumnReader::new(column, batch.rows)?)))
        .collect()
}

/// Finds keys that several rows have, by halving the range until each stands alone; with each, the number of its rows. At most `most`.
///
/// `keys` are all keys of the range, each once; `count` says how many rows there are in a range.
///
/// # Errors
/// Those of `count`.
pub async fn duplicate_keys<E, F>(
    range: KeyRange,
    mut keys: Vec<Key>,
    most: usize,
    mut count: impl FnMut(KeyRange) -> F,
) -> Result<Vec<(Key, u64)>, E>
where
    F: Future<Output = Result<u64, E>>,
{
    keys.sort();
    let mut named = Vec::new();
    let mut ranges = vec![(range, keys)];
    while let Some((range, keys)) = ranges.pop().filter(|_| named.len() < most) {
        let rows = count(range.clone()).await?;
        match keys.as_slice() {
            keys if rows <= keys.len() as u64 => {}
            [] => {}
            [key] => named.push((key.clone(), rows)),
            keys => {
                let (lower, upper) = keys.split_at(keys.len() / 2);
                let Some(border) = lower.last().cloned() else {
                    continue;
                };
                let (below, above) = range.split_at(border);
                ranges.extend([(above, upper.to_vec()), (below, lower.to_vec())]);
            }
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::{Column, DataType, Payload};

    /// A column of two Int64 values below 128, as Milvus encodes it.
    fn column(name: &str, values: [u8; 2]) -> Column {
        let encoded = Bytes::from(vec![0x1a, 4, 0x0a, 2, values[0], values[1]]);
        let (data_type, payload) = (DataType::INT64, Payload::Scalars(encoded));
        Column {
            name: name.to_owned(),
            field_id: 0,
            data_type,
            is_dynamic: false,
            valid: Bytes::new(),
            payload,
        }
    }

    fn batch(keys: [u8; 2], values: [u8; 2]) -> Batch {
        Batch {
            rows: 2,
            columns: vec![column("key", keys), column("a", values)],
        }
    }

    #[test]
    fn neither_the_order_of_columns_nor_that_of_rows_changes_a_rows_hash() {
        let mut turned = batch([2, 1], [20, 10]);
        turned.columns.reverse();
        let mut there = row_hashes(&batch([1, 2], [10, 20]), "key", true).unwrap();
        let mut here = row_hashes(&turned, "key", true).unwrap();
        there.sort();
        here.sort();
        assert_eq!(there, here);
    }

    #[test]
    fn rows_with_new_keys_have_the_same_hash_without_them() {
        let hashes = |keys| -> Vec<RowHash> {
            let rows = row_hashes(&batch(keys, [10, 20]), "key", false).unwrap();
            rows.into_iter().map(|(_, hash)| hash).collect()
        };
        assert_eq!(hashes([1, 2]), hashes([3, 4]));
    }

    #[tokio::test]
    async fn keys_of_several_rows_are_found_among_many() {
        let rows: Vec<Key> = (0..1000).chain([7, 7, 999]).map(Key::Int64).collect();
        let keys = (0..1000).map(Key::Int64).collect();
        let count = |range: KeyRange| {
            let inside = rows.iter().filter(|key| range.contains(key)).count() as u64;
            async move { Ok::<_, std::convert::Infallible>(inside) }
        };
        let found = duplicate_keys(KeyRange::all(), keys, 10, count)
            .await
            .unwrap();
        assert_eq!(found, [(Key::Int64(7), 3), (Key::Int64(999), 2)]);
    }

    #[test]
    fn a_field_that_differs_is_named() {
        let wanted = BTreeSet::from([Key::Int64(2)]);
        let of = |values| field_hashes(&batch([1, 2], values), "key", &wanted).unwrap();
        let (here, there) = (of([10, 20]), of([10, 21]));
        assert_eq!(here.len(), 1);
        let differing: Vec<_> = here[0]
            .1
            .iter()
            .zip(&there[0].1)
            .filter(|(a, b)| a != b)
            .map(|(a, _)| a.0.as_str())
            .collect();
        assert_eq!(differing, ["a"]);
    }
}
