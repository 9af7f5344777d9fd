//! Compares the rows of one unit.
//!
//! Digests first: a unit whose batches have the same digests on both sides costs the channel some hundred bytes. Only a batch that
//! differs is taken apart into the hashes of its rows, and only a row that differs into the hashes of its fields.

use super::found::Found;
use model::report::CollectionReport;
use model::{BatchIndex, Difference, DifferenceKind, Digest, Fault, Key, KeyRange, RowHash, Unit};
use protocol::call::{FieldHashes, UnitDigests};
use std::collections::BTreeMap;
use std::future::Future;

/// How many rows' fields are asked for at once, and how many bytes their keys may have.
const ROWS_AT_ONCE: (usize, usize) = (256, 1 << 20);

/// What the source says of its rows.
pub(crate) trait SourceRows: Sync {
    /// Whether changes are applied while rows are compared: that a row differs means nothing then.
    fn is_followed(&self) -> bool;
    /// Gives rows that differ back to the source, which looks at them again when the changes have passed them.
    fn recheck(
        &self,
        unit: &Unit,
        keys: Vec<Key>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;
    /// A batch's rows.
    fn rows(
        &self,
        unit: &Unit,
        batch: BatchIndex,
    ) -> impl Future<Output = Result<Vec<(Key, RowHash)>, Fault>> + Send;
    /// The fields of some of a batch's rows.
    fn fields(
        &self,
        unit: &Unit,
        batch: BatchIndex,
        keys: Vec<Key>,
    ) -> impl Future<Output = Result<Vec<(Key, FieldHashes)>, Fault>> + Send;
}

/// What the target has.
pub(crate) trait TargetRows: Sync {
    /// The rows of a range.
    fn rows(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
    ) -> impl Future<Output = Result<Vec<(Key, RowHash)>, Fault>> + Send;
    /// The fields of some rows of a range.
    fn fields(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
        keys: &[Key],
    ) -> impl Future<Output = Result<Vec<(Key, FieldHashes)>, Fault>> + Send;
    /// How many rows there are in a range, further rows of a key counted; `None` where the server can't tell.
    fn count(
        &self,
        partition: Option<&str>,
        range: &KeyRange,
    ) -> impl Future<Output = Result<Option<u64>, Fault>> + Send;
    /// The partition, other than this one, that holds the key.
    fn elsewhere(
        &self,
        partition: &str,
        key: &Key,
    ) -> impl Future<Output = Result<Option<String>, Fault>> + Send;
}

/// Compares a unit; what differs goes to `found`. Gives the number of rows compared: those of the larger side.
pub(crate) async fn compare_unit(
    source: &impl SourceRows,
    target: &impl TargetRows,
    theirs: &UnitDigests,
    found: &mut Found,
) -> Result<u64, Fault> {
    let unit = &theirs.unit;
    let (mut rows, mut answered) = (0, 0);
    for (index, theirs) in unit.indexes().zip(&theirs.batches) {
        let Some(range) = unit.range_of(index) else {
            continue;
        };
        let ours = target.rows(unit.partition.as_deref(), &range).await?;
        let mut digest = Digest::default();
        ours.iter().for_each(|(_, hash)| digest.add(hash));
        rows += digest.rows().max(theirs.rows());
        answered += digest.rows();
        if digest != *theirs {
            compare_batch(source, target, unit, index, ours, found).await?;
        }
    }
    if source.is_followed() {
        // Rows come and go: their number says nothing.
        return Ok(rows);
    }
    let counted = target
        .count(unit.partition.as_deref(), &unit.range())
        .await?;
    if counted.is_some_and(|counted| counted > answered) {
        for range in unit.indexes().filter_map(|index| unit.range_of(index)) {
            name_duplicates(target, unit, &range, found).await?;
        }
    }
    Ok(rows)
}

async fn compare_batch(
    source: &impl SourceRows,
    target: &impl TargetRows,
    unit: &Unit,
    index: BatchIndex,
    ours: Vec<(Key, RowHash)>,
    found: &mut Found,
) -> Result<(), Fault> {
    let theirs: BTreeMap<Key, RowHash> = source.rows(unit, index).await?.into_iter().collect();
    let ours: BTreeMap<Key, RowHash> = ours.into_iter().collect();
    if source.is_followed() {
        let differing = theirs
            .iter()
            .filter(|(key, hash)| ours.get(key) != Some(hash));
        let extra = ours.iter().filter(|(key, _)| !theirs.contains_key(key));
        let keys = differing.chain(extra).map(|(key, _)| key.clone()).collect();
        return source.recheck(unit, keys).await;
    }
    for key in theirs.keys().filter(|key| !ours.contains_key(*key)) {
        found.add(missing(target, unit, key, found.is_full()).await?);
    }
    for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
        found.add(row(
            DifferenceKind::ExtraRow,
            unit,
            key,
            "on the target only",
        ));
    }
    let changed: Vec<Key> = theirs
        .iter()
        .filter(|(key, hash)| ours.get(*key).is_some_and(|ours| ours != *hash))
        .map(|(key, _)| key.clone())
        .collect();
    for keys in portions(&changed) {
        if found.is_full() {
            keys.iter().for_each(|key| {
                found.add(row(DifferenceKind::Value, unit, key, "a value differs"))
            });
        } else {
            name_fields(source, target, unit, index, keys, found).await?;
        }
    }
    Ok(())
}

