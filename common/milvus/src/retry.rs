//! Trying again: later and later, with some chance in it, so that many callers don't come back at once.
//!
//! For reads and for calls that do no harm twice. A change of rows is never tried again blindly: see
//! [`MilvusError::is_outcome_unknown`].

use crate::error::Kind;
use crate::{ConnectError, MilvusError};
use model::Class;
use runtime::backoff::Backoff;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait between attempts, and for how long to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The bound of the wait after the first failure; each further one is twice as high.
    pub first: Duration,
    /// The highest bound.
    pub longest: Duration,
    /// The wait while a quota is exhausted, which takes an operator or a compaction to pass.
    pub quota: Duration,
    /// When to give up, counted from the first attempt.
    pub give_up_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(15),
            quota: Duration::from_secs(30),
            give_up_after: Duration::from_secs(300),
        }
    }
}

/// How long a read is tried again by itself: over a hiccup, not over an outage, which is the caller's to tell of.
const HICCUP: Duration = Duration::from_secs(5);

impl Patience {
    /// For reads that a job waits for.
    pub(crate) fn over_a_hiccup() -> Self {
        Self {
            give_up_after: HICCUP,
            ..Self::default()
        }
    }
}

/// A failure that may pass.
pub trait Passing {
    /// How it is to be waited for; `None` when waiting does not help.
    fn wait(&self) -> Option<Wait>;
}

/// How to wait for a failure to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Shortly, then longer and longer.
    Growing,
    /// Long from the beginning.
    Long,
}

impl Passing for MilvusError {
    fn wait(&self) -> Option<Wait> {
        match (self.class(), self.kind()) {
            (Class::Transient, _) => Some(Wait::Growing),
            (_, Kind::Quota) => Some(Wait::Long),
            _ => None,
        }
    }
}

impl Passing for ConnectError {
    fn wait(&self) -> Option<Wait> {
        match self {
            Self::Unreachable { .. } => Some(Wait::Growing),
            Self::Refused(error) => error.wait(),
            _ => None,
        }
    }
}

impl Patience {
    /// Makes a call until it succeeds, fails for good, or the time is over; then the last failure is returned.
    ///
    /// Cancel safety: between two attempts, dropping the future stops at once; during one, it drops that attempt's call.
    ///
    /// # Errors
    /// What the last attempt failed with.
    pub async fn retry<T, E, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, E>
    where
        E: Passing + std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let end = Instant::now() + self.give_up_after;
        let mut backoff = Backoff::new(self.first, self.longest);
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let pause = match error.wait() {
                None => return Err(error),
                Some(Wait::Growing) => backoff.next_wait(),
                Some(Wait::Long) => self.quota,
            };
            if Instant::now() + pause > end {
                return Err(error);
            }
            tracing::debug!(%error, pause_ms = pause.as_millis(), "trying again");
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[derive(Debug, thiserror::Error)]
    #[error("failed")]
    struct Failure(Option<Wait>);

    impl Passing for Failure {
        fn wait(&self) -> Option<Wait> {
            self.0
        }
    }

    async fn attempts(failure: fn(u32) -> Option<Failure>) -> (u32, bool, Duration) {
        let count = Cell::new(0);
        let begin = Instant::now();
        let outcome = Patience::default()
            .retry(|| {
                count.set(count.get() + 1);
                let answer = failure(count.get()).map_or(Ok(()), Err);
                async move { answer }
            })
            .await;
        (count.get(), outcome.is_ok(), begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_passes_is_waited_for() {
        let (count, done, _) = attempts(|n| (n < 4).then_some(Failure(Some(Wait::Growing)))).await;
        assert_eq!((count, done), (4, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_stays_is_returned_at_once() {
        let (count, done, took) = attempts(|_| Some(Failure(None))).await;
        assert_eq!((count, done, took), (1, false, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends() {
        let (count, done, took) = attempts(|_| Some(Failure(Some(Wait::Long)))).await;
        assert!(
            !done && count > 5 && took <= Duration::from_secs(300),
            "{count} {took:?}"
        );
    }
}
