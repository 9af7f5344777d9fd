//! Claims about reading together, on a broker in memory.

use super::*;
use crate::reader::changes::ChangeSource;
use futures::poll;
use model::{Class, codes};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

const TOPIC: &str = "by-dev-rootcoord-dml_0";
const MOST: usize = 1 << 16;

/// A broker with one topic, whose messages are its memory.
#[derive(Debug, Clone, Default)]
struct InMemory(Arc<State>);

#[derive(Debug, Default)]
struct State {
    log: watch::Sender<Log>,
    opened: AtomicUsize,
    read: AtomicUsize,
    closed: AtomicUsize,
}

#[derive(Debug, Clone, Default)]
struct Log {
    messages: BTreeMap<u64, usize>,
    next: u64,
    is_away: bool,
}

struct ReadingMemory {
    broker: InMemory,
    log: watch::Receiver<Log>,
    behind: u64,
}

impl InMemory {
    fn write(&self, count: u64, bytes: usize) {
        self.0.log.send_modify(|log| {
            log.messages
                .extend((log.next..log.next + count).map(|offset| (offset, bytes)));
            log.next += count;
        });
    }

    fn delete_before(&self, offset: u64) {
        let delete = |log: &mut Log| log.messages = log.messages.split_off(&offset);
        self.0.log.send_modify(delete);
    }

    fn set_away(&self, is_away: bool) {
        self.0.log.send_modify(|log| log.is_away = is_away);
    }

    fn opened(&self) -> usize {
        self.0.opened.load(Ordering::Relaxed)
    }

    fn shared(&self) -> Shared<Self> {
        Shared::new(self.clone())
    }
}

fn away() -> Fault {
    let (class, cause) = (Class::Transient, "it is away".to_owned());
    let fault = BrokerFault {
        class,
        cause,
        hint: "wait",
    };
    unreachable("memory", fault)
}

impl InMemory {
    fn extent(&self) -> Result<Extent, Fault> {
        let log = self.0.log.borrow();
        if log.is_away {
            return Err(away());
        }
        let first = log.messages.keys().next().copied();
        Ok(Extent {
            first: first.unwrap_or(log.next),
            next: log.next,
        })
    }

    fn reading(&self, behind: u64) -> ReadingMemory {
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        ReadingMemory {
            broker: self.clone(),
            log: self.0.log.subscribe(),
            behind,
        }
    }
}

impl Broker for InMemory {
    type Reading = ReadingMemory;

    const RETENTION: &'static str = "its memory";

    fn name(&self) -> &str {
        "memory"
    }

    async fn newest(&self, _topic: &str) -> Result<Option<Offset>, Fault> {
        Ok(self.extent()?.newest(0))
    }

    async fn open(&self, topic: &str, behind: Offset) -> Result<ReadingMemory, Fault> {
        self.extent()?.must_hold_all_behind(self, topic, behind)?;
        Ok(self.reading(behind.number()))
    }

    async fn open_oldest(&self, _topic: &str) -> Result<Option<ReadingMemory>, Fault> {
        let extent = self.extent()?;
        // What is in memory begins with 1.
        Ok((!extent.is_empty()).then(|| self.reading(extent.first.saturating_sub(1))))
    }
}

impl Reading for ReadingMemory {
    async fn more(&mut self, most_bytes: usize) -> Result<Vec<Message>, Fault> {
        self.broker.0.read.fetch_add(1, Ordering::Relaxed);
        let behind = self.behind;
        let is_news = |log: &Log| log.is_away || log.next > behind + 1;
        let log = self.log.wait_for(is_news).await;
        let log = log.expect("the broker lives").clone();
        if log.is_away {
            return Err(away());
        }
        let mut bytes = 0;
        let messages = log.messages.range(behind + 1..).take_while(|(_, size)| {
            let fits = bytes < most_bytes;
            bytes += **size;
            fits
        });
        let messages: Vec<_> = messages
            .map(|(offset, size)| Message {
                offset: Offset::new(*offset),
                payload: vec![0; *size].into(),
            })
            .collect();
        self.behind = messages.last().map_or(behind, |last| last.offset.number());
        Ok(messages)
    }

