//! Which refusals the log tells of: a crowd of strangers must not fill a disk.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// So many of one code are told within this time; the others are only counted.
const TOLD: u32 = 10;
const WITHIN: Duration = Duration::from_secs(10);

/// What was told lately, by code. There are as many as there are causes for a refusal.
#[derive(Debug, Default)]
pub(super) struct Telling(BTreeMap<String, Lately>);

#[derive(Debug)]
struct Lately {
    since: Instant,
    told: u32,
    untold: u64,
}

impl Telling {
    /// One more of this code: how many were not told since the last that was, if this one is to be told.
    pub(super) fn handle_refusal(&mut self, code: &str, now: Instant) -> Option<u64> {
        let lately = self.0.entry(code.to_owned()).or_insert(Lately {
            since: now,
            told: 0,
            untold: 0,
        });
        if now - lately.since >= WITHIN {
            (lately.since, lately.told) = (now, 0);
        }
        if lately.told == TOLD {
            lately.untold += 1;
            return None;
        }
        lately.told += 1;
        Some(std::mem::take(&mut lately.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_crowd_the_first_are_told_and_the_next_one_later_says_how_many_were_not() {
        let (mut telling, begun) = (Telling::default(), Instant::now());
        let told = |telling: &mut Telling, code, after| telling.handle_refusal(code, begun + after);
        for _ in 0..TOLD {
            assert_eq!(told(&mut telling, "crowded", Duration::ZERO), Some(0));
        }
        let soon = WITHIN - Duration::from_millis(1);
        for _ in 0..500 {
            assert_eq!(told(&mut telling, "crowded", soon), None);
        }
        assert_eq!(told(&mut telling, "untrusted", soon), Some(0));
        assert_eq!(told(&mut telling, "crowded", WITHIN), Some(500));
        assert_eq!(told(&mut telling, "crowded", WITHIN), Some(0));
    }
}
