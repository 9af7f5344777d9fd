//! When to try again: later and later, up to a limit, and never all at once.
//!
//! Each wait is a random part of a bound that doubles ("full jitter": Brooker, Exponential Backoff And Jitter, AWS Architecture
//! Blog, 2015), so that many who failed together don't come back together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A sequence of waits. It knows how often it was waited and what comes next; only [`Backoff::wait`] knows a clock.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    limit: Duration,
    attempt: u32,
    jitter: Jitter,
}

impl Backoff {
    /// Waits that begin below `first`, and double up to `limit`.
    #[must_use]
    pub fn new(first: Duration, limit: Duration) -> Self {
        Self::with_jitter(first, limit, Jitter::random())
    }

    /// The same, with these random parts.
    #[must_use]
    pub fn with_jitter(first: Duration, limit: Duration, jitter: Jitter) -> Self {
        Self {
            first,
            limit,
            attempt: 0,
            jitter,
        }
    }

    /// How often it has been waited since the start or the last [`Backoff::reset`].
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempt
    }

    /// What the next wait stays below.
    #[must_use]
    pub fn bound(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.attempt.min(31)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.limit)
    }

    /// The next wait: a random part of its bound.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.bound().mul_f64(self.jitter.next_part());
        self.attempt = self.attempt.saturating_add(1);
        wait
    }

    /// Begins anew: it worked.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Waits before the next try.
    ///
    /// # Cancel safety
    /// Dropping the future ends the wait; the next one has a higher bound all the same.
    pub async fn wait(&mut self) {
        let wait = self.next_wait();
        tokio::time::sleep(wait).await;
    }
}

/// Random parts for [`Backoff`] (splitmix64: Steele, Lea and Flood, 2014). Not for secrets.
#[derive(Debug, Clone)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// Parts that nobody can foresee.
    #[must_use]
    pub fn random() -> Self {
        // The standard library seeds each of these from the system.
        Self::seeded(RandomState::new().hash_one(0_u8))
    }

    /// The parts that belong to this seed: the same each time.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next part: from 0 up to, but not, 1.
    pub fn next_part(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(seed: u64) -> Backoff {
        Backoff::with_jitter(
            Duration::from_millis(100),
            Duration::from_secs(1),
            Jitter::seeded(seed),
        )
    }

    #[test]
    fn bounds_double_up_to_the_limit() {
        let mut backoff = backoff(1);
        for bound in [100, 200, 400, 800, 1000, 1000] {
            assert_eq!(backoff.bound().as_millis(), bound);
            assert!(backoff.next_wait().as_millis() < bound);
        }
        backoff.reset();
        assert_eq!(backoff.bound(), Duration::from_millis(100));
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for _ in 0..1000 {
            assert!(backoff.next_wait() < Duration::from_secs(60));
        }
        assert_eq!(backoff.attempts(), 1000);
    }

    #[test]
    fn parts_spread_over_the_whole_bound() {
        let mut jitter = Jitter::seeded(7);
        let parts: Vec<_> = (0..1000).map(|_| jitter.next_part()).collect();
        assert!(parts.iter().all(|part| (0.0..1.0).contains(part)));
        for tenth in 0..10 {
            let here = parts
                .iter()
                .filter(|part| (**part * 10.0) as usize == tenth)
                .count();
            assert!((60..140).contains(&here), "{here} of 1000 in tenth {tenth}");
        }
        assert_ne!(
            Jitter::random().next_part().to_bits(),
            Jitter::random().next_part().to_bits()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_takes_the_part_of_the_bound() {
        let (mut waiting, mut planned) = (backoff(3), backoff(3));
        for _ in 0..5 {
            let begun = tokio::time::Instant::now();
            waiting.wait().await;
            let (waited, expected) = (begun.elapsed(), planned.next_wait());
            // Tokio's timer counts whole milliseconds.
            assert!(
                waited >= expected && waited <= expected + Duration::from_millis(2),
                "{waited:?}, {expected:?}"
            );
        }
    }
}