    async fn close(self) {
        self.broker.0.closed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn read(log: &Shared<InMemory>, behind: u64) -> Result<Vec<u64>, Fault> {
    let messages = log.read(TOPIC, Offset::new(behind), MOST).await?;
    Ok(messages
        .iter()
        .map(|message| message.offset.number())
        .collect())
}

#[tokio::test]
async fn hundreds_who_wait_for_a_message_make_one_read_of_it() {
    let broker = InMemory::default();
    broker.write(5, 10);
    let log = broker.shared();
    let all = futures::future::join_all((0..300).map(|_| read(&log, 4)));
    let mut all = pin!(all);
    assert!(poll!(&mut all).is_pending());
    tokio::task::yield_now().await;
    broker.write(1, 10);
    for outcome in all.await {
        assert_eq!(outcome, Ok(vec![5]));
    }
    assert_eq!(
        (broker.opened(), broker.0.read.load(Ordering::Relaxed)),
        (1, 1)
    );
    // Who comes a little later reads nothing either.
    assert_eq!(read(&log, 4).await, Ok(vec![5]));
    assert_eq!(broker.0.read.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn one_who_asked_and_rests_holds_up_nobody() {
    let broker = InMemory::default();
    broker.write(100, 10);
    let log = broker.shared();
    let mut resting = pin!(read(&log, 99));
    assert!(poll!(&mut resting).is_pending());
    // Far more than may read for themselves at a time.
    let mut apart: Vec<_> = (0..50).map(|place| Box::pin(read(&log, place))).collect();
    for reader in &mut apart {
        assert!(poll!(reader).is_pending());
    }
    broker.write(1, 10);
    assert_eq!(read(&log, 99).await, Ok(vec![100]));
    assert_eq!(read(&log, 60).await.map(|read| read[0]), Ok(61));
    assert_eq!(resting.await, Ok(vec![100]));
}

#[tokio::test]
async fn who_is_far_behind_reads_for_himself_and_then_with_the_others() {
    let broker = InMemory::default();
    broker.write(1, 10);
    let log = broker.shared();
    let mut at_end = pin!(read(&log, 0));
    assert!(poll!(&mut at_end).is_pending());
    broker.write(200, 20_000);
    assert!(at_end.await.is_ok());
    let mut place = 0;
    while place < 200 {
        let messages = read(&log, place).await.unwrap();
        assert_eq!(messages[0], place + 1, "nothing is left out");
        place = *messages.last().unwrap();
        if place == 160 {
            // The end has moved on meanwhile.
            assert!(read(&log, 196).await.is_ok());
        }
    }
    assert!(
        broker.opened() <= 4,
        "a reading goes on: {}",
        broker.opened()
    );
}

fn assert_truncated(fault: &Fault, told: &str) {
    let expected = (codes::LOG_TRUNCATED, Class::Transient);
    assert_eq!((&*fault.code, fault.class), expected);
    assert!(fault.message.contains(told), "{fault}");
    assert!(fault.hint.contains("its memory"), "{fault}");
}

#[tokio::test]
async fn a_place_that_the_log_never_reached_is_of_another_log() {
    let broker = InMemory::default();
    broker.write(10, 10);
    let log = broker.shared();
    assert_truncated(
        &read(&log, 10).await.unwrap_err(),
        "the next there will be 10",
    );
    assert_eq!(read(&log, 8).await, Ok(vec![9]));
}

#[tokio::test]
async fn what_was_deleted_behind_the_place_is_missed_and_by_nobody_else() {
    let broker = InMemory::default();
    broker.write(10, 10);
    broker.delete_before(5);
    let log = broker.shared();
    let mut waiting = pin!(read(&log, 9));
    assert!(poll!(&mut waiting).is_pending());
    let fault = read(&log, 3).await.unwrap_err();
    assert_truncated(&fault, "it begins with 5");
    assert_eq!(read(&log, 4).await.map(|read| read[0]), Ok(5));
    broker.write(1, 10);
    assert_eq!(waiting.await, Ok(vec![10]));
    let opened = broker.opened();
    assert_eq!(
        broker.0.closed.load(Ordering::Relaxed),
        opened - 2,
        "one at the end, one apart"
    );
}

#[tokio::test]
async fn a_broker_that_is_away_is_told_to_all_and_read_from_again_later() {
    let broker = InMemory::default();
    broker.write(3, 10);
    let log = broker.shared();
    let (mut one, mut other) = (pin!(read(&log, 2)), pin!(read(&log, 2)));
    assert!(poll!(&mut one).is_pending() && poll!(&mut other).is_pending());
    tokio::task::yield_now().await;
    broker.set_away(true);
    for outcome in [one.await, other.await, read(&log, 2).await] {
        let fault = outcome.unwrap_err();
        assert_eq!(
            (&*fault.code, fault.class),
            (codes::LOG_UNREACHABLE, Class::Transient)
        );
    }
    assert!(log.end(TOPIC).await.is_err());
    broker.set_away(false);
    broker.write(1, 10);
    assert_eq!(read(&log, 2).await, Ok(vec![3]));
}

#[tokio::test]
async fn a_kept_reading_that_broke_is_replaced_without_a_word() {
    let broker = InMemory::default();
    broker.write(2, 10);
    let log = broker.shared();
    assert_eq!(read(&log, 0).await, Ok(vec![1]));
    let mut waiting = pin!(read(&log, 1));
    assert!(poll!(&mut waiting).is_pending());
    tokio::task::yield_now().await;
    // Gone and there again before anybody looks.
    broker.set_away(true);
    broker.set_away(false);
    broker.write(1, 10);
    assert_eq!(waiting.await, Ok(vec![2]));
}

#[tokio::test]
async fn the_end_is_the_newest_message_and_an_unused_topic_has_none() {
    let broker = InMemory::default();
    let log = broker.shared();
    let fault = log.end(TOPIC).await.unwrap_err();
    assert_eq!(fault.code, codes::LOG_TOPIC_MISSING);
    broker.write(3, 10);
    assert_eq!(log.end(TOPIC).await, Ok(Offset::new(2)));
    broker.delete_before(2);
    let oldest = log.oldest(TOPIC).await.map(|message| message.offset);
    assert_eq!(oldest, Ok(Offset::new(2)));
    broker.delete_before(3);
    assert_eq!(log.end(TOPIC).await, Ok(Offset::new(2)));
    let fault = log.oldest(TOPIC).await.unwrap_err();
    assert_eq!(fault.code, codes::LOG_TOPIC_MISSING);
}