/// The keys in portions that one call can hold.
fn portions(keys: &[Key]) -> impl Iterator<Item = &[Key]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |key: &&Key| {
            bytes += key.size_bytes();
            bytes <= ROWS_AT_ONCE.1
        };
        let taken = rest
            .iter()
            .take(ROWS_AT_ONCE.0)
            .take_while(fits)
            .count()
            .max(1)
            .min(rest.len());
        let (portion, behind) = rest.split_at(taken);
        rest = behind;
        (!portion.is_empty()).then_some(portion)
    })
}

/// A row that the target lacks, or has in another partition.
async fn missing(
    target: &impl TargetRows,
    unit: &Unit,
    key: &Key,
    is_full: bool,
) -> Result<Difference, Fault> {
    if let Some(partition) = unit.partition.as_deref().filter(|_| !is_full)
        && let Some(other) = target.elsewhere(partition, key).await?
    {
        return Ok(row(
            DifferenceKind::WrongPartition,
            unit,
            key,
            &format!("on the target it is in partition {other}"),
        ));
    }
    Ok(row(
        DifferenceKind::MissingRow,
        unit,
        key,
        "missing on the target",
    ))
}

async fn name_fields(
    source: &impl SourceRows,
    target: &impl TargetRows,
    unit: &Unit,
    index: BatchIndex,
    keys: &[Key],
    found: &mut Found,
) -> Result<(), Fault> {
    let Some(range) = unit.range_of(index) else {
        return Ok(());
    };
    let theirs = source.fields(unit, index, keys.to_vec()).await?;
    let ours: BTreeMap<Key, FieldHashes> = target
        .fields(unit.partition.as_deref(), &range, keys)
        .await?
        .into_iter()
        .collect();
    for (key, theirs) in theirs {
        let ours = ours.get(&key).cloned().unwrap_or_default();
        let mut named = false;
        for (field, hash) in theirs {
            if ours
                .iter()
                .find(|(name, _)| *name == field)
                .is_none_or(|(_, ours)| *ours != hash)
            {
                named = true;
                found.add(Difference {
                    field: Some(field),
                    ..row(DifferenceKind::Value, unit, &key, "the value differs")
                });
            }
        }
        if !named {
            // It differed when its hash was taken, and does not now: something writes to one of the sides.
            found.add(row(
                DifferenceKind::Value,
                unit,
                &key,
                "the row changed while it was compared",
            ));
        }
    }
    Ok(())
}

/// Names the keys that several rows of a batch's range have on the target, and counts the rows that have none of the keys. Batch by
/// batch: the keys of a whole unit may be more than memory is for.
async fn name_duplicates(
    target: &impl TargetRows,
    unit: &Unit,
    range: &KeyRange,
    found: &mut Found,
) -> Result<(), Fault> {
    let partition = unit.partition.as_deref();
    let count = |range| async move {
        let counted = target.count(partition, &range).await?;
        Ok::<_, Fault>(counted.unwrap_or_default())
    };
    let rows = target.rows(partition, range).await?;
    let surplus = count(range.clone())
        .await?
        .saturating_sub(rows.len() as u64);
    if surplus == 0 {
        return Ok(());
    }
    let keys = rows.into_iter().map(|(key, _)| key).collect();
    let named =
        milvus::proof::duplicate_keys(range.clone(), keys, CollectionReport::MAX_NAMED, count)
            .await?;
    let explained: u64 = named.iter().map(|(_, rows)| rows - 1).sum();
    for (key, rows) in named {
        found.add(row(
            DifferenceKind::DuplicateRow,
            unit,
            &key,
            &format!("{rows} rows have this key"),
        ));
    }
    if surplus > explained {
        found.add_uncounted(
            surplus - explained,
            &unit.partition,
            "rows that count(*) sees and a query does not",
        );
    }
    Ok(())
}

fn row(kind: DifferenceKind, unit: &Unit, key: &Key, detail: &str) -> Difference {
    Difference {
        kind,
        partition: unit.partition.clone(),
        key: Some(key.clone()),
        field: None,
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests;
