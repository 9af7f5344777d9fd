//! Where the time of a cutover goes, during which nobody may write.

use std::fmt;
use std::time::{Duration, Instant};

/// The stages of a cutover, each with how long it took.
#[derive(Debug)]
pub(super) struct Laps {
    last: Instant,
    done: Vec<(&'static str, Duration)>,
}

impl Laps {
    /// The first stage begins.
    pub(super) fn begin() -> Self {
        Self {
            last: Instant::now(),
            done: Vec::new(),
        }
    }

    /// This stage has ended, and the next begins.
    pub(super) fn end(&mut self, stage: &'static str) {
        let now = Instant::now();
        self.done.push((stage, now - self.last));
        self.last = now;
    }
}

impl fmt::Display for Laps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (stage, took)) in self.done.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{stage} {} ms", took.as_millis())?;
        }
        Ok(())
    }
}
