//! Asking for a link again and again: how long to wait between, and what is told of it.

use model::{Class, Fault};
use runtime::backoff::Backoff;
use std::time::Duration;

/// How long to wait while the peer can't be reached: at first, and at most. Jobs are to go on within five seconds of a line's return,
/// however long it was cut, and dialling costs little.
const UNREACHED: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// How long where somebody must mend something: each attempt is told.
const UNWELCOME: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// What is between two attempts to get a link.
#[derive(Debug)]
pub struct Redial {
    unreached: Backoff,
    unwelcome: Backoff,
}

impl Default for Redial {
    fn default() -> Self {
        let new = |(first, limit)| Backoff::new(first, limit);
        Self {
            unreached: new(UNREACHED),
            unwelcome: new(UNWELCOME),
        }
    }
}

impl Redial {
    /// There is a link: the next waits are short again.
    pub fn handle_link(&mut self) {
        *self = Self::default();
    }

    /// Tells why there is no link, and waits until another is to be asked for.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn wait(&mut self, fault: &Fault) {
        if fault.class == Class::Transient {
            tracing::debug!(code = fault.code, error = %fault, "no link");
            self.unreached.wait().await;
        } else {
            tracing::warn!(code = fault.code, error = %fault, "no link");
            self.unwelcome.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// The longest of many waits.
    async fn longest(class: Class) -> Duration {
        let fault = Fault::new("code", class, "message", "hint");
        let mut redial = Redial::default();
        let mut longest = Duration::ZERO;
        for _ in 0..200 {
            let begun = Instant::now();
            redial.wait(&fault).await;
            longest = longest.max(begun.elapsed());
        }
        longest
    }

    #[tokio::test(start_paused = true)]
    async fn who_can_not_be_reached_is_asked_often_and_who_refuses_less_so() {
        let unreached = longest(Class::Transient).await;
        assert!(unreached <= UNREACHED.1, "{unreached:?}");
        let unwelcome = longest(Class::Operator).await;
        assert!(UNREACHED.1 < unwelcome && unwelcome <= UNWELCOME.1);
    }
}
