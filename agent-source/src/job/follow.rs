//! Following a collection: changes are read from the log, merged, and sent as steps, one at a time, while rows are proven.
//!
//! A step is sent when the one before is confirmed, and holds what the log brought meanwhile: the further the target is away, the
//! larger the steps. A step without changes tells the target's agent how far the log is, so that a lag is never guessed.

use super::StepError;
use super::collection::{CollectionRun, unexpected};
use super::cutover::Live;
use crate::following::Following;
use crate::merging::{Merged, Merging};
use crate::outbox::{Parcel, Portion};
use crate::reader::changes::Log;
use crate::reader::changes::channels::{Advance, Channels};
use model::{Batch, ChangeKind, Class, Fault, Field, Position, Tick, codes};
use protocol::{Answer, Call, StepName, Verb, Whole};
use std::sync::Arc;
use std::time::Duration;

/// How often what operators see is renewed.
const SHOW_EVERY: Duration = Duration::from_millis(200);

impl CollectionRun<'_> {
    /// Follows the log until the job has cut over.
    #[tracing::instrument(name = "follow", skip_all)]
    pub(super) async fn follow(&mut self, live: &Live) -> Result<(), StepError> {
        let (job, index) = (self.record.plan.job.clone(), self.record.plan.index);
        let following = self.agent.followings.of(&job, index);
        tokio::select! {
            outcome = self.apply_changes(&following) => outcome,
            outcome = self.prove(&following, live) => outcome,
            () = self.show_following(&following, live) => Ok(()),
            () = live.wait_committed() => Ok(()),
        }
    }

    async fn apply_changes(&self, following: &Following) -> Result<(), StepError> {
        let plan = &self.record.plan;
        let log = self.agent.log.as_ref().ok_or_else(no_log)?;
        let primary = plan.source.schema.primary().ok_or_else(no_log)?;
        let mut steps = Steps::begin(self, following).await?;
        let mut channels = Channels::new(log, plan.source.id, &steps.applied);
        let mut confirmed = following.confirmed();
        let mut gathered = Gathered::new(primary, plan.source.schema.has_partition_key());
        loop {
            let has_room = gathered.merging.size_bytes() < self.agent.limits.batch_bytes;
            tokio::select! {
                advance = channels.next(), if has_room => {
                    gathered.take(advance?, following).map_err(|fault| self.named(fault))?;
                }
                _ = confirmed.wait_for(|last| *last == steps.last()), if steps.under_way.is_some() => {
                    steps.handle_confirmed(following);
                }
            }
            if steps.under_way.is_none()
                && let Some((merged, reached, tick)) = gathered.next()?
            {
                steps.send(self, following, merged, reached, tick).await?;
            }
        }
    }

    /// A fault of the collection's log, with the collection's name.
    fn named(&self, mut fault: Fault) -> Fault {
        let name = &self.record.plan.source.name;
        fault.message = format!("collection {name}: {}", fault.message);
        fault
    }

    /// Shows how far it is, for as long as it is polled.
    async fn show_following(&self, following: &Following, live: &Live) {
        loop {
            let changes = following.status(live.source_clock());
            let cuts_over = live.fenced_at().is_some();
            let verification = following.verification();
            let plan = &self.record.plan;
            self.agent
                .show_following(plan, changes, verification, cuts_over);
            self.agent.show_differences(plan, following.differences());
            tokio::time::sleep(SHOW_EVERY).await;
        }
    }

    /// Notes where the log is before a row is read, and how the collection is then: what changes later is in the log behind it.
    pub(super) async fn note_start(&mut self) -> Result<(), StepError> {
        if !self.record.start.is_empty() {
            return Ok(());
        }
        let log: &Arc<Log> = self.agent.log.as_ref().ok_or_else(no_log)?;
        let mut start = Vec::new();
        for channel in &self.record.plan.source.channels {
            start.push(Position {
                channel: channel.clone(),
                offset: log.end_of(channel).await?,
                tick: Tick::default(),
            });
        }
        self.describe_again().await?;
        self.record.start = start;
        self.agent
            .journal
            .points()
            .pass("source.collection.start.before");
        self.agent.put_collection(&self.record).await?;
        self.agent
            .journal
            .points()
            .pass("source.collection.start.after");
        Ok(())
    }
}

