//! A bound on memory: whoever holds bytes holds a permit for them, and it rides with the bytes.
//!
//! Invariants: permits in use never exceed the budget, but for one request that is larger than all of it, which is admitted alone;
//! requests are served in their order, so a large one is not overtaken for ever; dropping a permit gives its bytes back.

use crate::telemetry::metric_names::BUDGET_USED;
use metrics::Gauge;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in pieces of this size, so that a budget may be as large as memory is.
const GRAIN_BYTES: u64 = 1024;

/// A number of bytes that may be held at one time. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    grains: Arc<Semaphore>,
    total_grains: u32,
    used: Used,
}

/// The gauge of the bytes in use.
#[derive(Clone)]
struct Used(Gauge);

impl std::fmt::Debug for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Used")
    }
}

impl Budget {
    /// A budget of this many bytes, at least one KiB; `name` is its label among the metrics.
    #[must_use]
    pub fn new(name: &'static str, bytes: u64) -> Self {
        let total_grains = u32::try_from(bytes / GRAIN_BYTES)
            .unwrap_or(u32::MAX)
            .max(1);
        let grains = Arc::new(Semaphore::new(total_grains as usize));
        Self {
            grains,
            total_grains,
            used: Used(metrics::gauge!(BUDGET_USED, "budget" => name)),
        }
    }

    /// All of its bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        u64::from(self.total_grains) * GRAIN_BYTES
    }

    /// The bytes that nobody holds.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.grains.available_permits() as u64 * GRAIN_BYTES
    }

    /// Waits until so many bytes are free, and takes them.
    ///
    /// # Cancel safety
    /// When the future is dropped, nothing was taken; its place in the order is lost.
    pub async fn acquire(&self, bytes: u64) -> Permit {
        let acquired = self
            .grains
            .clone()
            .acquire_many_owned(self.grains_for(bytes))
            .await;
        // The semaphore is never closed; if it were, an unaccounted permit is better than none for ever.
        self.permit(acquired.ok())
    }

    /// Takes so many bytes, if they are free and nobody waits for them.
    #[must_use]
    pub fn try_acquire(&self, bytes: u64) -> Option<Permit> {
        let acquired = self
            .grains
            .clone()
            .try_acquire_many_owned(self.grains_for(bytes))
            .ok()?;
        Some(self.permit(Some(acquired)))
    }

    fn grains_for(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(GRAIN_BYTES))
            .unwrap_or(u32::MAX)
            .min(self.total_grains)
    }

    fn permit(&self, grains: Option<OwnedSemaphorePermit>) -> Permit {
        let permit = Permit {
            grains,
            used: self.used.clone(),
        };
        self.used.0.increment(as_float(permit.bytes()));
        permit
    }
}

/// Bytes of a budget, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the bytes are given back when the permit is dropped"]
pub struct Permit {
    grains: Option<OwnedSemaphorePermit>,
    used: Used,
}

impl Permit {
    /// The bytes that are accounted for: what was asked for, rounded up, and at most the whole budget.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.grains
            .as_ref()
            .map_or(0, |grains| grains.num_permits() as u64 * GRAIN_BYTES)
    }

    /// Takes a part of the bytes into a permit of its own: rounded down, and at most what there is.
    pub fn split(&mut self, bytes: u64) -> Permit {
        let part = self.grains.as_mut().and_then(|grains| {
            let wanted = usize::try_from(bytes / GRAIN_BYTES).unwrap_or(usize::MAX);
            grains.split(wanted.min(grains.num_permits()))
        });
        Permit {
            grains: part,
            used: self.used.clone(),
        }
    }

    /// Adds the bytes of another permit. One of another budget stays what it is, and is handed back.
    ///
    /// # Errors
    /// The other permit, when it is of another budget.
    pub fn merge(&mut self, mut other: Permit) -> Result<(), Permit> {
        match (&mut self.grains, other.grains.take()) {
            (_, None) => {}
            (None, theirs) => self.grains = theirs,
            (Some(ours), Some(theirs)) if Arc::ptr_eq(ours.semaphore(), theirs.semaphore()) => {
                ours.merge(theirs)
            }
            (Some(_), theirs) => {
                other.grains = theirs;
                return Err(other);
            }
        }
        Ok(())
    }

    /// Gives back what is more than this, once it is known that less is needed.
    pub fn shrink_to(&mut self, bytes: u64) {
        let kept = bytes.div_ceil(GRAIN_BYTES) * GRAIN_BYTES;
        drop(self.split(self.bytes().saturating_sub(kept)));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.used.0.decrement(as_float(self.bytes()));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; no budget reaches 2^53 bytes"
)]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const KIB: u64 = 1024;

    #[tokio::test]
    async fn no_more_is_held_than_the_budget_has() {
        let budget = Budget::new("test", 10 * KIB);
        let first = budget.acquire(6 * KIB).await;
        assert!(budget.try_acquire(5 * KIB).is_none());
        assert!(budget.acquire(5 * KIB).now_or_never().is_none());
        drop(first);
        assert_eq!(
            budget.acquire(5 * KIB).now_or_never().unwrap().bytes(),
            5 * KIB
        );
        assert_eq!(budget.free_bytes(), 10 * KIB);
    }

    #[tokio::test]
    async fn a_request_larger_than_all_is_admitted_alone() {
        let budget = Budget::new("test", 10 * KIB);
        let small = budget.acquire(1).await;
        let mut large = Box::pin(budget.acquire(1 << 40));
        assert!(futures::poll!(&mut large).is_pending());
        drop(small);
        let large = large.now_or_never().unwrap();
        assert_eq!(budget.free_bytes(), 0);
        drop(large);
        assert_eq!(budget.free_bytes(), 10 * KIB);
    }

    #[tokio::test]
    async fn a_large_request_is_not_overtaken() {
        let budget = Budget::new("test", 10 * KIB);
        let held = budget.acquire(2 * KIB).await;
        let mut large = Box::pin(budget.acquire(9 * KIB));
        assert!(futures::poll!(&mut large).is_pending());
        let mut small = Box::pin(budget.acquire(KIB));
        assert!(futures::poll!(&mut small).is_pending());
        drop(held);
        assert!(futures::poll!(&mut large).is_ready());
        assert!(futures::poll!(&mut small).is_ready());
    }

    #[tokio::test]
    async fn a_request_given_up_takes_nothing() {
        let budget = Budget::new("test", 10 * KIB);
        let held = budget.acquire(6 * KIB).await;
        let mut waiting = Box::pin(budget.acquire(6 * KIB));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(waiting);
        drop(held);
        assert_eq!(budget.free_bytes(), 10 * KIB);
    }

    #[tokio::test]
    async fn parts_of_a_permit_add_up_to_the_whole() {
        let budget = Budget::new("test", 10 * KIB);
        let mut whole = budget.acquire(8 * KIB).await;
        let part = whole.split(3 * KIB + 1);
        assert_eq!((whole.bytes(), part.bytes()), (5 * KIB, 3 * KIB));
        assert_eq!(budget.free_bytes(), 2 * KIB);
        whole.merge(part).unwrap();
        assert_eq!(whole.bytes(), 8 * KIB);
        whole.shrink_to(2 * KIB + 1);
        assert_eq!((whole.bytes(), budget.free_bytes()), (3 * KIB, 7 * KIB));
        let stranger = Budget::new("other", KIB).acquire(1).await;
        assert_eq!(whole.merge(stranger).unwrap_err().bytes(), KIB);
    }
}
