//! Proving rows while changes flow: every row once, and each row that changes again after it has changed.
//!
//! A row that differs when it is compared says little: a change may be under way. So the row is read on the source, the changes up to
//! then are applied, and it is compared with the target's. If it differs and no change of it was sent meanwhile, it does differ, and is
//! repaired.

use super::StepError;
use super::collection::{CollectionRun, report_of, unexpected};
use super::cutover::Live;
use super::repair::Repairs;
use crate::following::{ChangedRow, Following, Mark, NEAR, Proof};
use crate::reader::rows::{MilvusRows, malformed};
use futures::TryFutureExt;
use milvus::proof;
use model::job::Verify;
use model::report::CollectionReport;
use model::{Key, RowHash, codes};
use protocol::{Answer, Call};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

/// How many rows are looked at again at once, and how many bytes their keys may have.
const ROWS_AT_ONCE: usize = 2_000;
const KEY_BYTES_AT_ONCE: usize = 512 << 10;

/// How often it is looked whether the target is near.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Marks the verifications of followed collections among those of a job.
const FOLLOWED_ROUND: u32 = 1 << 31;

/// Rows of one partition that are looked at again.
type Rows = Vec<(ChangedRow, Mark)>;

impl CollectionRun<'_> {
    /// Proves rows for as long as it is polled.
    pub(super) async fn prove(
        &self,
        following: &Following,
        live: &Live,
        repairs: &Repairs,
    ) -> Result<Infallible, StepError> {
        if self.job.spec.verify == Verify::None {
            following.want_no_proof();
            return std::future::pending().await;
        }
        loop {
            let proven = tokio::try_join!(
                self.compare_all(following, live),
                self.compare_touched(following, live, repairs)
            );
            match proven {
                Ok((never, _)) => return Ok(never),
                // What became of it is told by the log, or by whoever looks after its name.
                Err(StepError::Fault(fault)) if fault.code == codes::COLLECTION_NOT_FOUND => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Compares every row, and again whenever more rows have changed than are remembered.
    async fn compare_all(
        &self,
        following: &Following,
        live: &Live,
    ) -> Result<Infallible, StepError> {
        loop {
            // Before the target is near, most rows are going to change.
            let is_near = || {
                let lag = following.status(live.source_clock()).lag_ms;
                lag.is_some_and(|lag| u128::from(lag) <= NEAR.as_millis())
            };
            // A pass that an ended session left goes on.
            let is_due = matches!(following.proof(), Proof::NotBegun | Proof::Passing);
            if is_due && is_near() {
                let pass = following.begin_pass();
                self.divide_new_partitions().await?;
                let plan = self.record.plan.clone();
                let units = self.agent.units_of(&plan.job, plan.index)?;
                let epoch = u32::try_from(self.job.epoch.number()).unwrap_or(0) & 0x7f_ffff;
                let call = Call::VerifyCollection {
                    plan,
                    units,
                    round: FOLLOWED_ROUND | epoch << 8 | pass & 0xff,
                    is_followed: true,
                };
                report_of(self.session.ask(call)).await?;
                following.end_pass();
            }
            tokio::time::sleep(LOOK_EVERY).await;
            following.doubt_differences();
        }
    }

    /// Looks at rows again that were touched.
    async fn compare_touched(
        &self,
        following: &Following,
        live: &Live,
        repairs: &Repairs,
    ) -> Result<Infallible, StepError> {
        let source = &self.record.plan.source;
        let rows = MilvusRows::new(self.agent, source, self.record.is_empty)
            .await?
            .live(true);
        let most = self.rows_at_once();
        loop {
            following.wait_touched().await;
            let mut partitions: BTreeMap<Option<String>, Rows> = BTreeMap::new();
            let mut bytes = 0;
            for (row, mark) in following.oldest_touched(most) {
                bytes += row.0.size_bytes();
                if bytes > KEY_BYTES_AT_ONCE && !partitions.is_empty() {
                    break;
                }
                let some = partitions.entry(row.1.clone()).or_default();
                some.push((row, mark));
            }
            let compare = |(partition, touched)| {
                self.compare_some(following, live, &rows, partition, touched, repairs)
            };
            futures::future::try_join_all(partitions.into_iter().map(compare)).await?;
        }
    }

    /// How many rows take about the memory of a batch, by the size of those that were copied.
    fn rows_at_once(&self) -> usize {
        let (rows, bytes) = self.record.copied;
        let row_bytes = (bytes / rows.max(1)).max(1);
        let rows = self.agent.limits.batch_bytes as u64 / row_bytes;
        rows.clamp(1, ROWS_AT_ONCE as u64) as usize
    }

    async fn compare_some(
        &self,
        following: &Following,
        live: &Live,
        rows: &MilvusRows<'_>,
        partition: Option<String>,
        touched: Rows,
        repairs: &Repairs,
    ) -> Result<(), StepError> {
        let keys: Vec<Key> = touched.iter().map(|((key, _), _)| key.clone()).collect();
        let theirs = self.hashes(rows, partition.as_deref(), &keys, live).await?;
        self.wait_applied_now(following, live).await?;
        let call = Call::CompareKeys {
            job: self.record.plan.job.clone(),
            index: self.record.plan.index,
            partition: partition.clone(),
            rows: theirs,
        };
        let differing = match self.session.ask(call).await? {
            Answer::Differing(keys) => keys.into_iter().collect::<BTreeSet<_>>(),
            other => return Err(unexpected(&other)),
        };
        let differing = following.settle(touched, &differing);
        if differing.is_empty() {
            return Ok(());
        }
        self.explain(following, live, rows, partition.as_deref(), &differing)
            .await?;
        let partition = partition.as_deref();
        self.repair(following, live, rows, partition, &differing, repairs)
            .await
    }

    /// The hash of each row as the source has it.
    async fn hashes(
        &self,
        rows: &MilvusRows<'_>,
        partition: Option<&str>,
        keys: &[Key],
        live: &Live,
    ) -> Result<Vec<(Key, Option<RowHash>)>, StepError> {
        let _held = self.agent.hold_batch().await;
        let mut found = BTreeMap::new();
        for part in rows.read_keys(partition, keys, live.fenced_at()).await? {
            let hashes = proof::row_hashes(&part, rows.primary_name(), true);
            found.extend(hashes.map_err(|error| malformed(&error))?);
        }
        let hash = |key: &Key| (key.clone(), found.get(key).copied());
        Ok(keys.iter().map(hash).collect())
    }

    /// Waits until every change is applied that the source may have shown by now. After the fence there is none.
    async fn wait_applied_now(&self, following: &Following, live: &Live) -> Result<(), StepError> {
        let now = match live.fenced_at() {
            Some(fence) => Some(fence),
            None => self.agent.tick_now().await?,
        };
        if let Some(now) = now {
            following.wait_applied(now).await;
        }
        Ok(())
    }

    /// Names the fields in which rows differ.
    async fn explain(
        &self,
        following: &Following,
        live: &Live,
        rows: &MilvusRows<'_>,
        partition: Option<&str>,
        differing: &[ChangedRow],
    ) -> Result<(), StepError> {
        let first = differing.iter().take(CollectionReport::MAX_NAMED);
        let keys: Vec<Key> = first.map(|(key, _)| key.clone()).collect();
        let wanted: BTreeSet<Key> = keys.iter().cloned().collect();
        let mut found = BTreeMap::new();
        for part in rows.read_keys(partition, &keys, live.fenced_at()).await? {
            let fields = proof::field_hashes(&part, rows.primary_name(), &wanted);
            found.extend(fields.map_err(|error| malformed(&error))?);
        }
        let call = Call::ExplainKeys {
            job: self.record.plan.job.clone(),
            index: self.record.plan.index,
            partition: partition.map(str::to_owned),
            rows: keys
                .into_iter()
                .map(|key| {
                    let fields = found.remove(&key);
                    (key, fields)
                })
                .collect(),
        };
        match self.session.ask(call).map_err(StepError::from).await? {
            Answer::Differences(named) => {
                let name = &self.record.plan.source.name;
                let first = named.first().map(tracing::field::debug);
                tracing::warn!(collection = %name, rows = differing.len(), first, "rows differ");
                following.handle_differences(named);
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }
}
