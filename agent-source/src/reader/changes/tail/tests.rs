use super::*;
use bytes::Bytes;
use futures::FutureExt;
use model::{ChangeKind, Key, Tick};
use proptest::prelude::*;
use prost::Message as _;
use proto::milvus::common::MsgBase;
use proto::milvus::msg;
use proto::milvus::schema::field_data::Field as Member;
use proto::milvus::schema::i_ds::IdField;
use proto::milvus::schema::{FieldData, IDs, LongArray};

const OURS: i64 = 7;
const TOPIC: &str = "by-dev-rootcoord-dml_3";
const CHANNEL: &str = "by-dev-rootcoord-dml_3_7v0";
const MANY_BYTES: usize = 1 << 20;

/// A fake log of one topic, in memory. Nothing is added to it: who has read all waits for ever.
#[derive(Debug, Default)]
struct FakeLog {
    messages: Vec<Message>,
}

impl FakeLog {
    /// Messages at every third place, as rocksmq and Pulsar leave gaps.
    fn new(payloads: impl IntoIterator<Item = Bytes>) -> Self {
        let messages = payloads.into_iter().zip((100..).step_by(3));
        let message = |(payload, place)| Message {
            offset: Offset::new(place),
            payload,
        };
        Self {
            messages: messages.map(message).collect(),
        }
    }

    fn tail(&self, position: Position, most_bytes: usize) -> Tail<'_, Self> {
        Tail::new(self, OURS, position, most_bytes)
    }

    /// Everything that is released from here on.
    fn releases(&self, position: Position, most_bytes: usize) -> Vec<Released> {
        let mut tail = self.tail(position, most_bytes);
        std::iter::from_fn(|| tail.next().now_or_never())
            .map(Result::unwrap)
            .collect()
    }

    fn all(&self) -> Vec<Told> {
        told(&self.releases(start(0), MANY_BYTES))
    }
}

impl ChangeSource for FakeLog {
    async fn end(&self, _topic: &str) -> Result<Offset, Fault> {
        let newest = self.messages.last();
        Ok(newest.map_or(Offset::default(), |message| message.offset))
    }

    async fn read(
        &self,
        topic: &str,
        behind: Offset,
        most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        assert_eq!(topic, TOPIC);
        let mut bytes = 0;
        let fits = |message: &&Message| {
            let is_first = bytes == 0;
            bytes += message.payload.len();
            is_first || bytes <= most_bytes
        };
        let rest = self
            .messages
            .iter()
            .filter(|message| message.offset > behind);
        let messages: Vec<_> = rest.take_while(fits).cloned().collect();
        if messages.is_empty() {
            std::future::pending::<()>().await;
        }
        Ok(messages)
    }
}

