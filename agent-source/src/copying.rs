//! What is on its way to the target, and what has arrived.

use model::{CollectionIndex, JobName, UnitId};
use protocol::BatchName;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// One collection's rows on their way.
#[derive(Debug)]
pub(crate) struct Copying {
    on_their_way: Mutex<HashSet<BatchName>>,
    arrived: watch::Sender<Arrived>,
}

/// How much of a collection is durable on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Arrived {
    /// Rows.
    pub(crate) rows: u64,
    /// Bytes of values.
    pub(crate) bytes: u64,
    /// Batches that are sent and not confirmed.
    pub(crate) batches_open: usize,
}

impl Copying {
    /// A collection of which so much was durable when the session began.
    pub(crate) fn new(rows: u64, bytes: u64) -> Self {
        let arrived = watch::Sender::new(Arrived {
            rows,
            bytes,
            batches_open: 0,
        });
        Self {
            on_their_way: Mutex::default(),
            arrived,
        }
    }

    /// Notes that a batch is about to be sent. It is waited for from now on, unless what this gives is dropped before the batch was sent.
    pub(crate) fn begin(&self, name: BatchName) -> Leaving<'_> {
        self.change(|open| open.insert(name.clone()), 0, 0);
        let copying = Some(self);
        Leaving { copying, name }
    }

    fn handle_confirm(&self, name: BatchName, rows: u64, bytes: u64) {
        self.change(|open| open.remove(&name), rows, bytes);
    }

    /// Changes the set; rows and bytes count only if that made a difference.
    fn change(&self, change: impl FnOnce(&mut HashSet<BatchName>) -> bool, rows: u64, bytes: u64) {
        let mut open = self
            .on_their_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if change(&mut open) {
            let batches_open = open.len();
            self.arrived.send_modify(|arrived| {
                *arrived = Arrived {
                    rows: arrived.rows + rows,
                    bytes: arrived.bytes + bytes,
                    batches_open,
                };
            });
        }
    }

    /// What has arrived, now and whenever it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Arrived> {
        self.arrived.subscribe()
    }

    /// Waits until every batch of these units that was sent is durable.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_arrived(&self, is_meant: impl Fn(UnitId) -> bool) {
        let none_is_open = |_: &Arrived| {
            let open = self
                .on_their_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            !open.iter().any(|name| is_meant(name.unit))
        };
        // As below.
        let _ = self.watch().wait_for(none_is_open).await;
    }

    /// Waits until everything that was sent is durable.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_all_arrived(&self) {
        // The sender lives as long as this borrow: the wait can't fail.
        let _ = self
            .watch()
            .wait_for(|arrived| arrived.batches_open == 0)
            .await;
    }
}

/// A batch that is being sent. Dropped before it was, it is given up: nobody waits for it.
#[derive(Debug)]
pub(crate) struct Leaving<'a> {
    /// Until it was sent.
    copying: Option<&'a Copying>,
    name: BatchName,
}

impl Leaving<'_> {
    /// The batch.
    pub(crate) fn name(&self) -> &BatchName {
        &self.name
    }

    /// Notes that all of it was sent.
    pub(crate) fn handle_sent(&mut self) {
        self.copying = None;
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some(copying) = self.copying {
            copying.change(|open| open.remove(&self.name), 0, 0);
        }
    }
}

/// The collections that are on their way, so that a lane's confirmations find theirs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Confirmations(Arc<Mutex<CopyingByName>>);

type CopyingByName = HashMap<(JobName, CollectionIndex), Arc<Copying>>;

impl Confirmations {
    /// From now on confirmations of this collection reach `copying`.
    pub(crate) fn begin(&self, job: &JobName, index: CollectionIndex, copying: Arc<Copying>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((job.clone(), index), copying);
    }

    /// No confirmation of this collection is expected any more.
    pub(crate) fn end(&self, job: &JobName, index: CollectionIndex) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(job.clone(), index));
    }

    /// Passes a confirmation on; one of a collection that is no longer copied is dropped: its batch was durable already.
    pub(crate) fn handle_confirm(&self, name: BatchName, rows: u64, bytes: u64) {
        let key = (name.job.clone(), name.unit.collection);
        let copying = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(copying) = copying {
            copying.handle_confirm(name, rows, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::BatchIndex;

    fn name(batch: u32) -> BatchName {
        let unit = UnitId {
            collection: CollectionIndex::new(0),
            number: 0,
        };
        BatchName {
            job: "j".parse().unwrap(),
            unit,
            index: BatchIndex::new(batch).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_collection_has_arrived_when_its_last_batch_is_confirmed_and_each_counts_once() {
        let copying = Copying::new(5, 50);
        copying.begin(name(0)).handle_sent();
        copying.begin(name(1)).handle_sent();
        for batch in [0, 0, 1] {
            copying.handle_confirm(name(batch), 10, 100);
        }
        copying.wait_all_arrived().await;
        assert_eq!(
            *copying.watch().borrow(),
            Arrived {
                rows: 25,
                bytes: 250,
                batches_open: 0
            }
        );
    }

    #[tokio::test]
    async fn a_batch_whose_sending_ends_early_is_not_waited_for() {
        let copying = Copying::new(0, 0);
        let leaving = copying.begin(name(0));
        copying.begin(name(1)).handle_sent();
        assert_eq!(copying.watch().borrow().batches_open, 2);
        drop(leaving);
        assert_eq!(copying.watch().borrow().batches_open, 1);
        copying.handle_confirm(name(1), 10, 100);
        copying.wait_all_arrived().await;
    }
}
