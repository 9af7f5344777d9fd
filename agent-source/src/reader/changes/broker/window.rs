//! The newest messages of a topic, as far as they were read.

use crate::reader::changes::Message;
use model::Offset;
use std::collections::VecDeque;

/// How many bytes are kept: many seconds of a topic without much traffic, whose readers are then a few ticks apart at most.
const MOST_BYTES: usize = 1 << 20;

/// What a message takes beside its payload.
const OVERHEAD_BYTES: usize = 64;

/// All messages of a topic between two places.
#[derive(Debug)]
pub(super) struct Window {
    messages: VecDeque<Message>,
    bytes: usize,
    begin: Offset,
    end: Offset,
}

/// What a window has for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// The messages behind the place.
    Messages(Vec<Message>),
    /// Some messages behind the place are no longer kept.
    Gone,
    /// None: the place is where the window ends.
    End,
    /// None: the place is beyond it.
    Beyond,
}

impl Window {
    /// An empty one at a place.
    pub(super) fn at(place: Offset) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            begin: place,
            end: place,
        }
    }

    /// The place behind which nothing is known.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// What there is behind a place: so many messages that they have about `most_bytes`, and one at least.
    pub(super) fn behind(&self, place: Offset, most_bytes: usize) -> Kept {
        if place < self.begin {
            return Kept::Gone;
        }
        if place >= self.end {
            return if place == self.end {
                Kept::End
            } else {
                Kept::Beyond
            };
        }
        let first = self
            .messages
            .partition_point(|message| message.offset <= place);
        let mut bytes = 0;
        let fitting = self.messages.range(first..).take_while(|message| {
            let has_room = bytes < most_bytes.max(1);
            bytes += message.payload.len();
            has_room
        });
        Kept::Messages(fitting.cloned().collect())
    }

    /// Takes in the messages that follow, and lets go of the oldest.
    pub(super) fn push(&mut self, messages: &[Message]) {
        for message in messages {
            self.bytes += size(message);
            self.end = message.offset;
            self.messages.push_back(message.clone());
        }
        while self.bytes > MOST_BYTES
            && let Some(oldest) = self.messages.pop_front()
        {
            self.bytes -= size(&oldest);
            self.begin = oldest.offset;
        }
    }
}

fn size(message: &Message) -> usize {
    message.payload.len() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(offset: u64, bytes: usize) -> Message {
        Message {
            offset: Offset::new(offset),
            payload: vec![0; bytes].into(),
        }
    }

    fn offsets(window: &Window, behind: u64, most_bytes: usize) -> Option<Vec<u64>> {
        match window.behind(Offset::new(behind), most_bytes) {
            Kept::Messages(messages) => Some(
                messages
                    .iter()
                    .map(|message| message.offset.number())
                    .collect(),
            ),
            _ => None,
        }
    }

    #[test]
    fn every_place_in_it_has_what_follows_and_offsets_may_have_gaps() {
        let mut window = Window::at(Offset::new(7));
        window.push(&[message(8, 10), message(11, 10), message(12, 10)]);
        assert_eq!(offsets(&window, 7, 100), Some(vec![8, 11, 12]));
        assert_eq!(offsets(&window, 7, 11), Some(vec![8, 11]));
        assert_eq!(offsets(&window, 7, 0), Some(vec![8]));
        assert_eq!(offsets(&window, 9, 1), Some(vec![11]));
        let kept = |place| window.behind(Offset::new(place), 100);
        assert_eq!(kept(6), Kept::Gone);
        assert_eq!(kept(12), Kept::End);
        assert_eq!(kept(13), Kept::Beyond);
    }

    #[test]
    fn it_lets_go_of_the_oldest_and_says_so() {
        let mut window = Window::at(Offset::new(0));
        let large = MOST_BYTES / 2;
        window.push(&[message(1, large), message(2, 10), message(3, large)]);
        assert_eq!(window.behind(Offset::new(0), 100), Kept::Gone);
        assert_eq!(offsets(&window, 1, usize::MAX), Some(vec![2, 3]));
        window.push(&[message(4, MOST_BYTES)]);
        assert_eq!(window.behind(Offset::new(3), 100), Kept::Gone);
        assert_eq!(window.behind(Offset::new(4), 100), Kept::End);
    }
}
