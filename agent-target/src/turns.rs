//! One call for a collection at a time. The source may ask again while an earlier call of its own is still carried out: after a
//! link that was cut unnoticed, or when an operator has a job verified that has just ended. The later call ends the earlier one.

use futures::future::BoxFuture;
use model::{Class, CollectionIndex, Fault, JobName, codes};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Whose turn it is, collection by collection.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<(JobName, CollectionIndex), Turn>>);

#[derive(Debug, Default)]
struct Turn {
    /// Ends the last call.
    over: CancellationToken,
    /// Held by the call that is carried out.
    place: Arc<tokio::sync::Mutex<()>>,
}

impl Turns {
    /// Carries out `work` once every earlier work for this collection has ended.
    ///
    /// # Errors
    /// `call_superseded`, to a caller that has asked again since; and the work's own.
    ///
    /// # Cancel safety
    /// Dropping it drops the work.
    pub(crate) async fn take<T>(
        &self,
        job: &JobName,
        index: CollectionIndex,
        work: BoxFuture<'_, Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let (over, place) = self.next(job, index);
        let in_turn = async {
            let _place = place.lock().await;
            work.await
        };
        over.run_until_cancelled(in_turn)
            .await
            .unwrap_or_else(|| Err(superseded(job, index)))
    }

    fn next(
        &self,
        job: &JobName,
        index: CollectionIndex,
    ) -> (CancellationToken, Arc<tokio::sync::Mutex<()>>) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry((job.clone(), index)).or_default();
        turn.over.cancel();
        turn.over = CancellationToken::new();
        (turn.over.clone(), turn.place.clone())
    }
}

fn superseded(job: &JobName, index: CollectionIndex) -> Fault {
    let message = format!(
        "job {job}: the source has asked for something else of collection {index} meanwhile"
    );
    let hint = "nothing is to be done: the later call is carried out";
    Fault::new(codes::CALL_SUPERSEDED, Class::Transient, message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_later_call_ends_the_earlier_one_and_never_runs_beside_it() {
        let (turns, job) = (Arc::new(Turns::default()), "j".parse::<JobName>().unwrap());
        let index = CollectionIndex::new(3);
        let under_way = Arc::new(AtomicU32::new(0));
        let (begun, has_begun) = oneshot::channel();
        let earlier = tokio::spawn({
            let (turns, job, under_way) = (turns.clone(), job.clone(), under_way.clone());
            async move {
                let work = async {
                    let _count = Count::up(&under_way);
                    begun.send(()).unwrap();
                    std::future::pending::<Result<(), Fault>>().await
                };
                turns.take(&job, index, work.boxed()).await
            }
        });
        has_begun.await.unwrap();
        let alone = async { Ok(under_way.load(Ordering::SeqCst)) };
        assert_eq!(turns.take(&job, index, alone.boxed()).await, Ok(0));
        let ended = earlier.await.unwrap().unwrap_err();
        assert_eq!(ended.code, codes::CALL_SUPERSEDED);
        assert!(ended.may_pass());
    }

    #[tokio::test]
    async fn collections_do_not_wait_for_each_other() {
        let (turns, job) = (Turns::default(), "j".parse::<JobName>().unwrap());
        let one = async { Ok(1) }.boxed();
        let inner = turns.take(&job, CollectionIndex::new(1), one);
        let two = async { Ok(inner.await? + 1) }.boxed();
        let outer = turns.take(&job, CollectionIndex::new(0), two);
        assert_eq!(outer.await, Ok(2));
    }

    /// Counts what is under way, for as long as it lives.
    struct Count<'a>(&'a AtomicU32);

    impl<'a> Count<'a> {
        fn up(count: &'a AtomicU32) -> Self {
            count.fetch_add(1, Ordering::SeqCst);
            Self(count)
        }
    }

    impl Drop for Count<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
