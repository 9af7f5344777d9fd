//! Steps as they arrive: their parts are applied one after the other, and the last makes the step durable.

use super::chain::Link;
use super::{Pipeline, Session, Undelivered};
use crate::followings::Gate;
use model::{Batch, CollectionIndex, JobName, Position};
use protocol::{Confirm, Note, Place, StepName, Verb, Whole};
use runtime::telemetry::metric_names::{WRITER_CHANGES, WRITER_STEP};
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument;

/// A step that is being applied. Handed from part to part; when it is dropped the step has ended, and what was done of it is done
/// again with its next run.
#[derive(Debug)]
pub(super) struct Applying {
    gate: Gate,
    has_changes: bool,
    has_drops: bool,
    begun: Instant,
}

/// A part's place in the chain of its step's parts.
#[derive(Debug)]
pub(super) struct StepPart {
    name: StepName,
    verb: Verb,
    reached: Vec<Position>,
    link: Link<Applying>,
}

impl Pipeline {
    /// Chains a part of a step to the one before it; `None` when that never came.
    pub(super) fn chain(&mut self, place: &Place) -> Option<StepPart> {
        let Whole::Step {
            name,
            verb,
            reached,
        } = place.whole.clone()
        else {
            return None;
        };
        let link = self.steps.link(&name, place)?;
        Some(StepPart {
            name,
            verb,
            reached,
            link,
        })
    }
}

impl Session {
    /// Applies a part once those before it are. Gives what is to be confirmed when it was the last.
    pub(super) async fn apply(
        self: &Arc<Self>,
        mut part: StepPart,
        place: &Place,
        rows: Batch,
    ) -> Result<Option<Confirm>, Undelivered> {
        let applying = match part.link.before.take() {
            Some(before) => before.await.ok(),
            None => self
                .agent
                .followings
                .enter(&part.name)
                .await
                .map(|gate| Applying {
                    gate,
                    has_changes: false,
                    has_drops: false,
                    begun: Instant::now(),
                }),
        };
        let Some(mut applying) = applying else {
            return Ok(None);
        };
        let is_change = rows.rows > 0 || part.verb != Verb::Upsert;
        if is_change {
            self.agent.followings.see(&part.name, None);
            self.apply_rows(&part, place, &rows).await?;
            applying.has_changes = true;
            applying.has_drops |= part.verb == Verb::DropPartition;
        }
        if let Some(after) = part.link.after.take() {
            // Nobody takes it up when the session is over.
            let _ = after.send(applying);
            return Ok(None);
        }
        let mut gate = applying.gate;
        if applying.has_changes {
            // Who compares rows need not wait for the server's next tick then.
            let now = self.agent.milvus.alloc_timestamp().await;
            self.agent.followings.see(&part.name, now.unwrap_or(None));
        }
        if applying.has_changes || gate.is_due() {
            let note = || async {
                let followings = &self.agent.followings;
                Ok(followings.note(&part.name, &gate, &part.reached).await?)
            };
            self.patiently(&part.name.job, note).await?;
            gate.handle_noted();
        }
        if applying.has_drops {
            self.drop_beside(&part.name);
        }
        gate.handle_applied(&part.name);
        metrics::histogram!(WRITER_STEP).record(applying.begun.elapsed());
        Ok(Some(Confirm::Step(part.name)))
    }

    /// Applies until Milvus has acknowledged: once and twice are the same.
    async fn apply_rows(
        &self,
        part: &StepPart,
        place: &Place,
        rows: &Batch,
    ) -> Result<(), Undelivered> {
        let writer = self.writer(&part.name.job, part.name.collection)?;
        if self.over.is_cancelled() {
            return Err(Undelivered::SessionOver);
        }
        let apply = || async {
            let points = self.agent.journal.points();
            points.pass("target.step.apply.before");
            let partition = place.partition.as_deref();
            let StepName {
                job, collection, ..
            } = &part.name;
            if part.verb == Verb::DropPartition {
                let drops = self.agent.followings.drops(job, *collection);
                drops.order(partition.map(str::to_owned));
            } else if partition.is_some() {
                self.agent.settle_drops(job, *collection, partition).await?;
            }
            let applied = writer.apply(part.verb, partition, rows).await;
            points.pass("target.step.apply.after");
            applied
        };
        self.patiently(&part.name.job, apply).await?;
        metrics::counter!(WRITER_CHANGES, "verb" => name_of(part.verb))
            .increment(u64::from(rows.rows.max(1)));
        Ok(())
    }

    /// Drops the partitions that are to be dropped while the changes that follow are applied.
    fn drop_beside(self: &Arc<Self>, name: &StepName) {
        let (session, job, index) = (self.clone(), name.job.clone(), name.collection);
        let dropping = async move {
            session.tell_drops(&job, index).await;
            let settle = || session.agent.settle_drops(&job, index, None);
            let settled = session.patiently(&job, settle);
            // What a session leaves is dropped when its collection is followed again.
            match session.over.run_until_cancelled(settled).await {
                Some(Ok(())) => session.tell_drops(&job, index).await,
                Some(Err(Undelivered::Failed(cause))) => session.fail(&job, cause).await,
                Some(Err(Undelivered::SessionOver)) | None => {}
            }
        };
        self.tasks.spawn(dropping.in_current_span());
    }

    /// Tells how many partitions are still to be dropped.
    async fn tell_drops(&self, job: &JobName, index: CollectionIndex) {
        let due = self.agent.followings.drops(job, index).due();
        let (job, partitions) = (job.clone(), due.len() as u64);
        self.tell(Note::Dropping {
            job,
            index,
            partitions,
        })
        .await;
    }
}

fn name_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Delete => "delete",
        Verb::Upsert => "upsert",
        Verb::CreatePartition => "create_partition",
        Verb::DropPartition => "drop_partition",
    }
}
