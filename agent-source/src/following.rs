//! Collections whose changes are followed: how far the target is, and which rows are still to be proven. In memory: a source's agent
//! that starts again compares every row again.

mod touched;

use model::{ChangesStatus, CollectionIndex, Difference, JobName, Key, Tick, Verification};
use protocol::StepName;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
pub(crate) use touched::{Mark, Touched};

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followings(Arc<Mutex<HashMap<(JobName, CollectionIndex), Arc<Following>>>>);

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
}

#[derive(Debug, Default)]
struct State {
    upserts: u64,
    deletes: u64,
    /// The tick of the latest change that the log had.
    last_change: Tick,
    proof: Proof,
    touched: Touched,
    differing: BTreeMap<Key, Vec<Difference>>,
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

    fn all(&self) -> MutexGuard<'_, HashMap<(JobName, CollectionIndex), Arc<Following>>> {
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
    pub(crate) fn handle_step(&self, rows: Vec<(Key, Option<String>)>, upserts: u64, deletes: u64) {
        {
            let mut state = self.state();
            state.upserts += upserts;
            state.deletes += deletes;
        }
        self.touch(rows);
    }

    /// These rows are to be looked at again.
    pub(crate) fn touch(&self, rows: Vec<(Key, Option<String>)>) {
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

    /// The rows that were touched longest ago, so many at most.
    pub(crate) fn oldest_touched(&self, most: usize) -> Vec<(Key, Mark)> {
        self.state().touched.oldest(most)
    }

    /// Rows were looked at: those that were touched again since stay to be looked at. Gives those that were not.
    pub(crate) fn settle(&self, rows: Vec<(Key, Mark)>) -> Vec<(Key, Mark)> {
        let mut state = self.state();
        let settled: Vec<_> = rows
            .into_iter()
            .filter(|(key, mark)| state.touched.settle(key, mark))
            .collect();
        for (key, _) in &settled {
            state.differing.remove(key);
        }
        settled
    }

    /// Rows that do differ.
    pub(crate) fn handle_differences(&self, found: Vec<Difference>) {
        let mut state = self.state();
        for difference in found {
            if let Some(key) = difference.key.clone() {
                state.differing.entry(key).or_default().push(difference);
            }
        }
    }

    /// Every difference that is known, in the order of the keys.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        self.state().differing.values().flatten().cloned().collect()
    }

    /// How far the comparison of every row is.
    pub(crate) fn proof(&self) -> Proof {
        self.state().proof
    }

    /// The comparison of every row is here now.
    pub(crate) fn enter(&self, proof: Proof) {
        let mut state = self.state();
        // A pass that more changes overtook than are remembered has not come to its end.
        if proof == Proof::Passed && state.proof != Proof::Passing {
            return;
        }
        state.proof = proof;
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
        let differences = state.differing.values().map(Vec::len).sum::<usize>() as u64;
        match (state.proof, state.touched.len() as u64) {
            (Proof::NotBegun | Proof::NotWanted, _) => Verification::NotRun,
            (Proof::Passing, _) => Verification::Running,
            (Proof::Passed, _) if differences > 0 => Verification::Mismatched { differences },
            (Proof::Passed, 0) => Verification::Clean,
            (Proof::Passed, rows) => Verification::Rechecking { rows },
        }
    }
}
