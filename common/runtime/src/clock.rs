//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds, as this machine's clock says; 0 before 1970. It may jump: never order events by it.
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_tells_milliseconds() {
        // 2020 and 2100: seconds or microseconds would lie outside.
        assert!((1_577_836_800_000..4_102_444_800_000).contains(&super::unix_ms()));
    }
}
