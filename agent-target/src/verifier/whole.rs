//! Compares a collection whose primary keys were made anew: no key is the same on both sides, so the partitions are compared
//! as a whole, by the sum of their rows' hashes without the key.

use super::found::Found;
use super::milvus_rows::MilvusTarget;
use super::source_rows::SourceAgent;
use model::report::CollectionReport;
use model::{Digest, Fault, UnitId, Verification};
use protocol::call::CollectionPlan;
use std::collections::BTreeMap;

/// Compares each partition as a whole. A difference can be counted, not named: nothing says which row became which.
pub(super) async fn compare(
    source: &SourceAgent<'_>,
    target: &MilvusTarget,
    plan: &CollectionPlan,
    units: u32,
) -> Result<CollectionReport, Fault> {
    let mut partitions: BTreeMap<Option<String>, Digest> = BTreeMap::new();
    let mut report = super::blank(plan, Verification::Clean);
    for number in 0..units {
        let theirs = source
            .digests(UnitId {
                collection: plan.index,
                number,
            })
            .await?;
        let sum = partitions.entry(theirs.unit.partition).or_default();
        theirs.batches.iter().for_each(|digest| sum.merge(digest));
        report.source_duplicates += theirs.duplicates;
    }
    let mut found = Found::default();
    for (partition, theirs) in partitions {
        let ours = target.digest_all(partition.as_deref()).await?;
        report.ranges += 1;
        report.rows += ours.rows();
        if ours != theirs {
            let surplus = ours.rows().abs_diff(theirs.rows());
            let detail = "rows more or less, or values that differ; with keys made anew it can't be told which";
            found.add_uncounted(surplus, &partition, detail);
        }
    }
    super::finish(&mut report, found);
    Ok(report)
}
