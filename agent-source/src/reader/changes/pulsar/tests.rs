//! Claims about Pulsar, on a fake of it: no real one could be had. The fake speaks frames of its own making.

mod fake;
mod faulty;
mod frames;
mod secured;
mod wire;

use super::*;
use crate::reader::changes::ChangeSource;
use crate::reader::changes::broker::Reading;
use fake::{FakePulsar, Id, TOPIC, payload};
use futures::poll;
use model::{Class, codes};
use std::pin::pin;

const MOST: usize = 1 << 20;

fn log(fake: &FakePulsar) -> Shared<Pulsar> {
    Pulsar::open(&fake.section()).unwrap()
}

fn at((ledger, entry): Id, index: u32) -> Offset {
    Offset::in_ledger(ledger, entry, index).unwrap()
}

/// The entries of a ledger.
fn ledger(number: u64, entries: std::ops::Range<u64>) -> Vec<Id> {
    entries.map(|entry| (number, entry)).collect()
}

/// What is read behind a place, message by message, until so many came: the entries, whose payloads must be theirs.
async fn read(log: &Shared<Pulsar>, behind: Offset, count: usize) -> Result<Vec<Id>, Fault> {
    let (mut behind, mut ids) = (behind, Vec::new());
    while ids.len() < count {
        let messages = log.read(TOPIC, behind, MOST).await?;
        for message in &messages {
            let (ledger, entry, _) = message.offset.ledger_entry_index();
            assert!(message.offset > behind, "they rise");
            assert_eq!(message.payload, payload((ledger, entry)));
            behind = message.offset;
            ids.push((ledger, entry));
        }
    }
    Ok(ids)
}

#[tokio::test]
async fn what_is_there_is_read_and_then_what_comes() {
    let fake = FakePulsar::with(ledger(7, 0..5)).await;
    let log = log(&fake);
    assert_eq!(read(&log, at((7, 1), 0), 3).await, Ok(ledger(7, 2..5)));
    let end = log.end(TOPIC).await.unwrap();
    assert!(at((7, 4), 3) < end && end < at((7, 5), 0));
    let mut waiting = pin!(read(&log, end, 2));
    assert!(poll!(&mut waiting).is_pending());
    fake.write((7, 5));
    fake.write((7, 6));
    assert_eq!(waiting.await, Ok(ledger(7, 5..7)));
    let oldest = log.oldest(TOPIC).await.unwrap();
    assert_eq!(oldest.offset, at((7, 0), 0));
}

#[tokio::test]
async fn nothing_is_left_in_the_broker_and_nothing_is_acknowledged() {
    let fake = FakePulsar::with(ledger(7, 0..5)).await;
    let log = log(&fake);
    log.end(TOPIC).await.unwrap();
    log.oldest(TOPIC).await.unwrap();
    read(&log, at((7, 0), 0), 4).await.unwrap();
    let subscriptions = fake.subscriptions();
    let mut names: Vec<_> = subscriptions
        .iter()
        .map(|asked| asked.text(2).unwrap())
        .collect();
    names.dedup();
    assert_eq!(names.len(), 3, "each has a subscription of its own");
    for asked in &subscriptions {
        let (exclusive, durable, makes_topic) =
            (asked.number(3), asked.number(8), asked.number(15));
        assert_eq!(
            (exclusive, durable, makes_topic),
            (Some(0), Some(0), Some(0))
        );
    }
    let (connect, subscribe, flow, close, lookup, last) = (2, 4, 11, 16, 23, 29);
    let asked = fake.kinds();
    let known = [connect, subscribe, flow, close, lookup, last];
    assert!(asked.iter().all(|kind| known.contains(kind)), "{asked:?}");
}

