//! What stands in a rocksmq: `{topic}/{number}` and the message. Milvus writes numbers without leading zeros; they begin with the
//! time in milliseconds times 2^18, so that until 2090 they have 18 digits, and sort as texts.

use crate::reader::changes::Message;
use model::Offset;
use rocksdb::Entry;

/// What Milvus 2.6 and later begin a value with, where they write a rocksmq: the payload is wrapped, with properties beside it.
const WRAPPED: &[u8] = b"\xFF\xFE\xFD\xFCSTREAM";

/// The key of the message at a place.
pub(super) fn at(topic: &str, offset: Offset) -> Vec<u8> {
    format!("{topic}/{:018}", offset.number()).into_bytes()
}

/// A key that is smaller than that of every message of the topic.
pub(super) fn start(topic: &str) -> Vec<u8> {
    format!("{topic}/").into_bytes()
}

/// A key that is greater than that of every message of the topic: a colon follows the digits.
pub(super) fn end(topic: &str) -> Vec<u8> {
    format!("{topic}/:").into_bytes()
}

/// Topic and place of a message's key; `None` if it is not one. Milvus allows no slash in a topic's name.
pub(super) fn parse(key: &[u8]) -> Option<(&str, Offset)> {
    let (topic, number) = std::str::from_utf8(key).ok()?.split_once('/')?;
    let number = number.parse().ok()?;
    (!topic.is_empty()).then(|| (topic, Offset::new(number)))
}

/// Why a topic's entries can't be given on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Messages behind this place may be gone.
    Truncated(Offset),
    /// There is a key that is not of a message.
    Foreign(Vec<u8>),
    /// There is a message as Milvus 2.6 wraps it.
    Wrapped,
}

/// The messages of a topic's entries behind a place, all of them being there: which `kept` proves, the last entry at or before the
/// place, for Milvus deletes from the oldest on. It must have been looked for after the entries.
pub(super) fn messages(
    behind: Offset,
    entries: Vec<Entry>,
    kept: Option<&Entry>,
) -> Result<Vec<Message>, Unreadable> {
    if kept.is_none() {
        return Err(Unreadable::Truncated(behind));
    }
    entries.into_iter().map(message).collect()
}

/// The message of an entry.
pub(super) fn message((key, value): Entry) -> Result<Message, Unreadable> {
    let Some((_, offset)) = parse(&key) else {
        return Err(Unreadable::Foreign(key));
    };
    if value.starts_with(WRAPPED) {
        return Err(Unreadable::Wrapped);
    }
    Ok(Message {
        offset,
        payload: value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::collections::BTreeMap;
    use std::ops::Bound::{Excluded, Included};

    const FIRST: u64 = 470_602_949_748_064_257;

    /// Five messages in each of three topics whose names begin alike.
    fn log() -> BTreeMap<Vec<u8>, Bytes> {
        let topics = ["by-dev-dml", "by-dev-dml_1", "by-dev-dml_10"];
        let messages = topics.iter().enumerate().flat_map(|(topic, name)| {
            (0..5).map(move |n| format!("{name}/{}", FIRST + 3 * n + topic as u64))
        });
        messages
            .map(|key| (key.clone().into_bytes(), Bytes::from(key)))
            .collect()
    }

    fn read(log: &BTreeMap<Vec<u8>, Bytes>, behind: u64) -> Result<Vec<u64>, Unreadable> {
        let (topic, behind) = ("by-dev-dml_1", Offset::new(behind));
        let owned = |(key, value): (&Vec<u8>, &Bytes)| (key.clone(), value.clone());
        let range = (Excluded(at(topic, behind)), Excluded(end(topic)));
        let entries = log.range(range).map(owned).collect();
        let upto = (Included(start(topic)), Included(at(topic, behind)));
        let kept = log.range(upto).next_back().map(owned);
        let messages = messages(behind, entries, kept.as_ref())?;
        Ok(messages
            .iter()
            .map(|message| message.offset.number())
            .collect())
    }

    #[test]
    fn a_topic_has_its_own_messages_and_no_others() {
        let own: Vec<_> = (0..5).map(|n| FIRST + 3 * n + 1).collect();
        assert_eq!(read(&log(), own[0]).unwrap(), own[1..]);
        assert_eq!(read(&log(), own[3]).unwrap(), own[4..]);
        assert!(read(&log(), own[4]).unwrap().is_empty());
    }

    #[test]
    fn a_place_between_messages_is_as_good_as_one() {
        assert_eq!(
            read(&log(), FIRST + 2).unwrap(),
            read(&log(), FIRST + 1).unwrap()
        );
        assert!(read(&log(), u64::MAX >> 1).unwrap().is_empty());
    }

    #[test]
    fn what_was_deleted_behind_the_place_is_missed() {
        let deleted = |count: u64| {
            let mut log = log();
            let upto = at("by-dev-dml_1", Offset::new(FIRST + 3 * count));
            log.retain(|key, _| !key.starts_with(b"by-dev-dml_1/") || *key > upto);
            log
        };
        let second = FIRST + 3 + 1;
        assert_eq!(read(&deleted(1), second).unwrap().len(), 3);
        for count in 2..=5 {
            let read = read(&deleted(count), second);
            assert_eq!(
                read,
                Err(Unreadable::Truncated(Offset::new(second))),
                "{count}"
            );
        }
    }

    #[test]
    fn a_place_before_every_message_is_one_that_was_deleted() {
        for place in [0, 99, FIRST] {
            let truncated = Unreadable::Truncated(Offset::new(place));
            assert_eq!(read(&log(), place), Err(truncated));
        }
    }

    #[test]
    fn keys_of_messages_are_told_from_others() {
        assert_eq!(
            parse(b"by-dev-dml_1/17"),
            Some(("by-dev-dml_1", Offset::new(17)))
        );
        let others = [
            "rmq_id",
            "topic_id/by-dev-dml_1",
            "acked_ts/by-dev-dml_1/17",
            "/17",
            "",
        ];
        for other in others {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_wrapped_message_is_refused() {
        let value = |bytes: &'static [u8]| (b"by-dev-dml_1/17".to_vec(), Bytes::from_static(bytes));
        let wrapped = value(b"\xFF\xFE\xFD\xFCSTREAM\x0A\x00");
        assert_eq!(message(wrapped), Err(Unreadable::Wrapped));
        assert!(message(value(b"\x0A\x02\x08\x01")).is_ok());
    }
}
