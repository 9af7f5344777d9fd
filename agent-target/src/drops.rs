//! Partitions that were dropped on the source, and are dropped here beside the changes that follow: to release some takes a loaded 2.3.5 a
//! second, in which the rows of the others need not wait. One release of many takes no longer than that of one, so all that are due go at
//! once.
//!
//! Invariants:
//! - one that is still to be dropped is in the journal, in one record with how far the log is applied, before the step that says so is
//!   confirmed; after a restart it is dropped, once more if need be, before what follows in the log is applied again;
//! - nothing is written into a partition that is still to be dropped, and nothing of its collection is counted, altered or sealed; no row is
//!   said to differ for what lies there. Whoever needs it gone drops it, or waits for who does.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The partitions of a collection that are still to be dropped.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    due: Mutex<BTreeSet<String>>,
    /// Held by whoever drops one.
    place: tokio::sync::Mutex<()>,
}

impl Drops {
    /// Those that are still to be dropped.
    pub(crate) fn due(&self) -> BTreeSet<String> {
        self.lock().clone()
    }

    /// These are to be dropped: whoever needs them gone from now on sees to it.
    pub(crate) fn order(&self, partitions: impl IntoIterator<Item = String>) {
        self.lock().extend(partitions);
    }

    /// Returns once every partition that is due by now is dropped, or the one that is asked for.
    ///
    /// # Errors
    /// Those of `drop`; what is not dropped stays due.
    ///
    /// # Cancel safety
    /// What was begun stays due: the next who needs it drops it again.
    pub(crate) async fn settle<E, F>(
        &self,
        only: Option<&str>,
        drop: impl Fn(BTreeSet<String>) -> F,
    ) -> Result<(), E>
    where
        F: Future<Output = Result<(), E>>,
    {
        let is_settled = || match only {
            Some(partition) => !self.lock().contains(partition),
            None => self.lock().is_empty(),
        };
        if is_settled() {
            return Ok(());
        }
        let _one_at_a_time = self.place.lock().await;
        // Somebody else may have dropped it meanwhile.
        if is_settled() {
            return Ok(());
        }
        let due = self.due();
        drop(due.clone()).await?;
        self.lock().retain(|partition| !due.contains(partition));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::cell::RefCell;
    use std::convert::Infallible;
    use tokio::sync::Notify;

    fn drops(partitions: &[&str]) -> Drops {
        let drops = Drops::default();
        drops.order(partitions.iter().map(|name| (*name).to_owned()));
        drops
    }

    #[tokio::test]
    async fn each_is_dropped_once_however_many_need_it_gone() {
        let drops = drops(&["p", "q"]);
        let (dropped, may_go_on) = (RefCell::new(vec![]), Notify::new());
        let drop = |partitions: BTreeSet<String>| async {
            may_go_on.notified().await;
            dropped.borrow_mut().push(partitions);
            Ok::<_, Infallible>(())
        };
        let mut beside = Box::pin(drops.settle(None, drop));
        let mut needs_q = Box::pin(drops.settle(Some("q"), drop));
        assert!((&mut beside).now_or_never().is_none());
        assert!((&mut needs_q).now_or_never().is_none());
        // One that comes meanwhile is not among them.
        drops.order(["r".to_owned()]);
        may_go_on.notify_one();
        let settled = tokio::join!(beside, needs_q);
        assert_eq!(settled, (Ok(()), Ok(())));
        let both = BTreeSet::from(["p".to_owned(), "q".to_owned()]);
        assert_eq!(*dropped.borrow(), [both]);
        assert_eq!(drops.due(), BTreeSet::from(["r".to_owned()]));
    }

    #[tokio::test]
    async fn who_needs_another_partition_does_not_wait() {
        let drops = drops(&["p"]);
        let never = |_| std::future::pending::<Result<(), Infallible>>();
        let needs_q = drops.settle(Some("q"), never);
        assert_eq!(needs_q.now_or_never(), Some(Ok(())));
        let needs_p = drops.settle(Some("p"), never);
        assert_eq!(needs_p.now_or_never(), None);
    }

    #[tokio::test]
    async fn what_could_not_be_dropped_stays_due() {
        let drops = drops(&["p"]);
        let refused = drops.settle(None, |_| async { Err("refused") }).await;
        assert_eq!(refused, Err("refused"));
        assert_eq!(drops.due(), BTreeSet::from(["p".to_owned()]));
        let dropped = drops.settle(None, |_| async { Ok::<_, &str>(()) }).await;
        assert_eq!(dropped, Ok(()));
        assert!(drops.due().is_empty());
    }
}