#[tokio::test]
async fn batches_in_zstd_are_taken_apart_and_gone_on_with_in_their_middle() {
    let fake = FakePulsar::with(ledger(7, 0..1)).await;
    let payloads: [&[u8]; 4] = [b"a", b"", b"row", b"d"];
    fake.write_stored((7, 1), wire::zstd_batch(&payloads));
    fake.write((7, 2));
    fake.write_stored((7, 3), wire::zstd_batch(&[b"alone"]));
    let log = log(&fake);
    let mut behind = at((7, 0), 0);
    let mut told = Vec::new();
    while told.len() < 6 {
        for message in log.read(TOPIC, behind, MOST).await.unwrap() {
            behind = message.offset;
            told.push((message.offset, message.payload.to_vec()));
        }
    }
    let mut expected: Vec<_> = (0..)
        .zip(payloads)
        .map(|(n, row)| (at((7, 1), n), row.to_vec()))
        .collect();
    expected.push((at((7, 2), 0), b"7:2".to_vec()));
    expected.push((at((7, 3), 0), b"alone".to_vec()));
    assert_eq!(told, expected);
    for (n, (place, _)) in expected.iter().enumerate().take(5) {
        let fresh = self::log(&fake);
        let rest = fresh.read(TOPIC, *place, 1).await.unwrap();
        assert_eq!(rest[0].offset, expected[n + 1].0, "behind {place}");
    }
    // A batch never had a fifth message: this is another log's place.
    let fault = self::log(&fake)
        .read(TOPIC, at((7, 1), 4), 1)
        .await
        .unwrap_err();
    assert_eq!(fault.code, codes::LOG_TRUNCATED);
}

#[tokio::test]
async fn a_ledger_that_ends_is_followed_by_the_next() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    let log = log(&fake);
    let mut waiting = pin!(read(&log, at((7, 1), 0), 3));
    assert!(poll!(&mut waiting).is_pending());
    fake.write((9, 0));
    fake.write((9, 1));
    assert_eq!(waiting.await, Ok(vec![(7, 2), (9, 0), (9, 1)]));
}

#[tokio::test]
async fn what_was_deleted_behind_the_place_is_missed_and_not_what_lies_before_it() {
    let fake = FakePulsar::with([ledger(7, 0..3), ledger(8, 0..3), ledger(9, 0..3)].concat()).await;
    fake.delete_ledger(7);
    // The place is in the first ledger that is left: all behind it are there.
    assert_eq!(
        read(&log(&fake), at((8, 0), 0), 5)
            .await
            .map(|ids| ids.len()),
        Ok(5)
    );
    // Pulsar would go on with the next that there is, and say nothing.
    for place in [
        at((7, 0), 0),
        at((7, 2), 0),
        at((7, 2), Offset::LAST_INDEX),
        Offset::new(4),
    ] {
        let fault = read(&log(&fake), place, 1).await.unwrap_err();
        assert_eq!(
            (&*fault.code, fault.class),
            (codes::LOG_TRUNCATED, Class::Transient)
        );
        let told = [
            place.to_string(),
            "the first that is there is 8:0".to_owned(),
        ];
        assert!(
            told.iter().all(|told| fault.message.contains(told)),
            "{fault}"
        );
        assert!(fault.hint.contains("set-retention"), "{fault}");
    }
    assert_eq!(
        log(&fake).oldest(TOPIC).await.unwrap().offset,
        at((8, 0), 0)
    );
}

#[tokio::test]
async fn a_place_that_the_topic_never_came_to_is_of_another_log() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    for place in [at((7, 3), 0), at((12, 0), 0)] {
        let fault = read(&log(&fake), place, 1).await.unwrap_err();
        assert_eq!(
            (&*fault.code, fault.class),
            (codes::LOG_TRUNCATED, Class::Transient)
        );
        assert!(fault.message.contains("its last is 7:2"), "{fault}");
    }
    fake.delete_ledger(7);
    let fault = read(&log(&fake), at((7, 2), 0), 1).await.unwrap_err();
    assert_eq!(fault.code, codes::LOG_TRUNCATED);
    assert!(fault.message.contains("its last is none"), "{fault}");
}

