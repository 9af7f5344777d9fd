//! Credit in bytes: how far a sender of batches may run ahead of the receiver's memory.
//!
//! The receiver grants what it has room for; the sender spends it, part by part of each batch, by the part's raw bytes. A part may be
//! sent as long as any credit is left, so that none is too large to be sent at all; a sender is therefore at most one part ahead.

/// The sender's side.
#[derive(Debug, Default)]
pub struct Window {
    granted: u64,
    spent: u64,
}

impl Window {
    /// Takes a grant.
    pub fn handle_credit(&mut self, bytes: u64) {
        self.granted = self.granted.saturating_add(bytes);
    }

    /// Whether a batch may be sent now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.spent < self.granted
    }

    /// Notes that a batch of so many raw bytes is sent.
    pub fn spend(&mut self, bytes: u64) {
        self.spent = self.spent.saturating_add(bytes);
    }
}

/// The receiver's side: collects what was freed, and grants it in amounts worth a frame.
#[derive(Debug)]
pub struct Grants {
    first: u64,
    freed: u64,
    least: u64,
}

impl Grants {
    /// A receiver with room for so many bytes on this lane.
    #[must_use]
    pub fn new(room_bytes: u64) -> Self {
        Self {
            first: room_bytes,
            freed: 0,
            least: (room_bytes / 4).max(1),
        }
    }

    /// Notes that a batch of so many raw bytes has left the memory.
    pub fn handle_freed(&mut self, bytes: u64) {
        self.freed += bytes;
    }

    /// The credit to send now, if it is worth a frame.
    pub fn poll_credit(&mut self) -> Option<u64> {
        if self.first > 0 {
            return Some(std::mem::take(&mut self.first));
        }
        (self.freed >= self.least).then(|| std::mem::take(&mut self.freed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_never_runs_more_than_one_batch_ahead() {
        let (mut grants, mut window) = (Grants::new(100), Window::default());
        let mut in_memory = 0u64;
        for size in [30, 70, 1, 250, 40, 99].into_iter().cycle().take(1000) {
            while !window.is_open() {
                match grants.poll_credit() {
                    Some(credit) => window.handle_credit(credit),
                    None => {
                        grants.handle_freed(in_memory);
                        in_memory = 0;
                    }
                }
            }
            assert!(in_memory < 100 + 250, "{in_memory}");
            window.spend(size);
            in_memory += size;
        }
    }

    #[test]
    fn a_batch_larger_than_the_window_passes() {
        let (mut grants, mut window) = (Grants::new(10), Window::default());
        window.handle_credit(grants.poll_credit().unwrap());
        window.spend(1000);
        assert!(!window.is_open());
        grants.handle_freed(1000);
        window.handle_credit(grants.poll_credit().unwrap());
        assert!(window.is_open());
    }
}
