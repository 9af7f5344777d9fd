//! Proving rows while changes flow: every row once, and each row that changes again after it has changed.

use super::StepError;
use super::collection::{CollectionRun, report_of};
use super::cutover::Live;
use super::recheck::Recheck;
use super::repair::Repairs;
use crate::following::{Following, NEAR, Proof};
use crate::reader::rows::MilvusRows;
use model::codes;
use model::job::Verify;
use protocol::Call;
use std::convert::Infallible;
use std::time::Duration;

/// How often it is looked whether the target is near, whether a source that lacks the collection has it again, and which differences
/// are to be doubted. Nothing tells of these by itself.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Marks the verifications of followed collections among those of a job.
const FOLLOWED_ROUND: u32 = 1 << 31;

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
                self.recheck_touched(following, live, repairs)
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
                self.wait_for_segments().await?;
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
    async fn recheck_touched(
        &self,
        following: &Following,
        live: &Live,
        repairs: &Repairs,
    ) -> Result<Infallible, StepError> {
        let source = &self.record.plan.source;
        let rows = MilvusRows::new(self.agent, source, self.record.is_empty).await?;
        let recheck = Recheck {
            at: self,
            following,
            live,
            rows: rows.live(true),
            repairs,
        };
        recheck.run().await
    }
}
