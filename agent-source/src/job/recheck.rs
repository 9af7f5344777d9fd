//! Looking again at rows that have changed, or that were found to differ.
//!
//! A row that differs when it is compared says little: a change may be under way. So the row is read on the source, the changes up to
//! then are applied, and it is compared with the target's. If it differs and no change of it was sent meanwhile, it does differ, and is
//! repaired.

use super::StepError;
use super::collection::{CollectionRun, unexpected};
use super::cutover::Live;
use super::repair::Repairs;
use crate::following::{ChangedRow, Following, Mark};
use crate::reader::rows::{MilvusRows, malformed};
use milvus::proof;
use model::report::CollectionReport;
use model::{Batch, Fault, Key, RowHash};
use protocol::{Answer, Call};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// How many rows are looked at again at once, and how many bytes their keys may have.
const ROWS_AT_ONCE: usize = 2_000;
const KEY_BYTES_AT_ONCE: usize = 512 << 10;

/// How many of the rows that are repaired at once are named.
const NAMED_REPAIRS: usize = 10;

/// Rows of one partition that are looked at again.
type Rows = Vec<(ChangedRow, Mark)>;

/// What rows of a followed collection are looked at again with.
pub(super) struct Recheck<'a, 'b> {
    pub(super) at: &'a CollectionRun<'b>,
    pub(super) following: &'a Following,
    pub(super) live: &'a Live,
    pub(super) rows: MilvusRows<'a>,
    pub(super) repairs: &'a Repairs,
}

impl Recheck<'_, '_> {
    /// Looks at rows for as long as it is polled.
    pub(super) async fn run(&self) -> Result<Infallible, StepError> {
        let most = self.rows_at_once();
        self.following.resume_repairs();
        loop {
            self.following.wait_touched().await;
            let mut partitions: BTreeMap<Option<String>, Rows> = BTreeMap::new();
            let mut bytes = 0;
            for (row, mark) in self.following.oldest_touched(most) {
                bytes += row.0.size_bytes();
                if bytes > KEY_BYTES_AT_ONCE && !partitions.is_empty() {
                    break;
                }
                let some = partitions.entry(row.1.clone()).or_default();
                some.push((row, mark));
            }
            let compare = |(partition, touched)| self.compare(partition, touched);
            futures::future::try_join_all(partitions.into_iter().map(compare)).await?;
        }
    }

    /// How many rows take about the memory of a batch, by the size of those that were copied.
    pub(super) fn rows_at_once(&self) -> usize {
        let (rows, bytes) = self.at.record.copied;
        let row_bytes = (bytes / rows.max(1)).max(1);
        let rows = self.at.agent.limits.batch_bytes as u64 / row_bytes;
        rows.clamp(1, ROWS_AT_ONCE as u64) as usize
    }

    async fn compare(&self, partition: Option<String>, touched: Rows) -> Result<(), StepError> {
        let keys: Vec<Key> = touched.iter().map(|((key, _), _)| key.clone()).collect();
        let theirs = self.hashes(partition.as_deref(), &keys).await?;
        self.wait_applied_now().await?;
        let call = Call::CompareKeys {
            job: self.at.record.plan.job.clone(),
            index: self.at.record.plan.index,
            partition: partition.clone(),
            rows: theirs,
        };
        let differing = match self.at.session.ask(call).await? {
            Answer::Differing(keys) => keys.into_iter().collect::<BTreeSet<_>>(),
            other => return Err(unexpected(&other)),
        };
        let differing = self.following.settle(touched, &differing);
        if differing.is_empty() {
            return Ok(());
        }
        self.explain(partition.as_deref(), &differing).await?;
        self.repair(partition.as_deref(), &differing).await
    }

    /// The rows of these keys as the source has them, in one partition or wherever they are.
    pub(super) async fn read(
        &self,
        partition: Option<&str>,
        keys: &[Key],
    ) -> Result<Vec<Batch>, Fault> {
        self.rows
            .read_keys(partition, keys, self.live.fenced_at())
            .await
    }

    /// The hash of each row as the source has it.
    async fn hashes(
        &self,
        partition: Option<&str>,
        keys: &[Key],
    ) -> Result<Vec<(Key, Option<RowHash>)>, StepError> {
        let _held = self.at.agent.hold_batch().await;
        let mut found = BTreeMap::new();
        for part in self.read(partition, keys).await? {
            let hashes = proof::row_hashes(&part, self.rows.primary_name(), true);
            found.extend(hashes.map_err(|error| malformed(&error))?);
        }
        let hash = |key: &Key| (key.clone(), found.get(key).copied());
        Ok(keys.iter().map(hash).collect())
    }

    /// Waits until every change is applied that the source may have shown by now. After the fence there is none.
    async fn wait_applied_now(&self) -> Result<(), StepError> {
        let now = match self.live.fenced_at() {
            Some(fence) => Some(fence),
            None => self.at.agent.tick_now().await?,
        };
        if let Some(now) = now {
            self.following.wait_applied(now).await;
        }
        Ok(())
    }

    /// Names the fields in which rows differ: of those that stay as they are, and of a few that are about to be repaired.
    async fn explain(
        &self,
        partition: Option<&str>,
        differing: &[ChangedRow],
    ) -> Result<(), StepError> {
        let (repaired, left): (Vec<_>, Vec<_>) = differing
            .iter()
            .partition(|row| self.following.is_to_be_repaired(row));
        let left = left.into_iter().take(CollectionReport::MAX_NAMED);
        let named = left.chain(repaired.into_iter().take(NAMED_REPAIRS));
        let keys: Vec<Key> = named.map(|(key, _)| key.clone()).collect();
        let wanted: BTreeSet<Key> = keys.iter().cloned().collect();
        let mut found = BTreeMap::new();
        for part in self.read(partition, &keys).await? {
            let fields = proof::field_hashes(&part, self.rows.primary_name(), &wanted);
            found.extend(fields.map_err(|error| malformed(&error))?);
        }
        let with_fields = |key| {
            let fields = found.remove(&key);
            (key, fields)
        };
        let call = Call::ExplainKeys {
            job: self.at.record.plan.job.clone(),
            index: self.at.record.plan.index,
            partition: partition.map(str::to_owned),
            rows: keys.into_iter().map(with_fields).collect(),
        };
        match self.at.session.ask(call).await? {
            Answer::Differences(named) => {
                let name = &self.at.record.plan.source.name;
                let first = named.first().map(tracing::field::debug);
                tracing::warn!(collection = %name, rows = differing.len(), first, "rows differ");
                self.following.handle_differences(named);
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }
}
