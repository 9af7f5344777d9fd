//! Collections whose changes are followed: how far the target is, and which rows are still to be proven. In memory: a source's agent
//! that starts again compares every row again.

mod touched;

use model::{ChangesStatus, CollectionIndex, Difference, JobName, Key, Tick, Verification};
use protocol::StepName;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use touched::Touched;
pub(crate) use touched::{ChangedRow, Mark};

/// A target that is no further behind is near: it follows changes as they come.
pub(crate) const NEAR: Duration = Duration::from_secs(5);

/// How often rows that differ are looked at again.
const DOUBT_EVERY: Duration = Duration::from_secs(2);

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
    differing: BTreeMap<Key, Differing>,
}

/// A row that does differ.
#[derive(Debug)]
struct Differing {
    /// When it was last found to.
    at: Instant,
    partition: Option<String>,
    /// How; nothing until that is known.
    found: Vec<Difference>,
}

impl Differing {
    fn now(partition: Option<String>) -> Self {
        Self {
            at: Instant::now(),
            partition,
            found: Vec::new(),
        }
    }
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

    /// A step that changes these rows is about to be sent.
    pub(crate) fn handle_step(&self, rows: Vec<ChangedRow>, upserts: u64, deletes: u64) {
        {
            let mut state = self.state();
            state.upserts += upserts;
            state.deletes += deletes;
        }
        self.touch(rows);
    }

    /// These rows are to be looked at again.
    pub(crate) fn touch(&self, rows: Vec<ChangedRow>) {
        let mut state = self.state();
        // Before every row is compared anyway, nothing need be remembered.
        if !matches!(state.proof, Proof::Passing | Proof::Passed) {
            return;
        }
        if !state.touched.mark(rows) {
            tracing::warn!("more rows changed than are remembered: every row is compared again");
            state.touched = Touched::default();
            state.proof = Proof::NotBegun;
        }
        self.touched.notify_one();
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

    /// Waits until no row is left to be looked at again, or nobody looks.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_proven(&self) {
        loop {
            let settled = self.settled.notified();
            let is_proven = {
                let state = self.state();
                state.proof == Proof::NotWanted || state.touched.len() == 0
            };
            if is_proven {
                return;
            }
            settled.await;
        }
    }

    /// The rows that were touched longest ago, so many at most.
    pub(crate) fn oldest_touched(&self, most: usize) -> Vec<(Key, Mark)> {
        self.state().touched.oldest(most)
    }

    /// Rows were looked at, and these of them differed: those that were touched again since stay to be looked at. Gives the others that
    /// differ.
    pub(crate) fn settle(&self, rows: Vec<(Key, Mark)>, differing: &BTreeSet<Key>) -> Vec<Key> {
        let mut state = self.state();
        let mut found = Vec::new();
        for (key, mark) in rows {
            if !state.touched.settle(&key, &mark) {
                continue;
            }
            state.differing.remove(&key);
            if differing.contains(&key) {
                let partition = mark.partition;
                state
                    .differing
                    .insert(key.clone(), Differing::now(partition));
                found.push(key);
            }
        }
        self.settled.notify_waiters();
        found
    }

    /// How rows differ.
    pub(crate) fn handle_differences(&self, found: Vec<Difference>) {
        let mut state = self.state();
        for difference in found {
            let key = difference.key.as_ref();
            if let Some(differing) = key.and_then(|key| state.differing.get_mut(key)) {
                differing.found.push(difference);
            }
        }
    }

    /// Rows that differed are looked at again now and then: somebody may have mended them.
    pub(crate) fn doubt_differences(&self) {
        let mut rows = Vec::new();
        for (key, differing) in &mut self.state().differing {
            if differing.at.elapsed() >= DOUBT_EVERY {
                differing.at = Instant::now();
                rows.push((key.clone(), differing.partition.clone()));
            }
        }
        if !rows.is_empty() {
            self.touch(rows);
        }
    }

    /// The differences that are known, in the order of the keys.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let state = self.state();
        let found = state
            .differing
            .values()
            .flat_map(|differing| &differing.found);
        found.cloned().collect()
    }

    /// How many rows differ.
    pub(crate) fn differing(&self) -> usize {
        self.state().differing.len()
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
