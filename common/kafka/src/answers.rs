//! What a broker answers. See <https://kafka.apache.org/protocol>.

use crate::records::{self, Record, Unreadable};
use crate::requests::PARTITION;
#[cfg(doc)]
use crate::requests::Request;
use crate::wire::{Malformed, Reader};
use bytes::Bytes;

/// Kafka's numbers of errors that mean something here.
pub(crate) mod codes {
    pub(crate) const NONE: i16 = 0;
    pub(crate) const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub(crate) const LEADER_NOT_AVAILABLE: i16 = 5;
    pub(crate) const NOT_LEADER: i16 = 6;
    pub(crate) const REPLICA_NOT_AVAILABLE: i16 = 9;
    pub(crate) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
}

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The offset of its oldest record; where it has none, as `next`.
    pub first: i64,
    /// The offset that its next record will have.
    pub next: i64,
}

/// Records that were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// By their offsets.
    pub records: Vec<Record>,
    /// The offset to go on with.
    pub next: i64,
}

/// The address of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Who leads the topic's partition, or Kafka's number of an error.
pub(crate) type Leader = Result<Address, i16>;

/// The answer to [`Request::metadata`].
pub(crate) fn metadata(mut answer: Reader) -> Result<Leader, Malformed> {
    let _throttle_ms = answer.i32()?;
    let brokers = answer.array(|broker| {
        let id = broker.i32()?;
        let host = broker.text()?.unwrap_or_default();
        let port = broker.i32()?;
        let _rack = broker.text()?;
        Ok((id, host, port))
    })?;
    let _cluster = answer.text()?;
    let _controller = answer.i32()?;
    let topics = answer.array(|topic| {
        let code = topic.i16()?;
        let _name = topic.text()?;
        let _is_internal = topic.i8()?;
        let partitions = topic.array(|partition| {
            let code = partition.i16()?;
            let (index, leader) = (partition.i32()?, partition.i32()?);
            partition.array(Reader::i32)?;
            partition.array(Reader::i32)?;
            Ok((index, code, leader))
        })?;
        Ok((code, partitions))
    })?;
    let Some((code, partitions)) = topics.into_iter().next() else {
        return Ok(Err(codes::UNKNOWN_TOPIC_OR_PARTITION));
    };
    let partition = partitions
        .into_iter()
        .find(|(index, ..)| *index == PARTITION);
    let leader = match (code, partition) {
        (codes::NONE, Some((_, codes::NONE | codes::REPLICA_NOT_AVAILABLE, leader))) => leader,
        (codes::NONE, Some((_, code, _))) => return Ok(Err(code)),
        (codes::NONE, None) => return Ok(Err(codes::UNKNOWN_TOPIC_OR_PARTITION)),
        (code, _) => return Ok(Err(code)),
    };
    let address = brokers.into_iter().find(|(id, ..)| *id == leader);
    let Some((_, host, port)) = address else {
        return Ok(Err(codes::LEADER_NOT_AVAILABLE));
    };
    let port = u16::try_from(port).map_err(|_| Malformed("a broker's port"))?;
    Ok(Ok(Address { host, port }))
}

/// The answer to [`Request::list_offsets`].
pub(crate) fn list_offsets(answer: Reader) -> Result<Result<i64, i16>, Malformed> {
    of_partition(answer, |partition| {
        let code = partition.i16()?;
        let _time = partition.i64()?;
        let offset = partition.i64()?;
        Ok(some(code).map(|()| offset))
    })
}

/// The answer to [`Request::fetch`].
pub(crate) fn fetch(mut answer: Reader, from: i64) -> Result<Result<Fetched, i16>, Unreadable> {
    let _throttle_ms = answer.i32()?;
    let fetched = of_partition(answer, |partition| {
        let code = partition.i16()?;
        let (_highest, _stable) = (partition.i64()?, partition.i64()?);
        partition.array(|aborted| Ok((aborted.i64()?, aborted.i64()?)))?;
        let batches = partition.bytes()?.unwrap_or_default();
        Ok(some(code).map(|()| batches))
    })?;
    let batches = match fetched {
        Ok(batches) => batches,
        Err(code) => return Ok(Err(code)),
    };
    let (records, next) = records::decode(batches, from)?;
    Ok(Ok(Fetched { records, next }))
}

