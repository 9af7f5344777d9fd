//! The collections whose changes are applied: which step comes next, and how far the log is applied.
//!
//! Invariants:
//! - of one collection one step is applied at a time, in the order of their numbers;
//! - a step of an earlier run, which an earlier session may have left behind, is not applied once a later run has begun;
//! - what the journal says is applied, is; more may be, and is applied again after a restart, which leaves the same rows.

use crate::records::{FOLLOWED, Followed, collection_key};
use model::{CollectionIndex, JobName, Position};
use protocol::StepName;
use runtime::journal::{Journal, JournalError, Writes};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;

/// How often it is journaled that the log went on without a change: losing that costs no more than reading the log again from there.
const NOTE_IDLE_EVERY: Duration = Duration::from_secs(10);

/// The collections of all jobs whose changes are applied.
#[derive(Debug)]
pub(crate) struct Followings {
    journal: Arc<dyn Journal>,
    entries: Mutex<HashMap<(JobName, CollectionIndex), Arc<Entry>>>,
}

#[derive(Debug, Default)]
struct Entry {
    gate: Arc<tokio::sync::Mutex<Following>>,
    /// A time of the target's clock by which every applied change was made; 0 where it is not known.
    seen: AtomicU64,
}

/// One of them. Whoever holds it is the only one who applies its changes.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// The present run; 0 before the first.
    run: u64,
    /// The last step that was applied.
    number: u64,
    /// When its position was last journaled.
    noted: Option<Instant>,
}

/// Leave to apply a step, held until it is applied.
pub(crate) type Gate = OwnedMutexGuard<Following>;

impl Followings {
    /// No collection is followed.
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            entries: Mutex::default(),
        }
    }

    fn entry(&self, job: &JobName, index: CollectionIndex) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.entry((job.clone(), index)).or_default().clone()
    }

    /// A time of the target's clock by which every applied change was made; `None` where it is not known.
    pub(crate) fn seen(&self, job: &JobName, index: CollectionIndex) -> Option<u64> {
        let seen = self.entry(job, index).seen.load(Ordering::Acquire);
        (seen > 0).then_some(seen)
    }

    /// Every applied change was made by this time; `None` from when changes are about to be applied until that is known again.
    pub(crate) fn see(&self, name: &StepName, time: Option<u64>) {
        let entry = self.entry(&name.job, name.collection);
        entry.seen.store(time.unwrap_or(0), Ordering::Release);
    }

    /// Begins another run, once a step that is being applied has ended: its number, and how far the log is applied. The first run of
    /// all begins at `start`.
    pub(crate) async fn begin(
        &self,
        job: &JobName,
        index: CollectionIndex,
        start: Vec<Position>,
    ) -> Result<(u64, Vec<Position>), JournalError> {
        let mut following = self.entry(job, index).gate.clone().lock_owned().await;
        let key = collection_key(job, index);
        let known = self.journal.view()?.find(FOLLOWED, &key)?;
        let followed = match known {
            Some(followed) => followed,
            None => {
                let followed = Followed { applied: start };
                self.put(job, index, &followed).await?;
                followed
            }
        };
        *following = Following {
            run: following.run + 1,
            number: 0,
            noted: None,
        };
        Ok((following.run, followed.applied))
    }

    /// Waits for the step before to end. `None` when this step is not the next one of the present run.
    pub(crate) async fn enter(&self, name: &StepName) -> Option<Gate> {
        let entry = self.entry(&name.job, name.collection);
        let following = entry.gate.clone().lock_owned().await;
        let is_next = following.run == name.run && following.number + 1 == name.number;
        is_next.then_some(following)
    }

    /// Notes how far a step has come: durable when this returns.
    pub(crate) async fn note(
        &self,
        name: &StepName,
        reached: &[Position],
    ) -> Result<(), JournalError> {
        let applied = reached.to_vec();
        self.journal.points().pass("target.step.durable.before");
        self.put(&name.job, name.collection, &Followed { applied })
            .await?;
        self.journal.points().pass("target.step.durable.after");
        Ok(())
    }

    async fn put(
        &self,
        job: &JobName,
        index: CollectionIndex,
        followed: &Followed,
    ) -> Result<(), JournalError> {
        let mut writes = Writes::new();
        writes.put(FOLLOWED, &collection_key(job, index), followed);
        self.journal.commit(writes).await.map(|_| ())
    }
}

impl Following {
    /// Whether it is time to note how far the log is, though nothing changed.
    pub(crate) fn is_due(&self) -> bool {
        self.noted
            .is_none_or(|noted| noted.elapsed() >= NOTE_IDLE_EVERY)
    }

    /// The journal says how far the log is.
    pub(crate) fn handle_noted(&mut self) {
        self.noted = Some(Instant::now());
    }

    /// A step is applied: the next one may come.
    pub(crate) fn handle_applied(&mut self, name: &StepName) {
        self.number = name.number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Offset, Tick};
    use runtime::journal::MemoryJournal;

    fn at(number: u64) -> Vec<Position> {
        vec![Position {
            channel: "dml_0_7v0".into(),
            offset: Offset::new(number),
            tick: Tick::new(number),
        }]
    }

    fn step(run: u64, number: u64) -> StepName {
        StepName {
            job: "j".parse().unwrap(),
            collection: CollectionIndex::new(0),
            run,
            number,
        }
    }

    #[tokio::test]
    async fn a_step_that_an_earlier_run_left_behind_is_not_applied() {
        let followings = Followings::new(Arc::new(MemoryJournal::new()));
        let (job, index) = ("j".parse().unwrap(), CollectionIndex::new(0));
        let (first, _) = followings.begin(&job, index, at(1)).await.unwrap();
        let mut gate = followings.enter(&step(first, 1)).await.unwrap();
        followings.note(&step(first, 1), &at(5)).await.unwrap();
        gate.handle_applied(&step(first, 1));
        drop(gate);
        let (second, applied) = followings.begin(&job, index, at(1)).await.unwrap();
        assert_eq!(applied, at(5), "where the first run came to");
        assert!(followings.enter(&step(first, 2)).await.is_none());
        assert!(followings.enter(&step(second, 2)).await.is_none());
        assert!(followings.enter(&step(second, 1)).await.is_some());
    }

    #[tokio::test]
    async fn a_new_run_waits_for_the_step_under_way() {
        let followings = Arc::new(Followings::new(Arc::new(MemoryJournal::new())));
        let (job, index): (JobName, _) = ("j".parse().unwrap(), CollectionIndex::new(0));
        let (run, _) = followings.begin(&job, index, at(1)).await.unwrap();
        let mut gate = followings.enter(&step(run, 1)).await.unwrap();
        let next = tokio::spawn({
            let (followings, job) = (followings.clone(), job.clone());
            async move { followings.begin(&job, index, at(1)).await.unwrap() }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        followings.note(&step(run, 1), &at(9)).await.unwrap();
        gate.handle_applied(&step(run, 1));
        drop(gate);
        assert_eq!(next.await.unwrap(), (run + 1, at(9)));
    }
}
