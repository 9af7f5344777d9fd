//! How many messages a broker may send ahead. No I/O.
//!
//! Pulsar counts messages, not bytes: so many are let through as have about the wanted bytes, by the size of those that came last. It is
//! a bound on what the broker and the line hold. What the agent holds is bounded by itself: it takes a frame from the line when it is
//! asked for messages.

/// About how many bytes may be under way.
const WINDOW_BYTES: u64 = 1 << 20;

/// Ticks are small: enough of them to cover a long line.
const MOST_MESSAGES: u64 = 1000;

/// What a message has, as long as none was seen.
const GUESS_BYTES: u64 = 64 << 10;

/// The messages that are let through and have not come.
#[derive(Debug)]
pub(super) struct Flow {
    /// Less than none where a batch had more messages than were left.
    open: i64,
    mean_bytes: u64,
}

impl Flow {
    /// Nothing is let through yet.
    pub(super) fn new() -> Self {
        Self {
            open: 0,
            mean_bytes: GUESS_BYTES,
        }
    }

    /// So many messages came, with so many bytes.
    pub(super) fn took(&mut self, messages: u32, bytes: usize) {
        self.open = self.open.saturating_sub(messages.into());
        let size = bytes as u64 / u64::from(messages.max(1));
        self.mean_bytes = (self.mean_bytes.saturating_mul(7).saturating_add(size)) / 8;
    }

    /// How many further messages are to be let through now, if any: only once half of them have come, so that few words are lost on it.
    pub(super) fn due(&mut self) -> Option<u32> {
        let wanted = (WINDOW_BYTES / self.mean_bytes.max(1)).clamp(1, MOST_MESSAGES) as i64;
        if self.open > wanted / 2 {
            return None;
        }
        let more = u32::try_from(wanted - self.open).ok()?;
        self.open = wanted;
        Some(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_large_messages_are_let_through_and_many_small_ones() {
        let mut flow = Flow::new();
        assert_eq!(flow.due(), Some(16));
        assert_eq!(flow.due(), None);
        for _ in 0..200 {
            flow.took(1, 100);
            flow.due();
        }
        assert_eq!(flow.open.max(500), flow.open, "half a thousand at least");
        for _ in 0..2000 {
            flow.took(1, 5 << 20);
        }
        assert!(flow.due().is_some());
        assert_eq!(flow.open, 1);
    }

    #[test]
    fn a_batch_that_is_larger_than_what_was_let_through_is_made_up_for() {
        let mut flow = Flow::new();
        flow.due();
        flow.took(1016, 1016 << 16);
        assert_eq!(flow.due(), Some(1016));
        assert_eq!(flow.open, 16);
    }
}
