//! How many writes are under way at once: one more after each run of successes, half as many after a failure.
//!
//! Milvus tells of its limits by refusing; so the number of writes feels its way up to what the server takes, and backs off at
//! once when it takes no more (additive increase, multiplicative decrease).

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The number of writes under way, and how many may be.
#[derive(Debug, Clone)]
pub(crate) struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    most: usize,
    allowed: usize,
    busy: usize,
    successes: usize,
}

/// Leave to write. Tell it how the write went; dropped untold, it counts as neither.
#[derive(Debug)]
pub(crate) struct Permit(Pace);

impl Pace {
    /// At most so many writes at once.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = Mutex::new(State {
            most,
            allowed: most.div_ceil(2),
            busy: 0,
            successes: 0,
        });
        Self(Arc::new(Shared {
            state,
            changed: Notify::new(),
        }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until one more write may begin.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn begin(&self) -> Permit {
        loop {
            let changed = self.0.changed.notified();
            let free = self.with(|state| {
                let free = state.busy < state.allowed;
                state.busy += usize::from(free);
                free
            });
            if free {
                return Permit(self.clone());
            }
            changed.await;
        }
    }
}

impl Permit {
    /// The write succeeded.
    pub(crate) fn succeeded(self) {
        self.0.with(|state| {
            state.successes += 1;
            if state.successes >= state.allowed && state.allowed < state.most {
                state.allowed += 1;
                state.successes = 0;
            }
        });
    }

    /// The write failed.
    pub(crate) fn failed(self) {
        self.0.with(|state| {
            state.allowed = (state.allowed / 2).max(1);
            state.successes = 0;
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.with(|state| state.busy -= 1);
        self.0.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_halves_the_pace_and_successes_raise_it_one_by_one() {
        let pace = Pace::new(8);
        assert_eq!(pace.with(|state| state.allowed), 4);
        pace.begin().await.failed();
        assert_eq!(pace.with(|state| state.allowed), 2);
        for _ in 0..100 {
            pace.begin().await.succeeded();
        }
        assert_eq!(pace.with(|state| state.allowed), 8);
    }

    #[tokio::test]
    async fn no_more_writes_begin_than_are_allowed() {
        let pace = Pace::new(2);
        let first = pace.begin().await;
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { pace.begin().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
    }
}
