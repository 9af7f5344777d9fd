//! The collections whose changes are applied: which step comes next, and how far the log is applied.
//!
//! Invariants:
//! - of one collection one step is applied at a time, in the order of their numbers;
//! - a step of an earlier run, which an earlier session may have left behind, is not applied once a later run has begun;
//! - what the journal says is applied, is, but for the partitions that it says are to be dropped ([`Drops`]); more may be, and is
//!   applied again after a restart, which leaves the same rows.

use crate::drops::Drops;
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
    drops: Arc<Drops>,
}

/// One of them. Whoever holds it is the only one who applies its changes.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// The present run; 0 before the first.
    run: u64,
    /// Its beginning.
    beginning: u32,
    /// The last step that was applied.
    number: u64,
    /// When its position was last journaled.
    noted: Option<Instant>,
}

/// A run that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Its number.
    pub(crate) run: u64,
    /// How far the log is applied.
    pub(crate) applied: Vec<Position>,
    /// Whether it starts behind changes that were never applied.
    pub(crate) has_gap: bool,
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

    /// The collection's partitions that are still to be dropped.
    pub(crate) fn drops(&self, job: &JobName, index: CollectionIndex) -> Arc<Drops> {
        self.entry(job, index).drops.clone()
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

    /// Begins another run, once a step that is being applied has ended. The first run of a beginning starts where `from` says.
    pub(crate) async fn begin(
        &self,
        job: &JobName,
        index: CollectionIndex,
        from: Followed,
    ) -> Result<Begun, JournalError> {
        let entry = self.entry(job, index);
        let mut following = entry.gate.clone().lock_owned().await;
        let key = collection_key(job, index);
        let known = self.journal.view()?.find(FOLLOWED, &key)?;
        let has_gap = known
            .as_ref()
            .is_some_and(|known| known.beginning < from.beginning);
        let followed = match known {
            Some(known) if !has_gap => known,
            _ => {
                self.put(job, index, &from).await?;
                from
            }
        };
        entry.drops.order(followed.dropping);
        *following = Following {
            run: following.run + 1,
            beginning: followed.beginning,
            number: 0,
            noted: None,
        };
        Ok(Begun {
            run: following.run,
            applied: followed.applied,
            has_gap,
        })
    }

    /// Waits for the step before to end. `None` when this step is not the next one of the present run.
    pub(crate) async fn enter(&self, name: &StepName) -> Option<Gate> {
        let entry = self.entry(&name.job, name.collection);
        let following = entry.gate.clone().lock_owned().await;
        let is_next = following.run == name.run && following.number + 1 == name.number;
        is_next.then_some(following)
    }

    /// Notes how far a step has come, and which partitions are still to be dropped: durable when this returns.
    pub(crate) async fn note(
        &self,
        name: &StepName,
        gate: &Gate,
        reached: &[Position],
    ) -> Result<(), JournalError> {
        let followed = Followed {
            applied: reached.to_vec(),
            beginning: gate.beginning,
            dropping: self.drops(&name.job, name.collection).due(),
        };
        self.journal.points().pass("target.step.durable.before");
        self.put(&name.job, name.collection, &followed).await?;
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
    use std::collections::BTreeSet;

    fn at(number: u64) -> Vec<Position> {
        vec![Position {
            channel: "dml_0_7v0".into(),
            offset: Offset::new(number),
            tick: Tick::new(number),
        }]
    }

    fn from(number: u64, beginning: u32) -> Followed {
        Followed {
            applied: at(number),
            beginning,
            dropping: BTreeSet::new(),
        }
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
        let first = followings.begin(&job, index, from(1, 1)).await.unwrap().run;
        let mut gate = followings.enter(&step(first, 1)).await.unwrap();
        let noted = followings.note(&step(first, 1), &gate, &at(5)).await;
        noted.unwrap();
        gate.handle_applied(&step(first, 1));
        drop(gate);
        let second = followings.begin(&job, index, from(1, 1)).await.unwrap();
        assert_eq!(second.applied, at(5), "where the first run came to");
        assert!(!second.has_gap);
        let second = second.run;
        assert!(followings.enter(&step(first, 2)).await.is_none());
        assert!(followings.enter(&step(second, 2)).await.is_none());
        assert!(followings.enter(&step(second, 1)).await.is_some());
    }

    #[tokio::test]
    async fn a_later_beginning_starts_behind_a_gap_and_an_earlier_one_does_not_come_back() {
        let followings = Followings::new(Arc::new(MemoryJournal::new()));
        let (job, index) = ("j".parse().unwrap(), CollectionIndex::new(0));
        followings.begin(&job, index, from(1, 1)).await.unwrap();
        let second = followings.begin(&job, index, from(9, 2)).await.unwrap();
        assert!(second.has_gap);
        assert_eq!(second.applied, at(9));
        let again = followings.begin(&job, index, from(9, 2)).await.unwrap();
        assert!(!again.has_gap);
        let late = followings.begin(&job, index, from(1, 1)).await.unwrap();
        assert_eq!((late.applied, late.has_gap), (at(9), false));
    }

    #[tokio::test]
    async fn a_new_run_waits_for_the_step_under_way() {
        let followings = Arc::new(Followings::new(Arc::new(MemoryJournal::new())));
        let (job, index): (JobName, _) = ("j".parse().unwrap(), CollectionIndex::new(0));
        let run = followings.begin(&job, index, from(1, 1)).await.unwrap().run;
        let mut gate = followings.enter(&step(run, 1)).await.unwrap();
        let next = tokio::spawn({
            let (followings, job) = (followings.clone(), job.clone());
            async move { followings.begin(&job, index, from(1, 1)).await.unwrap() }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        let noted = followings.note(&step(run, 1), &gate, &at(9)).await;
        noted.unwrap();
        gate.handle_applied(&step(run, 1));
        drop(gate);
        let next = next.await.unwrap();
        assert_eq!((next.run, next.applied), (run + 1, at(9)));
    }

    #[tokio::test]
    async fn a_partition_that_a_step_drops_is_due_until_it_is_dropped_also_after_a_restart() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let (job, index): (JobName, _) = ("j".parse().unwrap(), CollectionIndex::new(0));
        let followings = Followings::new(journal.clone());
        let run = followings.begin(&job, index, from(1, 1)).await.unwrap().run;
        let gate = followings.enter(&step(run, 1)).await.unwrap();
        let (first, reached) = (step(run, 1), at(5));
        let p = BTreeSet::from(["p".to_owned()]);
        followings.drops(&job, index).order(p.clone());
        let noted = followings.note(&first, &gate, &reached);
        noted.await.unwrap();

        let restarted = Followings::new(journal.clone());
        let run = restarted.begin(&job, index, from(1, 1)).await.unwrap().run;
        let drops = restarted.drops(&job, index);
        assert_eq!(drops.due(), p);
        let dropped = drops.settle(None, |_| async { Ok::<_, ()>(()) }).await;
        dropped.unwrap();
        let gate = restarted.enter(&step(run, 1)).await.unwrap();
        let noted = restarted.note(&step(run, 1), &gate, &at(6)).await;
        noted.unwrap();

        let again = Followings::new(journal);
        again.begin(&job, index, from(1, 1)).await.unwrap();
        assert!(again.drops(&job, index).due().is_empty());
    }
}
