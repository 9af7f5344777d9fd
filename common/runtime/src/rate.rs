//! A bound on bytes or rows per second.
//!
//! A bucket that holds a quarter of a second's worth: what was not used within that time is lost. Who takes more than is there
//! waits for it; a share larger than the bucket is let through once the bucket is full, and paid for by those who come behind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What the bucket holds.
const BURST: Duration = Duration::from_millis(250);

/// A rate that is not exceeded over any longer time. Clones share it.
#[derive(Debug, Clone)]
pub struct RateLimit {
    bucket: Option<Arc<Mutex<Bucket>>>,
}

#[derive(Debug)]
struct Bucket {
    per_second: u64,
    /// When all that was taken is paid for; in the past when the bucket holds something.
    paid_at: Instant,
}

impl Bucket {
    /// Takes a share; gives when it may be used.
    fn take(&mut self, now: Instant, amount: u64) -> Instant {
        let full_since = now.checked_sub(BURST).unwrap_or(now);
        let begin = self.paid_at.max(full_since);
        self.paid_at = begin + self.time_of(amount);
        // A share that fits into the bucket may be used once it is paid; a larger one once the bucket is full.
        let usable = self.paid_at.min(begin + BURST);
        usable.max(now)
    }

    fn time_of(&self, amount: u64) -> Duration {
        let nanos = u128::from(amount) * 1_000_000_000 / u128::from(self.per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl RateLimit {
    /// No limit.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { bucket: None }
    }

    /// So many per second; `None` or 0 for no limit. Must be made within a runtime.
    #[must_use]
    pub fn per_second(amount: Option<u64>) -> Self {
        let bucket = amount.filter(|amount| *amount > 0).map(|per_second| {
            let paid_at = Instant::now()
                .checked_sub(BURST)
                .unwrap_or_else(Instant::now);
            Arc::new(Mutex::new(Bucket {
                per_second,
                paid_at,
            }))
        });
        Self { bucket }
    }

    /// Takes a share, and waits until it may be used. Shares are given in the order in which they were asked for.
    ///
    /// # Cancel safety
    /// When the future is dropped after it was polled, its share is spent.
    pub async fn take(&self, amount: u64) {
        let Some(bucket) = &self.bucket else { return };
        let usable = bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now(), amount);
        tokio::time::sleep_until(usable).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    async fn seconds_of(taking: impl Future<Output = ()>) -> f64 {
        let begun = Instant::now();
        taking.await;
        begun.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn over_a_longer_time_the_rate_is_kept() {
        let limit = RateLimit::per_second(Some(1000));
        let took = seconds_of(async {
            for _ in 0..100 {
                limit.take(100).await;
            }
        })
        .await;
        // 10 000 at 1000 per second, less what the bucket held.
        assert!((9.7..=9.9).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_larger_than_the_bucket_is_paid_by_the_next() {
        let limit = RateLimit::per_second(Some(1000));
        assert!(seconds_of(limit.take(5000)).await < 0.01);
        let took = seconds_of(limit.take(1)).await;
        assert!((4.7..=4.8).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_is_lost() {
        let limit = RateLimit::per_second(Some(1000));
        tokio::time::advance(Duration::from_secs(3600)).await;
        let took = seconds_of(async {
            for _ in 0..20 {
                limit.take(100).await;
            }
        })
        .await;
        assert!((1.7..=1.8).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_share_a_limit_share_its_rate() {
        let limit = RateLimit::per_second(Some(1000));
        let taking = (0..4).map(|_| async {
            for _ in 0..10 {
                limit.clone().take(100).await;
            }
        });
        let took = seconds_of(async {
            join_all(taking).await;
        })
        .await;
        assert!((3.7..=3.8).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        for limit in [
            RateLimit::unlimited(),
            RateLimit::per_second(None),
            RateLimit::per_second(Some(0)),
        ] {
            assert!(seconds_of(limit.take(u64::MAX)).await < 0.001);
        }
    }
}