#[tokio::test]
async fn a_ledger_that_goes_before_its_end_was_seen_is_missed() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    let broker = Pulsar::new(&fake.section()).unwrap();
    let mut reader = broker.open(TOPIC, at((7, 1), 0)).await.unwrap();
    assert_eq!(
        reader.more(MOST).await.map(|messages| messages.len()),
        Ok(1)
    );
    let mut waiting = pin!(reader.more(MOST));
    assert!(poll!(&mut waiting).is_pending());
    // Whether the ledger 7 had more entries, or there was one between the two, nobody can tell now.
    fake.set(|state| state.entries.clear());
    fake.write((9, 0));
    let fault = waiting.await.unwrap_err();
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_TRUNCATED, Class::Transient)
    );
    assert!(fault.message.contains("behind 7:2 comes 9:0"), "{fault}");
}

#[tokio::test]
async fn entries_that_are_left_out_within_a_ledger_are_missed() {
    let fake = FakePulsar::with([(7, 0), (7, 1), (7, 3)]).await;
    let log = log(&fake);
    assert_eq!(
        read(&log, at((7, 0), 0), 1).await,
        Ok(vec![(7, 1)]),
        "what precedes it goes first"
    );
    let fault = read(&log, at((7, 1), 0), 1).await.unwrap_err();
    assert_eq!(fault.code, codes::LOG_TRUNCATED);
    assert!(fault.message.contains("behind 7:1 comes 7:3"), "{fault}");
}

#[tokio::test]
async fn a_topic_without_a_message_has_no_place_to_begin_at() {
    let fake = FakePulsar::listen().await;
    let log = log(&fake);
    for fault in [
        log.end(TOPIC).await.unwrap_err(),
        log.oldest(TOPIC).await.unwrap_err(),
    ] {
        assert_eq!(fault.code, codes::LOG_TOPIC_MISSING);
        assert!(fault.message.contains("has no message"), "{fault}");
    }
}

#[tokio::test]
async fn redirects_are_followed_and_the_last_broker_is_told_that_it_decides() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    fake.set(|state| state.redirects = 3);
    assert_eq!(
        read(&log(&fake), at((7, 0), 0), 2).await,
        Ok(ledger(7, 1..3))
    );
    let lookup = 23;
    let asked = fake.heard(lookup);
    let authoritative: Vec<_> = asked.iter().map(|asked| asked.number(3)).collect();
    assert_eq!(authoritative, [Some(0), Some(1), Some(1), Some(1)]);
}

#[tokio::test]
async fn brokers_that_name_each_other_are_not_asked_without_end() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    fake.set(|state| state.redirects = u64::MAX);
    let fault = log(&fake).end(TOPIC).await.unwrap_err();
    assert_eq!(
        (&*fault.code, fault.class),
        (codes::LOG_UNREACHABLE, Class::Transient)
    );
    assert!(fault.message.contains("named another one each"), "{fault}");
}

#[tokio::test]
async fn a_broker_behind_a_proxy_is_reached_through_it() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    fake.set(|state| state.is_proxy = true);
    assert_eq!(
        read(&log(&fake), at((7, 0), 0), 2).await,
        Ok(ledger(7, 1..3))
    );
    let named: Vec<_> = fake
        .connects()
        .iter()
        .map(|asked| asked.text(6).map(str::to_owned))
        .collect();
    assert_eq!(named, [None, Some(format!("127.0.0.1:{}", fake.port))]);
}

#[tokio::test]
async fn a_line_that_breaks_in_the_middle_costs_nothing() {
    let fake = FakePulsar::with(ledger(7, 0..6)).await;
    let log = log(&fake);
    fake.set(|state| state.hang_up_before = Some((7, 3)));
    assert_eq!(read(&log, at((7, 0), 0), 5).await, Ok(ledger(7, 1..6)));
    assert_eq!(fake.subscriptions().len(), 2);
}

#[tokio::test]
async fn a_topic_that_moves_to_another_broker_is_followed() {
    let fake = FakePulsar::with(ledger(7, 0..3)).await;
    let log = log(&fake);
    assert_eq!(read(&log, at((7, 0), 0), 2).await, Ok(ledger(7, 1..3)));
    let mut waiting = pin!(read(&log, at((7, 2), 0), 1));
    assert!(poll!(&mut waiting).is_pending());
    fake.set(|state| state.lets_go = true);
    fake.write((7, 3));
    assert_eq!(waiting.await, Ok(vec![(7, 3)]));
}
