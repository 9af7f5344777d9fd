//! Collections whose changes are followed: how far the target is, and which rows are still to be proven. In memory: a source's agent
//! that starts again compares every row again.

mod differing;
mod touched;

use differing::Differing;
use model::{ChangesStatus, CollectionIndex, Difference, JobName, Key, Tick, Verification};
use protocol::StepName;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use touched::Touched;
pub(crate) use touched::{ChangedRow, Mark};

/// A target that is no further behind is near: it follows changes as they come.
pub(crate) const NEAR: Duration = Duration::from_secs(5);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Followings(Mutex<ByName>);

type ByName = HashMap<(JobName, CollectionIndex), Arc<Following>>;

/// One collection.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// The last step that the target has confirmed: its run and its number.
    confirmed: watch::Sender<(u64, u64)>,
    /// Up to where every change is applied on the target.
    applied: watch::Sender<Tick>,
    state: Mutex<State>,
    /// Rung when rows are touched.
    touched: tokio::sync::Notify,
    /// Rung when rows were looked at.
    settled: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct State {
    upserts: u64,
    deletes: u64,
    /// The tick of the latest change that the log had.
    last_change: Tick,
    proof: Proof,
    passes: u32,
    touched: Touched,
    differing: Differing,
    /// Rows that differed and were given to the target anew.
    repaired: u64,
    /// How often changes may have been lost with the log.
    gaps: u32,
    /// How many rows more the source had than the target when they were last counted.
    surplus: u64,
    /// How many partitions the target has still to drop.
    dropping: u64,
    /// From when on the log has messages, as far as that is known.
    log_begins: Option<Tick>,
}

/// How far every row of a collection has been compared since this agent follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Proof {
    /// Not at all.
    #[default]
    NotBegun,
    /// It is under way.
    Passing,
    /// All have been; those that have changed since are touched.
    Passed,
    /// The job does not ask for it.
    NotWanted,
}

impl Followings {
    /// The collection, from now on followed.
    pub(crate) fn of(&self, job: &JobName, index: CollectionIndex) -> Arc<Following> {
        self.all().entry((job.clone(), index)).or_default().clone()
    }

    /// The collection, if it is followed.
    pub(crate) fn find(&self, job: &JobName, index: CollectionIndex) -> Option<Arc<Following>> {
        self.all().get(&(job.clone(), index)).cloned()
    }

    /// A job's collections are no longer followed.
    pub(crate) fn end(&self, job: &JobName) {
        self.all().retain(|(of, _), _| of != job);
    }

    /// The target has confirmed a step.
    pub(crate) fn handle_confirm(&self, name: &StepName) {
        if let Some(following) = self.find(&name.job, name.collection) {
            following.confirmed.send_replace((name.run, name.number));
        }
    }

    /// The target has still to drop so many partitions.
    pub(crate) fn handle_dropping(&self, job: &JobName, index: CollectionIndex, partitions: u64) {
        if let Some(following) = self.find(job, index) {
            following.state().dropping = partitions;
        }
    }

    fn all(&self) -> MutexGuard<'_, ByName> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The steps that the target confirms.
    pub(crate) fn confirmed(&self) -> watch::Receiver<(u64, u64)> {
        self.confirmed.subscribe()
    }

    /// Changes up to this tick are applied.
    pub(crate) fn handle_applied(&self, tick: Tick) {
        self.applied.send_replace(tick);
    }

    /// Up to where every change is applied.
    pub(crate) fn applied(&self) -> Tick {
        *self.applied.borrow()
    }

    /// How many partitions that are gone the target has still to drop.
    pub(crate) fn dropping(&self) -> u64 {
        self.state().dropping
    }

    /// The target has begun to follow, up to where every change is applied by now; what it had to drop before it has dropped.
    pub(crate) fn handle_begun(&self, applied: Tick) {
        self.state().dropping = 0;
        self.handle_applied(applied);
    }

