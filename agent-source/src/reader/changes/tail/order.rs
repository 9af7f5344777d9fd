//! Which changes are complete, and in which order they are released. No I/O.
//!
//! A tick T in the log promises that no later message is of T or older. What is released with it are the changes up to T that lie
//! before it; a change that breaks the promise is released with the next tick. So "up to T, and before T's message" is what is
//! done at a position, and one that begins there can tell them from those that came late: the position lies before T's message, and
//! that message is met again.

use model::{Change, ChangeKind, Offset, Tick};

/// The changes of one channel between the log and their release.
#[derive(Debug)]
pub(super) struct Order {
    /// The greatest tick so far.
    watermark: Tick,
    /// The message before that of the watermark.
    before_watermark: Offset,
    /// Whether the messages have come to the tick that was begun at: up to there, changes of its age are done.
    is_past_start: bool,
    /// Whether there is something to release.
    has_risen: bool,
    /// In the log's order.
    waiting: Vec<Waiting>,
    /// In the order of release.
    ready: Vec<Change>,
}

#[derive(Debug)]
struct Waiting {
    /// The message before that of the change.
    behind: Offset,
    change: Change,
}

/// What an added change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It waits for a tick.
    InTime,
    /// It was done before the start, and is dropped.
    Done,
    /// It should have come before a tick that is there. It waits for the next one.
    Late {
        /// That tick.
        watermark: Tick,
    },
}

/// Changes, and how far they go.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) tick: Tick,
    pub(super) offset: Offset,
}

impl Order {
    /// Begins at a position: changes up to the tick are done, as far as they lie before the tick's message.
    pub(super) fn new(tick: Tick, offset: Offset) -> Self {
        Self {
            watermark: tick,
            before_watermark: offset,
            is_past_start: false,
            has_risen: false,
            waiting: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// Takes in a change. `behind` is the message before its own.
    pub(super) fn add(&mut self, behind: Offset, change: Change) -> Arrival {
        let is_old = change.tick <= self.watermark;
        if is_old && !self.is_past_start {
            return Arrival::Done;
        }
        self.waiting.push(Waiting { behind, change });
        if is_old {
            let watermark = self.watermark;
            Arrival::Late { watermark }
        } else {
            Arrival::InTime
        }
    }

    /// Takes in a tick. `behind` is the message before its own. One that is not younger than another says nothing new.
    pub(super) fn tick(&mut self, behind: Offset, tick: Tick) {
        if tick < self.watermark {
            return;
        }
        self.is_past_start = true;
        if tick == self.watermark {
            return;
        }
        self.watermark = tick;
        self.before_watermark = behind;
        self.has_risen = true;
        let complete = self
            .waiting
            .extract_if(.., |waiting| waiting.change.tick <= tick);
        let first = self.ready.len();
        self.ready.extend(complete.map(|waiting| waiting.change));
        // Stable: within a tick, and of the same kind, the log's order stays.
        self.ready[first..].sort_by_key(|change| (change.tick, !is_delete(change)));
    }

    /// What the ticks since the last release have completed; `None` when there was none.
    pub(super) fn release(&mut self) -> Option<Batch> {
        if !std::mem::take(&mut self.has_risen) {
            return None;
        }
        let waiting = self.waiting.first().map(|waiting| waiting.behind);
        let offset = waiting.map_or(self.before_watermark, |behind| {
            behind.min(self.before_watermark)
        });
        Some(Batch {
            changes: std::mem::take(&mut self.ready),
            tick: self.watermark,
            offset,
        })
    }
}

fn is_delete(change: &Change) -> bool {
    matches!(change.kind, ChangeKind::Delete { .. })
}
