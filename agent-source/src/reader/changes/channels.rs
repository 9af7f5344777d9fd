//! The channels of a collection, read beside each other and put into one order: that of the source's clock.
//!
//! Every channel tells by its ticks how far it is; what all of them have passed is released together. So a partition that is dropped,
//! which every channel has in its own log, comes after every row that was made before it.

use super::Log;
use super::tail::{Released, Tail};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use model::{Change, Fault, Offset, Position, Tick};
use std::collections::VecDeque;

/// The bytes of changes that one channel may be ahead of the others.
const AHEAD_BYTES: usize = 4 << 20;

/// About how many bytes of changes one channel releases at a time.
const RELEASE_BYTES: usize = 1 << 20;

/// Changes that every channel has passed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Advance {
    /// In the order in which they were made.
    pub(crate) changes: Vec<Change>,
    /// How far the channels are read with them.
    pub(crate) reached: Vec<Position>,
    /// Up to where every change is among those released.
    pub(crate) tick: Tick,
}

/// What became of a channel's read: its place among the channels, the channel's tail, and what that released.
type Read<'a> = (usize, Tail<'a, Log>, Result<Released, Fault>);

/// The channels of one collection.
pub(crate) struct Channels<'a> {
    reads: FuturesUnordered<BoxFuture<'a, Read<'a>>>,
    waiting: Vec<Waiting<'a>>,
}

/// What a channel has released and the others have not passed yet.
struct Waiting<'a> {
    channel: String,
    /// Idle while it is too far ahead of the others.
    tail: Option<Tail<'a, Log>>,
    changes: VecDeque<Change>,
    bytes: usize,
    /// Where reading may begin again, by the tick up to which everything must be done for it.
    places: VecDeque<(Tick, Offset)>,
    released: Tick,
    offset: Offset,
}

impl<'a> Channels<'a> {
    /// Reads a collection's channels behind these positions.
    pub(crate) fn new(log: &'a Log, collection: i64, positions: &[Position]) -> Self {
        let waiting = positions.iter().map(|position| Waiting {
            channel: position.channel.clone(),
            tail: Some(Tail::new(log, collection, position.clone(), RELEASE_BYTES)),
            changes: VecDeque::new(),
            bytes: 0,
            places: VecDeque::new(),
            released: position.tick,
            offset: position.offset,
        });
        Self {
            reads: FuturesUnordered::new(),
            waiting: waiting.collect(),
        }
    }

    /// Waits until all channels have passed another tick.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    ///
    /// # Errors
    /// Those of the log; the channel is read on from where it was by the next call.
    pub(crate) async fn next(&mut self) -> Result<Advance, Fault> {
        let before = self.tick();
        loop {
            self.read_on();
            let Some((place, tail, released)) = self.reads.next().await else {
                // Without a channel there is no change.
                return std::future::pending().await;
            };
            let channel = &mut self.waiting[place];
            channel.tail = Some(tail);
            channel.take(released?);
            if self.tick() > before {
                return Ok(self.release());
            }
        }
    }

    fn read_on(&mut self) {
        let least = self.tick();
        for (place, channel) in self.waiting.iter_mut().enumerate() {
            let is_ahead = channel.bytes > AHEAD_BYTES && channel.released > least;
            if let Some(mut tail) = channel.tail.take_if(|_| !is_ahead) {
                let read = async move {
                    let released = tail.next().await;
                    (place, tail, released)
                };
                self.reads.push(read.boxed());
            }
        }
    }

    /// What every channel has passed.
    fn tick(&self) -> Tick {
        let released = self.waiting.iter().map(|channel| channel.released);
        released.min().unwrap_or_default()
    }

    fn release(&mut self) -> Advance {
        let tick = self.tick();
        let mut changes = Vec::new();
        for channel in &mut self.waiting {
            channel.release(tick, &mut changes);
        }
        // Each channel's own order stays as it is.
        changes.sort_by_key(|change| change.tick);
        let position = |channel: &Waiting<'_>| Position {
            channel: channel.channel.clone(),
            offset: channel.offset,
            tick,
        };
        Advance {
            changes,
            reached: self.waiting.iter().map(position).collect(),
            tick,
        }
    }
}

impl Waiting<'_> {
    fn take(&mut self, released: Released) {
        let Released { changes, position } = released;
        let sizes = changes.iter().map(|change| change.kind.size_bytes());
        self.bytes += sizes.sum::<usize>();
        self.changes.extend(changes);
        self.released = position.tick;
        self.places.push_back((position.tick, position.offset));
    }

    fn release(&mut self, tick: Tick, into: &mut Vec<Change>) {
        let passed = self.changes.partition_point(|change| change.tick <= tick);
        for change in self.changes.drain(..passed) {
            self.bytes = self.bytes.saturating_sub(change.kind.size_bytes());
            into.push(change);
        }
        let passed = self.places.partition_point(|(needed, _)| *needed <= tick);
        if let Some((_, offset)) = self.places.drain(..passed).next_back() {
            self.offset = offset;
        }
    }
}