    /// Waits until every change up to this tick is applied.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_applied(&self, tick: Tick) {
        // The sender lives as long as this borrow: the wait can't fail.
        let _ = self
            .applied
            .subscribe()
            .wait_for(|applied| *applied >= tick)
            .await;
    }

    /// The log had a change of this time.
    pub(crate) fn handle_change(&self, tick: Tick) {
        let mut state = self.state();
        state.last_change = state.last_change.max(tick);
    }

    /// The time of the latest change that the log had.
    pub(crate) fn last_change(&self) -> Tick {
        self.state().last_change
    }

    /// So many changes are about to be sent.
    pub(crate) fn handle_changes(&self, upserts: u64, deletes: u64) {
        let mut state = self.state();
        state.upserts += upserts;
        state.deletes += deletes;
    }

    /// These rows are to be looked at again.
    pub(crate) fn touch(&self, rows: impl IntoIterator<Item = ChangedRow>) {
        let mut state = self.state();
        // Before every row is compared anyway, nothing need be remembered.
        if !matches!(state.proof, Proof::Passing | Proof::Passed) {
            return;
        }
        if !state.touched.mark(rows) {
            tracing::warn!("more rows changed than are remembered: every row is compared again");
            state.touched = Touched::default();
            state.proof = Proof::NotBegun;
            self.settled.notify_waiters();
        }
        self.touched.notify_one();
    }

    /// A partition is about to be dropped: what was known of its rows is old.
    pub(crate) fn touch_partition(&self, partition: &str) {
        let rows = self.state().touched.of_partition(partition);
        self.touch(rows);
    }

    /// Changes may be lost: nothing is known of the target any more.
    pub(crate) fn handle_gap(&self) {
        self.state().gaps += 1;
        self.forget_proof();
    }

    /// While nobody wrote, the source had so many rows more than the target. Where they are more than those that the last comparison of
    /// every row may have left, as it leaves several rows of one key, every row is compared again: whether that is so.
    pub(crate) fn handle_surplus(&self, rows: u64) -> bool {
        let known = std::mem::replace(&mut self.state().surplus, rows);
        let has_more = rows > known;
        if has_more {
            self.forget_proof();
        }
        has_more
    }

    /// Every row is to be compared, from the first on.
    fn forget_proof(&self) {
        let mut state = self.state();
        state.touched = Touched::default();
        state.differing = Differing::default();
        if state.proof != Proof::NotWanted {
            state.proof = Proof::NotBegun;
        }
        self.settled.notify_waiters();
    }

    /// Waits until there is room for more rows to be looked at again.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_room(&self) {
        loop {
            let settled = self.settled.notified();
            if self.state().touched.has_room() {
                return;
            }
            settled.await;
        }
    }

    /// Waits until there is a row to be looked at again.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_touched(&self) {
        while self.state().touched.len() == 0 {
            self.touched.notified().await;
        }
    }

    /// Waits until no row is left to be looked at again or repaired, or nobody looks.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_proven(&self) {
        loop {
            let settled = self.settled.notified();
            let is_proven = {
                let state = self.state();
                let is_settled = state.touched.len() == 0 && !state.differing.has_to_be_repaired();
                state.proof == Proof::NotWanted || is_settled
            };
            if is_proven {
                return;
            }
            settled.await;
        }
    }

    /// The rows that were touched longest ago, so many at most.
    pub(crate) fn oldest_touched(&self, most: usize) -> Vec<(ChangedRow, Mark)> {
        self.state().touched.oldest(most)
    }

    /// Rows were looked at, and those of these keys differed. What was touched again since stays to be looked at. Gives the others
    /// that differ.
    pub(crate) fn settle(
        &self,
        rows: Vec<(ChangedRow, Mark)>,
        differing: &BTreeSet<Key>,
    ) -> Vec<ChangedRow> {
        let mut state = self.state();
        let mut found = Vec::new();
        for (row, mark) in rows {
            if !state.touched.settle(&row, mark) {
                continue;
            }
            if differing.contains(&row.0) {
                state.differing.insert(row.clone());
                found.push(row);
            } else {
                state.differing.remove(&row);
            }
        }
        self.settled.notify_waiters();
        found
    }

    /// How rows differ.
    pub(crate) fn handle_differences(&self, found: Vec<Difference>) {
        self.state().differing.name(found);
    }

    /// Rows that differed are looked at again now and then: somebody may have mended them.
    pub(crate) fn doubt_differences(&self) {
        let doubted = self.state().differing.doubted();
        if !doubted.is_empty() {
            self.touch(doubted);
        }
    }

    /// Rows that were repaired lately are looked at once more: nobody writes to the source any more, and what it answers now is final.
    pub(crate) fn doubt_repairs(&self) {
        let repaired = self.state().differing.take_repaired();
        if !repaired.is_empty() {
            self.touch(repaired);
        }
    }

    /// Whether a row that the source lacks may be deleted on the target by now.
    pub(crate) fn may_be_deleted(&self, row: &ChangedRow) -> bool {
        self.state().differing.may_be_deleted(row)
    }

    /// The differences that are known, in the order of the keys.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        self.state().differing.named()
    }

    /// How many rows differ.
    pub(crate) fn differing(&self) -> usize {
        self.state().differing.len()
    }

    /// How many of them are left as they are.
    pub(crate) fn beyond_repair(&self) -> usize {
        self.state().differing.beyond_repair()
    }

    /// How many rows were repaired.
    pub(crate) fn repaired(&self) -> u64 {
        self.state().repaired
    }

    /// Whether the row differs, and is to be repaired.
    pub(crate) fn is_to_be_repaired(&self, row: &ChangedRow) -> bool {
        self.state().differing.is_to_be_repaired(row)
    }

    /// A row that differs can't be repaired.
    pub(crate) fn give_up(&self, row: &ChangedRow) {
        self.state().differing.give_up(row);
        self.settled.notify_waiters();
    }

    /// These rows are about to be repaired. Gives those that must not be: their keys were touched since they were found to differ, so
    /// that what is known of them is old. They are looked at again.
    pub(crate) fn begin_repair(&self, rows: Vec<ChangedRow>) -> Vec<ChangedRow> {
        let mut state = self.state();
        let (overtaken, rows): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| state.touched.has(row));
        for row in &rows {
            state.differing.handle_repair(row);
        }
        state.repaired += rows.len() as u64;
        drop(state);
        self.touch(overtaken.iter().cloned());
        overtaken
    }

    /// Rows that were to be repaired when whoever did so ended are looked at again.
    pub(crate) fn resume_repairs(&self) {
        let rows = self.state().differing.to_be_repaired();
        self.touch(rows);
    }

    /// How far the comparison of every row is.
    pub(crate) fn proof(&self) -> Proof {
        self.state().proof
    }

    /// The job does not ask for a comparison.
    pub(crate) fn want_no_proof(&self) {
        self.state().proof = Proof::NotWanted;
    }

    /// Every row is compared from now on, or still: the number of this pass among those of this process.
    pub(crate) fn begin_pass(&self) -> u32 {
        let mut state = self.state();
        if state.proof != Proof::Passing {
            state.proof = Proof::Passing;
            state.passes += 1;
        }
        state.passes
    }

    /// Every row was compared; but a pass that more changes overtook than are remembered has not come to its end.
    pub(crate) fn end_pass(&self) {
        let mut state = self.state();
        if state.proof == Proof::Passing {
            state.proof = Proof::Passed;
        }
    }

    /// For how long the row has waited that was touched longest ago.
    pub(crate) fn unproven_for(&self, now: Instant) -> Option<Duration> {
        self.state().touched.oldest_age(now)
    }

    /// The log has messages from this tick on.
    pub(crate) fn handle_log_begin(&self, tick: Tick) {
        self.state().log_begins = Some(tick);
    }

    /// What operators see of it.
    pub(crate) fn status(&self, now: Option<Tick>) -> ChangesStatus {
        let applied = self.applied();
        let state = self.state();
        ChangesStatus {
            lag_ms: now
                .filter(|_| applied > Tick::default())
                .map(|now| now.millis_since(applied)),
            upserts: state.upserts,
            deletes: state.deletes,
            unproven: state.touched.len() as u64,
            repaired: state.repaired,
            gaps: state.gaps,
            headroom_ms: state
                .log_begins
                .filter(|_| applied > Tick::default())
                .map(|begin| applied.millis_since(begin)),
        }
    }

    /// What is known about the target being equal.
    pub(crate) fn verification(&self) -> Verification {
        let state = self.state();
        let differences = state.differing.len() as u64;
        match (state.proof, state.touched.len() as u64) {
            (Proof::NotBegun | Proof::NotWanted, _) => Verification::NotRun,
            (Proof::Passing, _) => Verification::Running,
            (Proof::Passed, _) if differences > 0 => Verification::Mismatched { differences },
            (Proof::Passed, 0) => Verification::Clean,
            (Proof::Passed, rows) => Verification::Rechecking { rows },
        }
    }
}

#[cfg(test)]
mod tests;
