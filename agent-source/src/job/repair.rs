//! Rows that differ are given to the target anew, as the source has them.
//!
//! There are three causes. Milvus may leave two rows of one key when it is killed in the middle of an upsert: which of them it answers
//! is its own affair, and the target takes after it. The log may have lost changes that were not read yet. And somebody may have
//! written to the target.
//!
//! Before a row is deleted, it is looked twice; and every row that was repaired is looked at once more later, at the latest when the job
//! cuts over: a source that has just started may answer too little for a moment.
//!
//! A repair takes its turn among the steps. What it brings is at least as new as every change that was sent before it, and a change
//! that the log brings later than the repair is applied after it, even where the repair knew it already.

use super::StepError;
use super::recheck::Recheck;
use crate::following::{ChangedRow, Following};
use crate::merging::{Merged, Merging};
use crate::reader::rows::malformed;
use milvus::keys;
use model::job::OnConflict;
use model::{Batch, Change, ChangeKind, Fault, Key, Offset, Tick};
use runtime::budget::Permit;
use runtime::telemetry::metric_names::CHANGES_REPAIRED;
use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// Rows as they are to be on the target.
#[derive(Debug)]
pub(super) struct Repair {
    rows: Vec<ChangedRow>,
    merging: Merging,
    /// Leave to hold them in memory.
    permit: Permit,
}

impl Repair {
    /// What is to be sent, and leave to hold it; nothing when every row has changed since it was read.
    pub(super) fn begin(
        mut self,
        following: &Following,
    ) -> Result<Option<(Merged, Permit)>, Fault> {
        let rows = self.rows.len();
        let overtaken = following.begin_repair(self.rows);
        let repaired = rows - overtaken.len();
        if repaired == 0 {
            return Ok(None);
        }
        metrics::counter!(CHANGES_REPAIRED).increment(repaired as u64);
        self.merging.leave_out(overtaken.iter().map(|(key, _)| key));
        let merged = self.merging.merged().map_err(|error| malformed(&error))?;
        Ok(Some((merged, self.permit)))
    }
}

/// Rows of the source.
#[derive(Debug, Default)]
struct Found {
    keys: Vec<Key>,
    inserts: Vec<ChangeKind>,
}

/// Takes repairs to where steps are sent.
pub(super) type Repairs = mpsc::Sender<Repair>;

impl Recheck<'_, '_> {
    /// Repairs rows that differ, all of them of this partition.
    pub(super) async fn repair(
        &self,
        partition: Option<&str>,
        differing: &[ChangedRow],
    ) -> Result<(), StepError> {
        let wanted: Vec<ChangedRow> = differing
            .iter()
            .filter(|row| self.following.is_to_be_repaired(row))
            .cloned()
            .collect();
        for some in wanted.chunks(self.rows_at_once()) {
            let permit = self.at.agent.hold_batch().await;
            let keys: Vec<Key> = some.iter().map(|(key, _)| key.clone()).collect();
            let found = self.rows_of(partition, &keys).await?;
            let there: BTreeSet<&Key> = found.keys.iter().collect();
            let (missing, mut repaired): (Vec<_>, Vec<_>) = some
                .iter()
                .cloned()
                .partition(|(key, _)| !there.contains(key));
            for row in missing {
                if self.at.job.spec.on_conflict == OnConflict::Append {
                    // It was on the target before this job, and is not this job's to delete.
                    self.following.give_up(&row);
                } else if self.following.may_be_deleted(&row) {
                    repaired.push(row);
                }
            }
            if repaired.is_empty() {
                continue;
            }
            let merging = self.merging_into(partition, &repaired, found.inserts)?;
            let repair = Repair {
                rows: repaired,
                merging,
                permit,
            };
            // Nobody takes it up any more when the following has ended.
            let _ = self.repairs.send(repair).await;
        }
        Ok(())
    }

    /// The rows of these keys as the source has them, each in its own partition.
    async fn rows_of(&self, partition: Option<&str>, keys: &[Key]) -> Result<Found, StepError> {
        let mut found = Found::default();
        for partition in self.partitions_of(partition).await? {
            for batch in self.read(partition.as_deref(), keys).await? {
                found
                    .keys
                    .extend(keys_of(&batch, self.rows.primary_name())?);
                found.inserts.push(ChangeKind::Insert {
                    partition: partition.clone().unwrap_or_default(),
                    batch,
                });
            }
        }
        Ok(found)
    }

    /// What makes these rows, whatever they are on the target, those that were found.
    fn merging_into(
        &self,
        partition: Option<&str>,
        rows: &[ChangedRow],
        inserts: Vec<ChangeKind>,
    ) -> Result<Merging, Fault> {
        let mut merging = self.at.merging()?;
        let delete = ChangeKind::Delete {
            partition: partition.map(str::to_owned),
            keys: rows.iter().map(|(key, _)| key.clone()).collect(),
        };
        for kind in std::iter::once(delete).chain(inserts) {
            let change = Change {
                tick: Tick::default(),
                offset: Offset::default(),
                kind,
            };
            merging.take(change).map_err(|error| malformed(&error))?;
        }
        Ok(merging)
    }

    /// Where rows of this partition are looked for, so that each is put into its own: in every one, where none is known.
    async fn partitions_of(&self, partition: Option<&str>) -> Result<Vec<Option<String>>, Fault> {
        let source = &self.at.record.plan.source;
        if partition.is_some() || source.schema.has_partition_key() {
            return Ok(vec![partition.map(str::to_owned)]);
        }
        let milvus = self.at.agent.milvus.in_database(&source.name.database);
        let partitions = milvus.list_partitions(&source.name.collection).await?;
        Ok(partitions.into_iter().map(Some).collect())
    }
}

fn keys_of(batch: &Batch, primary: &str) -> Result<Vec<Key>, Fault> {
    keys(batch, primary).map_err(|error| malformed(&error))
}
