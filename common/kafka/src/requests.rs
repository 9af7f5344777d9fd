//! What is asked of a broker, each in one version. See <https://kafka.apache.org/protocol>.

use crate::wire::{put_bytes, put_text};
use bytes::{BufMut, Bytes, BytesMut};

/// The name that brokers see.
const CLIENT: &str = "passage";

/// The one partition of a topic that Milvus writes to.
pub(crate) const PARTITION: i32 = 0;

const NO_REPLICA: i32 = -1;
const READ_UNCOMMITTED: i8 = 0;

/// A request: its number and version, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    key: i16,
    version: i16,
    body: BytesMut,
}

impl Request {
    fn new(key: i16, version: i16) -> Self {
        let body = BytesMut::new();
        Self { key, version, body }
    }

    /// The bytes that are sent, with the number that the answer bears.
    pub(crate) fn frame(&self, number: i32) -> Bytes {
        let mut rest = BytesMut::new();
        rest.put_i16(self.key);
        rest.put_i16(self.version);
        rest.put_i32(number);
        put_text(&mut rest, CLIENT);
        rest.put_slice(&self.body);
        let mut frame = BytesMut::new();
        put_bytes(&mut frame, &rest);
        frame.freeze()
    }

    /// Who leads the topic's partition? The first version that does not make a topic which is not there.
    pub(crate) fn metadata(topic: &str) -> Self {
        let mut request = Self::new(3, 4);
        request.body.put_i32(1);
        put_text(&mut request.body, topic);
        request.body.put_u8(0);
        request
    }

    /// The oldest offset, or the next.
    pub(crate) fn list_offsets(topic: &str, end: End) -> Self {
        let mut request = Self::new(2, 1);
        request.body.put_i32(NO_REPLICA);
        request.put_partition_of(topic);
        request.body.put_i64(match end {
            End::First => -2,
            End::Next => -1,
        });
        request
    }

    /// Records from an offset on, so many that they have about `most_bytes`, but at least one batch; answered when there is one, or
    /// after `wait_ms`.
    pub(crate) fn fetch(topic: &str, offset: i64, most_bytes: i32, wait_ms: i32) -> Self {
        let mut request = Self::new(1, 4);
        request.body.put_i32(NO_REPLICA);
        request.body.put_i32(wait_ms);
        request.body.put_i32(1);
        request.body.put_i32(most_bytes);
        request.body.put_i8(READ_UNCOMMITTED);
        request.put_partition_of(topic);
        request.body.put_i64(offset);
        request.body.put_i32(most_bytes);
        request
    }

    /// May the caller prove himself in this way?
    pub(crate) fn sasl_handshake(mechanism: &str) -> Self {
        let mut request = Self::new(17, 1);
        put_text(&mut request.body, mechanism);
        request
    }

    /// A word of the proof.
    pub(crate) fn sasl_authenticate(word: &[u8]) -> Self {
        let mut request = Self::new(36, 0);
        put_bytes(&mut request.body, word);
        request
    }

    fn put_partition_of(&mut self, topic: &str) {
        self.body.put_i32(1);
        put_text(&mut self.body, topic);
        self.body.put_i32(1);
        self.body.put_i32(PARTITION);
    }
}

/// One end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The oldest offset.
    First,
    /// The one that comes next.
    Next,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_a_topic_does_not_make_it() {
        let frame = Request::metadata("t").frame(1);
        assert_eq!(frame.last(), Some(&0));
        assert_eq!(
            frame[..12],
            hex::decode("000000190003000400000001").unwrap()
        );
    }
}