/// The answer to [`Request::sasl_handshake`]: what can be had where the mechanism can't.
pub(crate) fn sasl_handshake(mut answer: Reader) -> Result<Result<(), Vec<String>>, Malformed> {
    let code = answer.i16()?;
    let mechanisms = answer.array(|name| Ok(name.text()?.unwrap_or_default()))?;
    Ok(some(code).map_err(|_| mechanisms))
}

/// The answer to [`Request::sasl_authenticate`]: the broker's word, or why it refuses.
pub(crate) fn sasl_authenticate(mut answer: Reader) -> Result<Result<Bytes, String>, Malformed> {
    let code = answer.i16()?;
    let cause = answer.text()?;
    let word = answer.bytes()?.unwrap_or_default();
    let told = |code| cause.unwrap_or_else(|| format!("Kafka's error {code}"));
    Ok(some(code).map(|()| word).map_err(told))
}

/// What an answer says of the one topic's one partition.
fn of_partition<T>(
    mut answer: Reader,
    partition: impl Fn(&mut Reader) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let topics = answer.array(|topic| {
        let _name = topic.text()?;
        topic.array(|element| {
            let _index = element.i32()?;
            partition(element)
        })
    })?;
    let found = topics.into_iter().flatten().next();
    found.ok_or(Malformed("it lacks the partition that was asked for"))
}

fn some(code: i16) -> Result<(), i16> {
    if code == codes::NONE {
        Ok(())
    } else {
        Err(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::batch;
    use crate::wire::{put_bytes, put_text};
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    /// An answer about one topic.
    fn metadata_of(topic_code: i16, partition_code: i16, leader: i32) -> Reader {
        let mut answer = BytesMut::new();
        answer.put_i32(0);
        answer.put_i32(1);
        answer.put_i32(7);
        put_text(&mut answer, "kafka-7");
        answer.put_i32(9092);
        answer.put_i16(-1);
        answer.put_i16(-1);
        answer.put_i32(7);
        answer.put_i32(1);
        answer.put_i16(topic_code);
        put_text(&mut answer, "by-dev-dml_0");
        answer.put_u8(0);
        answer.put_i32(1);
        answer.put_i16(partition_code);
        answer.put_i32(0);
        answer.put_i32(leader);
        answer.put_i32(1);
        answer.put_i32(7);
        answer.put_i32(0);
        Reader::new(answer.freeze())
    }

    #[test]
    fn the_leader_is_found_or_the_error_told() {
        let address = Address {
            host: "kafka-7".to_owned(),
            port: 9092,
        };
        assert_eq!(metadata(metadata_of(0, 0, 7)), Ok(Ok(address)));
        assert_eq!(metadata(metadata_of(0, 5, -1)), Ok(Err(5)));
        assert_eq!(metadata(metadata_of(3, 0, 7)), Ok(Err(3)));
        let nobody = Ok(Err(codes::LEADER_NOT_AVAILABLE));
        assert_eq!(metadata(metadata_of(0, 0, 8)), nobody);
    }

    #[test]
    fn fetched_records_and_errors_are_told_apart() {
        let answer = |code: i16, batches: &[u8]| {
            let mut answer = BytesMut::new();
            answer.put_i32(0);
            answer.put_i32(1);
            put_text(&mut answer, "by-dev-dml_0");
            answer.put_i32(1);
            answer.put_i32(0);
            answer.put_i16(code);
            answer.put_i64(9);
            answer.put_i64(9);
            answer.put_i32(-1);
            put_bytes(&mut answer, batches);
            Reader::new(answer.freeze())
        };
        let fetched = fetch(answer(0, &batch(5, 0, &[b"a"])), 5);
        let fetched = fetched.unwrap().unwrap();
        assert_eq!((fetched.records.len(), fetched.next), (1, 6));
        assert_eq!(
            fetch(answer(1, b""), 5),
            Ok(Err(codes::OFFSET_OUT_OF_RANGE))
        );
        let nothing = fetch(answer(0, b""), 5).unwrap().unwrap();
        assert_eq!((nothing.records.len(), nothing.next), (0, 5));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes: Vec<u8>) {
            let answer = || Reader::new(Bytes::from(bytes.clone()));
            let _ = metadata(answer());
            let _ = list_offsets(answer());
            let _ = fetch(answer(), 0);
            let _ = sasl_handshake(answer());
            let _ = sasl_authenticate(answer());
        }
    }
}