/// Changes that were read and not sent yet.
struct Gathered {
    merging: Merging,
    reached: Option<(Vec<Position>, Tick)>,
}

impl Gathered {
    fn new(primary: &Field, has_partition_key: bool) -> Self {
        Self {
            merging: Merging::new(primary.clone(), !has_partition_key),
            reached: None,
        }
    }

    fn take(&mut self, advance: Advance, following: &Following) -> Result<(), Fault> {
        for change in advance.changes {
            if change.kind == ChangeKind::DropCollection {
                return Err(dropped());
            }
            following.handle_change(change.tick);
            self.merging
                .take(change)
                .map_err(|error| malformed(&error))?;
        }
        self.reached = Some((advance.reached, advance.tick));
        Ok(())
    }

    /// What is to be sent next, if anything was read.
    fn next(&mut self) -> Result<Option<(Merged, Vec<Position>, Tick)>, Fault> {
        let Some((reached, tick)) = self.reached.take() else {
            return Ok(None);
        };
        let merged = self.merging.merged().map_err(|error| malformed(&error))?;
        Ok(Some((merged, reached, tick)))
    }
}

/// The steps of one run.
struct Steps {
    run: u64,
    number: u64,
    /// What will be applied when the last step is confirmed; `None` when it is.
    under_way: Option<Tick>,
    /// Where the run begins.
    applied: Vec<Position>,
}

impl Steps {
    async fn begin(at: &CollectionRun<'_>, following: &Following) -> Result<Self, StepError> {
        let call = Call::FollowCollection {
            job: at.record.plan.job.clone(),
            index: at.record.plan.index,
            start: at.record.start.clone(),
        };
        match at.session.ask(call).await? {
            Answer::Following { run, applied } => {
                let tick = applied.iter().map(|position| position.tick).min();
                following.handle_applied(tick.unwrap_or_default());
                Ok(Self {
                    run,
                    number: 0,
                    under_way: None,
                    applied,
                })
            }
            other => Err(unexpected(&other)),
        }
    }

    fn last(&self) -> (u64, u64) {
        (self.run, self.number)
    }

    fn handle_confirmed(&mut self, following: &Following) {
        if let Some(tick) = self.under_way.take() {
            following.handle_applied(tick);
        }
    }

    async fn send(
        &mut self,
        at: &CollectionRun<'_>,
        following: &Following,
        merged: Merged,
        reached: Vec<Position>,
        tick: Tick,
    ) -> Result<(), StepError> {
        self.number += 1;
        self.under_way = Some(tick);
        let name = StepName {
            job: at.record.plan.job.clone(),
            collection: at.record.plan.index,
            run: self.run,
            number: self.number,
        };
        let portion = |verb, partition, rows| Portion {
            whole: Whole::Step {
                name: name.clone(),
                verb,
                reached: reached.clone(),
            },
            partition,
            rows,
        };
        let mut portions: Vec<_> = merged
            .portions
            .into_iter()
            .map(|part| portion(part.verb, part.partition, part.rows))
            .collect();
        let permit = if portions.is_empty() {
            portions.push(portion(Verb::Upsert, None, Batch::default()));
            None
        } else {
            Some(at.agent.hold_batch().await)
        };
        // Before the target can have applied them: whoever compares rows meanwhile knows that these may differ.
        following.handle_step(merged.touched, merged.upserts, merged.deletes);
        at.agent.journal.points().pass("source.step.send.before");
        at.session.outbox.send(Parcel { portions, permit }).await?;
        Ok(())
    }
}

fn no_log() -> Fault {
    let hint = "give the source's agent its `log` section again, or cancel the job";
    let message = "the job follows changes, and the source's agent has no log configured";
    Fault::new(codes::LOG_MISSING, Class::Operator, message, hint)
}

fn dropped() -> Fault {
    let hint = "cancel the job; the target keeps what it has. A collection that took its place needs a job of its own";
    let message = "it was dropped on the source";
    Fault::new(codes::COLLECTION_DROPPED, Class::Operator, message, hint)
}

fn malformed(error: &milvus::ColumnError) -> Fault {
    let hint = "report this as a defect of Passage, with Milvus's version; the job waits and skips nothing";
    let message = format!("a change in the log can't be understood: {error}");
    Fault::new(codes::LOG_MALFORMED, Class::Operator, message, hint)
}
