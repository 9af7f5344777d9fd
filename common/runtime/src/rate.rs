//! A bound on bytes or rows per second, which may be changed while somebody waits for it.
//!
//! A bucket that holds a quarter of a second's worth: what was not used within that time is lost. Who takes more than is there
//! waits for it; a share larger than the bucket is let through once the bucket is full, and paid for by those who come behind. After a
//! change whoever waits does so by the new rate, and not at all where there is none any more.

use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What the bucket holds.
const BURST: Duration = Duration::from_millis(250);

/// Shares are counted in billionths, so that a rate times nanoseconds is a whole number of them.
const WHOLE: u128 = 1_000_000_000;

/// The longest that is waited at once; then it is looked again.
const LONGEST: Duration = Duration::from_hours(24);

/// A rate that is not exceeded over any longer time. Clones share it.
#[derive(Debug, Clone)]
pub struct RateLimit {
    bucket: watch::Sender<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// `None` for no limit.
    per_second: Option<u64>,
    /// All that was ever taken, in billionths.
    taken: u128,
    /// How much was paid for at that time: less than was taken while somebody waits, more while the bucket holds something.
    paid: u128,
    at: Instant,
}

/// A share may be used once so much is paid for.
#[derive(Debug, Clone, Copy)]
struct Ticket(u128);

impl Bucket {
    /// A full one.
    fn new(per_second: Option<u64>, now: Instant) -> Self {
        let mut bucket = Self {
            per_second,
            taken: 0,
            paid: 0,
            at: now,
        };
        bucket.paid = bucket.burst();
        bucket
    }

    fn rate(&self) -> u128 {
        self.per_second.unwrap_or_default().into()
    }

    fn burst(&self) -> u128 {
        self.rate() * BURST.as_nanos()
    }

    fn paid_by(&self, now: Instant) -> u128 {
        let elapsed = now.saturating_duration_since(self.at).as_nanos();
        let earned = self.rate().saturating_mul(elapsed);
        let full = self.taken.saturating_add(self.burst());
        self.paid.saturating_add(earned).min(full)
    }

    fn settle(&mut self, now: Instant) {
        self.paid = self.paid_by(now);
        self.at = now;
    }

    /// Takes a share; `None` where nobody has to wait.
    fn take(&mut self, now: Instant, amount: u64) -> Option<Ticket> {
        self.per_second?;
        self.settle(now);
        let full = self.taken.saturating_add(self.burst());
        self.taken = self.taken.saturating_add(u128::from(amount) * WHOLE);
        // A share that fits into the bucket may be used once it is paid; a larger one once the bucket is full.
        Some(Ticket(self.taken.min(full)))
    }

    /// How long it is until a share may be used, as things are now.
    fn wait(&self, ticket: Ticket, now: Instant) -> Duration {
        let missing = ticket.0.saturating_sub(self.paid_by(now));
        let nanos = match self.rate() {
            0 => 0,
            rate => missing.div_ceil(rate),
        };
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos).min(LONGEST)
    }

    fn change(&mut self, now: Instant, per_second: Option<u64>) {
        self.settle(now);
        let was_limited = self.per_second.is_some();
        self.per_second = per_second;
        let full = self.taken.saturating_add(self.burst());
        self.paid = if was_limited {
            self.paid.min(full)
        } else {
            full
        };
    }
}

impl RateLimit {
    /// No limit.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::per_second(None)
    }

    /// So many per second; `None` or 0 for no limit. Must be made within a runtime.
    #[must_use]
    pub fn per_second(amount: Option<u64>) -> Self {
        let amount = amount.filter(|amount| *amount > 0);
        Self {
            bucket: watch::Sender::new(Bucket::new(amount, Instant::now())),
        }
    }

    /// From now on so many per second, also for those who wait; `None` or 0 for no limit.
    pub fn change(&self, amount: Option<u64>) {
        let amount = amount.filter(|amount| *amount > 0);
        self.bucket
            .send_modify(|bucket| bucket.change(Instant::now(), amount));
    }

    /// Takes a share, and waits until it may be used. Shares are given in the order in which they were asked for.
    ///
    /// # Cancel safety
    /// When the future is dropped after it was polled, its share is spent.
    pub async fn take(&self, amount: u64) {
        let mut changes = self.bucket.subscribe();
        let mut ticket = None;
        self.bucket.send_if_modified(|bucket| {
            ticket = bucket.take(Instant::now(), amount);
            // To those who wait nothing has changed.
            false
        });
        let Some(ticket) = ticket else { return };
        loop {
            let now = Instant::now();
            let wait = changes.borrow_and_update().wait(ticket, now);
            if wait.is_zero() {
                return;
            }
            // The sender is a part of this limit.
            tokio::select! {
                () = tokio::time::sleep_until(now + wait) => {}
                _ = changes.changed() => {}
            }
        }
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

    #[tokio::test(start_paused = true)]
    async fn who_waits_when_the_rate_is_changed_waits_by_the_new_one() {
        // A thousand seconds are owed.
        for (rate, least, most) in [(10_000, 100.0, 101.0), (1_000, 1000.0, 1001.0)] {
            let waiting = RateLimit::per_second(Some(1000));
            waiting.take(1_000_250).await;
            let waits = seconds_of(waiting.take(1));
            let changes = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                waiting.change(Some(rate));
            };
            let (took, ()) = tokio::join!(waits, changes);
            assert!((least..=most).contains(&took), "{took} at {rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_when_the_limit_is_taken_away_goes_on_at_once() {
        let limit = RateLimit::per_second(Some(1));
        limit.take(1_000_000).await;
        let lifted = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            limit.change(None);
            limit.change(Some(1));
            limit.change(None);
        };
        let waits = async { join_all((0..3).map(|_| limit.take(1_000_000))).await };
        let (took, ()) = tokio::join!(seconds_of(async { drop(waits.await) }), lifted);
        assert!((5.0..5.1).contains(&took), "{took}");
        assert!(seconds_of(limit.take(u64::MAX)).await < 0.001);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_set_later_counts_from_then_on() {
        let limit = RateLimit::unlimited();
        limit.take(u64::MAX).await;
        limit.change(Some(1000));
        let took = seconds_of(async {
            for _ in 0..20 {
                limit.take(100).await;
            }
        })
        .await;
        assert!((1.7..=1.8).contains(&took), "{took}");
    }
}