/// A change in short: its tick, what it is, and its first key.
type Told = (u64, &'static str, i64);

fn told(releases: &[Released]) -> Vec<Told> {
    let changes = releases.iter().flat_map(|released| &released.changes);
    changes
        .map(|change| {
            let (what, key) = match &change.kind {
                ChangeKind::Insert { batch, .. } => {
                    ("insert", milvus::keys(batch, "pk").unwrap()[0].clone())
                }
                ChangeKind::Delete { keys, .. } => ("delete", keys[0].clone()),
                ChangeKind::DropCollection => ("drop", Key::Int64(0)),
                other => panic!("{other:?}"),
            };
            let Key::Int64(key) = key else {
                panic!("{key}")
            };
            (change.tick.number(), what, key)
        })
        .collect()
}

fn start(tick: u64) -> Position {
    Position {
        channel: CHANNEL.to_owned(),
        offset: Offset::default(),
        tick: Tick::new(tick),
    }
}

fn message(message_type: i32, timestamp: u64, parts: &[Vec<u8>]) -> Bytes {
    let base = MsgBase {
        msg_type: message_type,
        timestamp,
    };
    let header = msg::MsgHeader { base: Some(base) };
    [header.encode_to_vec(), parts.concat()].concat().into()
}

fn rows_header(collection_id: i64, channel: &str) -> Vec<u8> {
    let header = msg::RowsHeader {
        shard_name: channel.to_owned(),
        collection_id,
    };
    header.encode_to_vec()
}

fn tick(time: u64) -> Bytes {
    message(1200, time, &[])
}

fn delete_of(collection_id: i64, channel: &str, time: u64, key: i64) -> Bytes {
    let keys = IDs {
        id_field: Some(IdField::IntId(LongArray { data: vec![key] })),
    };
    let body = msg::DeleteRequest {
        timestamps: vec![time],
        num_rows: 1,
        primary_keys: Some(keys),
        ..msg::DeleteRequest::default()
    };
    let header = rows_header(collection_id, channel);
    message(401, time, &[header, body.encode_to_vec()])
}

fn delete(time: u64, key: i64) -> Bytes {
    delete_of(OURS, CHANNEL, time, key)
}

/// The key must fit into seven bits, so that the column can be written by hand.
fn insert(time: u64, key: u8) -> Bytes {
    let column = FieldData {
        r#type: 5,
        field_name: "pk".to_owned(),
        field: Some(Member::Scalars(Bytes::from(vec![0x1a, 3, 0x0a, 1, key]))),
        ..FieldData::default()
    };
    let body = msg::InsertRequest {
        partition_name: "_default".to_owned(),
        timestamps: vec![time],
        fields_data: vec![column],
        num_rows: 1,
        version: 1,
    };
    let header = rows_header(OURS, CHANNEL);
    message(400, 0, &[header, body.encode_to_vec()])
}

#[test]
fn nothing_is_released_before_its_tick_and_then_all_of_it_in_order() {
    let log = FakeLog::new([insert(9, 1), insert(5, 2), delete(7, 3), insert(12, 4)]);
    assert_eq!(log.releases(start(0), MANY_BYTES), []);
    let log = FakeLog::new([
        insert(9, 1),
        insert(5, 2),
        delete(7, 3),
        insert(12, 4),
        tick(10),
    ]);
    let expected = [(5, "insert", 2), (7, "delete", 3), (9, "insert", 1)];
    assert_eq!(log.all(), expected);
}

#[test]
fn an_upsert_deletes_before_it_inserts() {
    let log = FakeLog::new([insert(5, 1), insert(5, 2), delete(5, 1), tick(6)]);
    let expected = [(5, "delete", 1), (5, "insert", 1), (5, "insert", 2)];
    assert_eq!(log.all(), expected);
}

#[test]
fn a_tick_releases_what_is_as_old_as_itself() {
    let log = FakeLog::new([insert(5, 1), tick(5)]);
    assert_eq!(log.all(), [(5, "insert", 1)]);
}

#[test]
fn other_collections_and_channels_are_left_out_and_the_position_moves_nevertheless() {
    let other_channel = "by-dev-rootcoord-dml_3_7v1";
    let log = FakeLog::new([
        delete_of(8, "by-dev-rootcoord-dml_3_8v0", 1, 1),
        delete_of(OURS, other_channel, 2, 2),
        tick(3),
    ]);
    let releases = log.releases(start(0), MANY_BYTES);
    assert_eq!(told(&releases), []);
    assert_eq!(releases.len(), 1);
    assert_eq!(releases[0].position.tick, Tick::new(3));
    assert_eq!(releases[0].position.channel, CHANNEL);
}

#[test]
fn a_delete_without_a_channel_is_known_by_its_collection() {
    let log = FakeLog::new([delete_of(OURS, "", 1, 1), delete_of(8, "", 2, 2), tick(3)]);
    assert_eq!(log.all(), [(1, "delete", 1)]);
}

#[test]
fn a_drop_of_the_collection_is_released_like_every_change() {
    let collection = msg::DropCollectionRequest {
        collection_id: OURS,
    };
    let drop = message(101, 4, &[collection.encode_to_vec()]);
    let log = FakeLog::new([drop, insert(3, 1), tick(4)]);
    assert_eq!(log.all(), [(3, "insert", 1), (4, "drop", 0)]);
}

#[test]
fn many_ticks_read_at_once_are_one_release_and_no_release_exceeds_its_bytes() {
    let payloads = (1..=60u8).flat_map(|n| [insert(u64::from(n), n), tick(u64::from(n))]);
    let log = FakeLog::new(payloads);
    assert_eq!(log.releases(start(0), MANY_BYTES).len(), 1);
    let one = insert(1, 1).len();
    let releases = log.releases(start(0), 10 * one);
    assert!(releases.iter().all(|r| r.changes.len() <= 10));
    assert_eq!(told(&releases), log.all());
}

#[test]
fn what_was_done_before_the_start_is_dropped() {
    let log = FakeLog::new([insert(5, 1), insert(6, 2), tick(5), insert(7, 3), tick(8)]);
    let releases = log.releases(start(5), MANY_BYTES);
    assert_eq!(told(&releases), [(6, "insert", 2), (7, "insert", 3)]);
}

#[test]
fn a_change_behind_its_tick_is_released_with_the_next_one() {
    let log = FakeLog::new([tick(5), insert(4, 1), insert(6, 2), tick(7)]);
    let releases = log.releases(start(0), 1);
    assert_eq!(releases[0].changes, []);
    let expected = [(4, "insert", 1), (6, "insert", 2)];
    assert_eq!(told(&releases[1..]), expected);
    let resumed = log.releases(releases[0].position.clone(), MANY_BYTES);
    assert_eq!(told(&resumed), expected);
}

#[test]
fn a_message_that_is_not_understood_stops_the_tail_until_it_is() {
    let unknown = message(402, 5, &[]);
    let mut log = FakeLog::new([
        insert(1, 1),
        tick(2),
        insert(3, 2),
        unknown,
        insert(5, 3),
        tick(6),
    ]);
    {
        let mut tail = log.tail(start(0), MANY_BYTES);
        let mut next = || tail.next().now_or_never().unwrap();
        assert_eq!(told(&[next().unwrap()]), [(1, "insert", 1)]);
        for _ in 0..2 {
            let fault = next().unwrap_err();
            assert_eq!(
                (fault.code.as_str(), fault.class),
                (codes::LOG_MALFORMED, Class::Operator)
            );
            let named = [
                "message 109 of topic by-dev-rootcoord-dml_3",
                "type 402",
                "0a05089203",
            ];
            assert!(
                named.iter().all(|text| fault.message.contains(text)),
                "{fault}"
            );
        }
    }
    log.messages[3].payload = tick(4);
    let expected = [(1, "insert", 1), (3, "insert", 2), (5, "insert", 3)];
    assert_eq!(log.all(), expected);
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let mut messages = FakeLog::new([insert(5, 1), tick(4), insert(6, 2)]).messages;
    let short = FakeLog {
        messages: messages.clone(),
    };
    let mut tail = short.tail(start(0), MANY_BYTES);
    assert_eq!(tail.next().now_or_never().unwrap().unwrap().changes, []);
    assert!(tail.next().now_or_never().is_none());
    messages.extend(
        FakeLog::new([tick(0), tick(0), tick(0), tick(9)])
            .messages
            .pop(),
    );
    let long = FakeLog { messages };
    let mut tail = Tail {
        source: &long,
        ..tail
    };
    let released = tail.next().now_or_never().unwrap().unwrap();
    assert_eq!(told(&[released]), [(5, "insert", 1), (6, "insert", 2)]);
}

/// What Milvus may write: changes of any times that are younger than the ticks before them, with a tick now and then.
fn orderly() -> impl Strategy<Value = Vec<Bytes>> {
    let step = (0..4u8, 1..6u64, 0..100u8);
    proptest::collection::vec(step, 0..40).prop_map(|steps| {
        let mut watermark = 0;
        let mut payload = |(kind, ahead, key)| match kind {
            0 => {
                watermark += ahead;
                tick(watermark)
            }
            1 => delete(watermark + ahead, i64::from(key)),
            2 => delete_of(8, "by-dev-rootcoord-dml_3_8v0", watermark + ahead, 1),
            _ => insert(watermark + ahead, key),
        };
        steps.into_iter().map(&mut payload).collect()
    })
}

/// The same without any order: ticks go back, changes come late.
fn disorderly() -> impl Strategy<Value = Vec<Bytes>> {
    let step = (0..3u8, 1..12u64, 0..100u8).prop_map(|(kind, time, key)| match kind {
        0 => tick(time),
        1 => delete(time, i64::from(key)),
        _ => insert(time, key),
    });
    proptest::collection::vec(step, 0..30)
}

proptest! {
    #[test]
    fn changes_come_in_order_and_up_to_the_watermark(payloads in orderly(), most_bytes in 1..400usize) {
        let log = FakeLog::new(payloads);
        let releases = log.releases(start(0), most_bytes);
        let mut done = Tick::default();
        for Released { changes, position } in &releases {
            let is_in_bounds = |change: &Change| done < change.tick && change.tick <= position.tick;
            prop_assert!(changes.iter().all(is_in_bounds));
            let rank = |change: &Change| (change.tick, !matches!(change.kind, ChangeKind::Delete { .. }), change.offset);
            prop_assert!(changes.is_sorted_by_key(rank));
            prop_assert!(done < position.tick);
            done = position.tick;
        }
    }

    #[test]
    fn how_much_is_read_at_once_does_not_matter(payloads in disorderly(), most_bytes in 1..400usize) {
        let log = FakeLog::new(payloads);
        prop_assert_eq!(told(&log.releases(start(0), most_bytes)), log.all());
    }

    #[test]
    fn a_tail_resumes_from_every_release_without_gap_or_repetition(
        payloads in prop_oneof![orderly(), disorderly()],
        most_bytes in 1..400usize,
        other_bytes in 1..400usize,
    ) {
        let log = FakeLog::new(payloads);
        let releases = log.releases(start(0), most_bytes);
        for (done, released) in releases.iter().enumerate() {
            let resumed = log.releases(released.position.clone(), other_bytes);
            prop_assert_eq!(told(&resumed), told(&releases[done + 1..]));
        }
    }
}
