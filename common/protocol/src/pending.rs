//! Calls that wait for their replies.

use crate::call::CallId;
use std::collections::BTreeMap;

/// The calls that one side has made and not seen answered, each with what is to be done with its reply.
#[derive(Debug)]
pub struct PendingCalls<T> {
    next: CallId,
    waiting: BTreeMap<CallId, T>,
}

impl<T> Default for PendingCalls<T> {
    fn default() -> Self {
        Self {
            next: 1,
            waiting: BTreeMap::new(),
        }
    }
}

impl<T> PendingCalls<T> {
    /// Notes a new call; its id is new in this session.
    pub fn begin(&mut self, waiting: T) -> CallId {
        let id = self.next;
        self.next += 1;
        self.waiting.insert(id, waiting);
        id
    }

    /// Takes what waits for this reply; `None` when nothing does (it was given up, or never made).
    pub fn handle_reply(&mut self, id: CallId) -> Option<T> {
        self.waiting.remove(&id)
    }

    /// The session is over: takes everything that waits.
    pub fn into_abandoned(self) -> impl Iterator<Item = T> {
        self.waiting.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_reaches_its_own_call_once() {
        let mut calls = PendingCalls::default();
        let (first, second) = (calls.begin("first"), calls.begin("second"));
        assert_eq!(calls.handle_reply(second), Some("second"));
        assert_eq!(calls.handle_reply(second), None);
        assert_eq!(calls.handle_reply(first), Some("first"));
    }
}
