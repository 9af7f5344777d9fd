//! Following a collection: changes are read from the log, merged, and sent as steps, one at a time, while rows are proven.
//!
//! A step is sent when the one before is confirmed, and holds what the log brought meanwhile: the further the target is away, the
//! larger the steps. A step without changes tells the target's agent how far the log is, so that a lag is never guessed.

use super::StepError;
use super::collection::{CollectionRun, unexpected};
use super::cutover::Live;
use super::repair::Repair;
use crate::following::Following;
use crate::merging::{Merged, Merging};
use crate::outbox::{Parcel, Portion, Portions};
use crate::reader::changes::Log;
use crate::reader::changes::channels::{Advance, Channels};
use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Batch, ChangeKind, Class, CollectionSpec, Fault, Position, Tick, codes};
use protocol::{Answer, Call, StepName, Verb, Whole};
use runtime::budget::Permit;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How often what operators see is renewed.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// How often it is looked how far the log goes back, which changes slowly.
pub(super) const LOOK_AT_LOG_EVERY: Duration = Duration::from_secs(10);

/// Why following came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// The job has cut over.
    CutOver,
    /// The collection was dropped on the source.
    Dropped,
    /// It is defined otherwise now, and is followed on.
    Redefined(Box<CollectionSpec>),
}

impl CollectionRun<'_> {
    /// Follows the log until the job has cut over, or the collection is dropped.
    #[tracing::instrument(name = "follow", skip_all)]
    pub(super) async fn follow(&mut self, live: &Live) -> Result<End, StepError> {
        let (job, index) = (self.record.plan.job.clone(), self.record.plan.index);
        let following = self.agent.followings.of(&job, index);
        loop {
            let (repairs, wanted) = mpsc::channel(1);
            let end = tokio::select! {
                end = self.apply_changes(&following, wanted) => end,
                never = self.prove(&following, live, &repairs) => never.map(|never| match never {}),
                now = self.redefinition() => now.map(End::Redefined),
                () = self.show_following(&following, live) => Ok(End::CutOver),
                () = live.wait_committed() => Ok(End::CutOver),
            };
            match end {
                Err(StepError::Fault(fault)) if fault.code == codes::LOG_TRUNCATED => {
                    self.begin_again(&following, fault).await?;
                }
                Ok(End::Redefined(now)) => self.redefine(now).await?,
                Ok(end) => {
                    self.agent.show_followed(&self.record.plan);
                    return Ok(end);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The log has lost changes: it is followed from where it is now, and every row is compared, so that those which miss a change are
    /// repaired.
    async fn begin_again(&mut self, following: &Following, fault: Fault) -> Result<(), StepError> {
        tracing::warn!(code = fault.code, error = %fault, "every row is compared again");
        self.record.start.clear();
        self.note_start().await?;
        following.handle_gap();
        Ok(())
    }

    async fn apply_changes(
        &self,
        following: &Following,
        mut repairs: mpsc::Receiver<Repair>,
    ) -> Result<End, StepError> {
        let plan = &self.record.plan;
        let log = self.agent.log.as_ref().ok_or_else(no_log)?;
        let mut steps = Steps::begin(self, following).await?;
        self.want(&steps.reached);
        let mut channels = Channels::new(log, plan.source.id, &steps.reached);
        let mut confirmed = following.confirmed();
        let mut gathered = Gathered {
            merging: self.merging()?,
            reached: None,
            is_dropped: false,
        };
        // Leave to hold the next step in memory is waited for beside all else: repairs have theirs until they are sent.
        let mut leave: Option<BoxFuture<'_, Permit>> = None;
        loop {
            if gathered.is_dropped && !steps.is_under_way {
                return Ok(End::Dropped);
            }
            if !steps.is_under_way && gathered.is_only_news() {
                steps
                    .send_gathered(self, following, &mut gathered, None)
                    .await?;
            }
            if gathered.merging.size_bytes() > 0 && leave.is_none() {
                leave = Some(self.agent.hold_batch().boxed());
            }
            let is_full = gathered.merging.size_bytes() >= self.agent.limits.batch_bytes;
            tokio::select! {
                advance = channels.next(), if !is_full && !gathered.is_dropped => {
                    gathered.take(advance?, following).map_err(|fault| self.named(fault))?;
                }
                () = steps.wait_confirmed(&mut confirmed), if steps.is_under_way => {
                    steps.handle_confirmed(following);
                    self.want(&steps.reached);
                }
                Some(repair) = repairs.recv(), if !steps.is_under_way => {
                    if let Some((merged, permit)) = repair.begin(following)? {
                        steps.send(self, following, merged, Some(permit)).await?;
                    }
                }
                permit = has_leave(&mut leave), if !steps.is_under_way => {
                    leave = None;
                    steps.send_gathered(self, following, &mut gathered, Some(permit)).await?;
                }
            }
        }
    }

    /// The log is followed on behind these positions.
    fn want(&self, positions: &[Position]) {
        let plan = &self.record.plan;
        if let Some(spool) = self.agent.spool() {
            spool.want(&plan.job, plan.index, positions);
        }
    }

    /// Begins another run of steps: its number, and how far the log is applied.
    pub(super) async fn begin_run(&self) -> Result<(u64, Vec<Position>), StepError> {
        let call = Call::FollowCollection {
            plan: self.record.plan.clone(),
            start: self.record.start.clone(),
            beginning: self.record.beginning,
        };
        match self.session.ask(call).await? {
            Answer::Following { run, applied } => Ok((run, applied)),
            other => Err(unexpected(&other)),
        }
    }

    /// Nothing, into which changes of this collection may be merged.
    pub(super) fn merging(&self) -> Result<Merging, Fault> {
        let schema = &self.record.plan.source.schema;
        let primary = schema.primary().ok_or_else(no_log)?;
        Ok(Merging::new(primary.clone(), !schema.has_partition_key()))
    }

    /// A fault of the collection's log, with the collection's name.
    fn named(&self, mut fault: Fault) -> Fault {
        let name = &self.record.plan.source.name;
        fault.message = format!("collection {name}: {}", fault.message);
        fault
    }

    /// Shows how far it is, for as long as it is polled.
    pub(super) async fn show_following(&self, following: &Following, live: &Live) {
        let look = async {
            loop {
                let source = &self.record.plan.source;
                self.agent.look_at_log(source, following).await;
                tokio::time::sleep(LOOK_AT_LOG_EVERY).await;
            }
        };
        let show = async {
            loop {
                self.show_once(following, live);
                tokio::time::sleep(SHOW_EVERY).await;
            }
        };
        // A log that does not answer must not hold up what is shown.
        futures::future::join(look, show).await;
    }

    fn show_once(&self, following: &Following, live: &Live) {
        let changes = following.status(live.source_clock());
        let cuts_over = live.fenced_at().is_some();
        let verification = following.verification();
        let plan = &self.record.plan;
        self.agent
            .show_following(plan, changes, verification, cuts_over);
        self.agent.show_differences(plan, following.differences());
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
        self.record.beginning += 1;
        self.agent
            .journal
            .points()
            .pass("source.collection.start.before");
        self.agent.put_collection(&self.record).await?;
        self.agent
            .journal
            .points()
            .pass("source.collection.start.after");
        self.want(&self.record.start);
        Ok(())
    }
}

/// Changes that were read and not sent yet.
struct Gathered {
    merging: Merging,
    reached: Option<(Vec<Position>, Tick)>,
    /// Whether the collection was dropped: nothing that was read matters then.
    is_dropped: bool,
}

impl Gathered {
    fn take(&mut self, advance: Advance, following: &Following) -> Result<(), Fault> {
        for change in advance.changes {
            if change.kind == ChangeKind::DropCollection {
                self.is_dropped = true;
                return Ok(());
            }
            following.handle_change(change.tick);
            self.merging
                .take(change)
                .map_err(|error| malformed(&error))?;
        }
        self.reached = Some((advance.reached, advance.tick));
        Ok(())
    }

    /// Whether nothing changed, and only the log went on.
    fn is_only_news(&self) -> bool {
        self.reached.is_some() && self.merging.size_bytes() == 0
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
    /// Whether the last one is not confirmed yet.
    is_under_way: bool,
    /// How far the log is with the last one, and up to where every change is applied then.
    reached: Vec<Position>,
    tick: Tick,
}

impl Steps {
    async fn begin(at: &CollectionRun<'_>, following: &Following) -> Result<Self, StepError> {
        let (run, reached) = at.begin_run().await?;
        let tick = reached.iter().map(|position| position.tick).min();
        let tick = tick.unwrap_or_default();
        following.handle_begun(tick);
        Ok(Self {
            run,
            number: 0,
            is_under_way: false,
            reached,
            tick,
        })
    }

    async fn wait_confirmed(&self, confirmed: &mut watch::Receiver<(u64, u64)>) {
        let last = (self.run, self.number);
        // The sender is a part of what is followed.
        let _ = confirmed.wait_for(|confirmed| *confirmed == last).await;
    }

    fn handle_confirmed(&mut self, following: &Following) {
        self.is_under_way = false;
        following.handle_applied(self.tick);
    }

    /// Sends what was read.
    async fn send_gathered(
        &mut self,
        at: &CollectionRun<'_>,
        following: &Following,
        gathered: &mut Gathered,
        permit: Option<Permit>,
    ) -> Result<(), StepError> {
        let Some((merged, reached, tick)) = gathered.next()? else {
            return Ok(());
        };
        (self.reached, self.tick) = (reached, tick);
        following.handle_changes(merged.upserts, merged.deletes);
        self.send(at, following, merged, permit).await
    }

    /// Sends the next step, with leave to hold its rows in memory.
    async fn send(
        &mut self,
        at: &CollectionRun<'_>,
        following: &Following,
        merged: Merged,
        permit: Option<Permit>,
    ) -> Result<(), StepError> {
        self.number += 1;
        self.is_under_way = true;
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
                reached: self.reached.clone(),
            },
            partition,
            rows,
        };
        let mut portions: Vec<_> = merged
            .portions
            .into_iter()
            .map(|part| portion(part.verb, part.partition, part.rows))
            .collect();
        if portions.is_empty() {
            portions.push(portion(Verb::Upsert, None, Batch::default()));
        }
        // Before the target can have applied them: whoever compares rows meanwhile knows that these may differ.
        following.touch(merged.touched);
        for partition in &merged.dropped {
            following.touch_partition(partition);
        }
        at.agent.journal.points().pass("source.step.send.before");
        let portions = Portions::Ready(portions);
        at.session.outbox.send(Parcel { portions, permit }).await?;
        Ok(())
    }
}

/// Waits for the leave that was asked for, if any was.
async fn has_leave(leave: &mut Option<BoxFuture<'_, Permit>>) -> Permit {
    match leave {
        Some(leave) => leave.await,
        None => std::future::pending().await,
    }
}

fn no_log() -> Fault {
    let hint = "give the source's agent its `log` section again, or cancel the job";
    let message = "the job follows changes, and the source's agent has no log configured";
    Fault::new(codes::LOG_MISSING, Class::Operator, message, hint)
}

fn malformed(error: &milvus::ColumnError) -> Fault {
    let hint = "report this as a defect of Passage, with Milvus's version; the job waits and skips nothing";
    let message = format!("a change in the log can't be understood: {error}");
    Fault::new(codes::LOG_MALFORMED, Class::Operator, message, hint)
}
