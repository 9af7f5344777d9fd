use super::segment::Segment;
use super::*;
use bytes::Bytes;
use model::{Class, Tick, codes};
use proptest::prelude::*;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Notify;

const TOPIC: &str = "by-dev-rootcoord-dml_3";
const MANY_BYTES: usize = 1 << 20;
const QUOTA: u64 = 1 << 30;

/// A fake log of one topic, in memory, that can be cut off at its beginning.
#[derive(Debug, Default)]
struct FakeLog {
    state: Mutex<(Vec<Message>, Offset)>,
    grown: Notify,
}

impl FakeLog {
    fn add(&self, messages: impl IntoIterator<Item = Message>) {
        self.state.lock().unwrap().0.extend(messages);
        self.grown.notify_waiters();
    }

    /// Everything up to this place is lost.
    fn truncate(&self, upto: u64) {
        let mut state = self.state.lock().unwrap();
        state.1 = Offset::new(upto);
        state.0.retain(|message| message.offset.number() > upto);
    }
}

impl ChangeSource for FakeLog {
    async fn end(&self, _topic: &str) -> Result<Offset, Fault> {
        unreachable!("a spool does not ask for it")
    }

    async fn read(
        &self,
        topic: &str,
        behind: Offset,
        _most_bytes: usize,
    ) -> Result<Vec<Message>, Fault> {
        assert_eq!(topic, TOPIC);
        loop {
            let grown = self.grown.notified();
            {
                let (messages, lost) = &*self.state.lock().unwrap();
                if behind < *lost {
                    return Err(Fault::new(codes::LOG_TRUNCATED, Class::Transient, "", ""));
                }
                let wanted = messages.iter().filter(|message| message.offset > behind);
                // A few at a time.
                let wanted: Vec<_> = wanted.take(3).cloned().collect();
                if !wanted.is_empty() {
                    return Ok(wanted);
                }
            }
            grown.await;
        }
    }
}

fn message(offset: u64, bytes: usize) -> Message {
    Message {
        offset: Offset::new(offset),
        payload: Bytes::from(vec![offset as u8; bytes]),
    }
}

fn some(offsets: std::ops::Range<u64>, bytes: usize) -> Vec<Message> {
    offsets.map(|offset| message(offset, bytes)).collect()
}

fn job() -> JobName {
    "moved".parse().unwrap()
}

struct Fixture {
    folder: TempDir,
    log: Arc<FakeLog>,
    spool: Option<Spool<FakeLog>>,
}

impl Fixture {
    fn new(quota_bytes: u64) -> Self {
        let mut fixture = Self {
            folder: tempfile::tempdir().unwrap(),
            log: Arc::default(),
            spool: None,
        };
        fixture.open(quota_bytes);
        fixture
    }

    fn open(&mut self, quota_bytes: u64) {
        let opened = Spool::open(self.log.clone(), self.folder.path(), quota_bytes);
        self.spool = Some(opened.unwrap());
    }

    /// Ends as a process does.
    async fn close(&mut self) {
        let spool = self.spool.take().unwrap();
        let inner = Arc::downgrade(&spool.0);
        spool.0.topics().clear();
        drop(spool);
        until(|| inner.strong_count() == 0).await;
    }

    fn spool(&self) -> &Spool<FakeLog> {
        self.spool.as_ref().unwrap()
    }

    fn want(&self, index: u32, place: u64) {
        let position = Position {
            channel: format!("{TOPIC}_7v0"),
            offset: Offset::new(place),
            tick: Tick::default(),
        };
        let index = CollectionIndex::new(index);
        self.spool().want(&job(), index, &[position]);
    }

    async fn read(&self, behind: u64) -> Result<Option<Vec<Message>>, Fault> {
        let behind = Offset::new(behind);
        self.spool().read(TOPIC, behind, MANY_BYTES).await
    }

    /// Every message that is kept behind a place.
    async fn all(&self, mut behind: u64) -> Vec<Message> {
        let mut all = Vec::new();
        while let Some(messages) = self.read(behind).await.unwrap() {
            behind = messages.last().unwrap().offset.number();
            all.extend(messages);
        }
        all
    }

    /// Waits until the messages up to this place are kept.
    async fn has(&self, place: u64) {
        while self.read(place - 1).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = Files::folder_of(self.folder.path(), TOPIC);
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn bytes(&self) -> u64 {
        self.spool().0.bytes.load(Ordering::Relaxed)
    }
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(30), looking).await;
    looked.expect("it does not come");
}

#[tokio::test]
async fn what_the_log_has_lost_since_it_was_wanted_is_here() {
    let fixture = Fixture::new(QUOTA);
    fixture.log.add(some(1..50, 10));
    assert_eq!(fixture.read(0).await, Ok(None), "nobody wants any");
    fixture.want(0, 9);
    fixture.has(49).await;
    fixture.log.truncate(49);
    assert_eq!(fixture.all(9).await, some(10..50, 10));
    assert_eq!(fixture.all(30).await, some(31..50, 10));
    assert_eq!(fixture.read(8).await, Ok(None), "it begins later");
    assert_eq!(fixture.read(49).await, Ok(None), "the log has what comes");
    fixture.log.add(some(50..60, 10));
    fixture.has(59).await;
    assert_eq!(fixture.all(9).await, some(10..60, 10));
}

#[tokio::test]
async fn it_goes_on_where_a_process_was_killed() {
    let mut fixture = Fixture::new(QUOTA);
    fixture.log.add(some(1..20, 10));
    fixture.want(0, 0);
    fixture.has(19).await;
    fixture.close().await;
    // In the middle of a write.
    let [file] = &fixture.files()[..] else {
        panic!("one file");
    };
    let mut bytes = std::fs::read(file).unwrap();
    bytes.truncate(bytes.len() - 3);
    std::fs::write(file, bytes).unwrap();
    fixture.log.truncate(17);
    fixture.open(QUOTA);
    fixture.want(0, 5);
    fixture.has(19).await;
    assert_eq!(fixture.all(5).await, some(6..20, 10));
}

#[tokio::test]
async fn what_is_damaged_is_told_and_not_kept() {
    let mut fixture = Fixture::new(QUOTA);
    fixture.log.add(some(1..20, 100));
    fixture.want(0, 0);
    fixture.has(19).await;
    let [file] = &fixture.files()[..] else {
        panic!("one file");
    };
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
    let fault = fixture.read(0).await.unwrap_err();
    assert_eq!(fault.code, codes::LOG_TRUNCATED, "{fault}");
    assert!(fault.message.contains("is damaged"), "{fault}");
    fixture.close().await;
    // What was whole is kept, and the log has the rest.
    fixture.open(QUOTA);
    fixture.want(0, 0);
    fixture.has(19).await;
    assert_eq!(fixture.all(0).await, some(1..20, 100));
}

#[tokio::test]
async fn what_everybody_has_applied_is_let_go_of() {
    let fixture = Fixture::new(QUOTA);
    let mebibyte = 1 << 20;
    fixture.want(0, 0);
    fixture.want(1, 0);
    fixture.log.add(some(1..41, mebibyte));
    fixture.has(40).await;
    assert!(fixture.bytes() > 40 << 20 && fixture.files().len() == 3);
    fixture.want(0, 40);
    fixture.log.add(some(41..42, 1));
    fixture.has(41).await;
    assert!(fixture.bytes() > 40 << 20, "the other one wants them");
    fixture.want(1, 20);
    fixture.log.add(some(42..43, 1));
    fixture.has(42).await;
    until(|| fixture.bytes() < 30 << 20).await;
    assert_eq!(fixture.all(20).await.len(), 22);
    fixture
        .spool()
        .forget(&job(), Some(CollectionIndex::new(0)));
    assert_eq!(fixture.all(20).await.len(), 22);
    fixture.spool().forget(&job(), None);
    until(|| fixture.bytes() == 0 && fixture.files().is_empty()).await;
}

#[tokio::test]
async fn a_full_quota_takes_no_more_until_there_is_room() {
    let fixture = Fixture::new(4 << 20);
    let mebibyte = 1 << 20;
    fixture.want(0, 0);
    fixture.log.add(some(1..31, mebibyte));
    until(|| fixture.bytes() >= 4 << 20).await;
    let kept = fixture.all(0).await.len() as u64;
    assert!((4..8).contains(&kept), "{kept}");
    // Its reader goes on in the log, and what is here is not needed any more.
    fixture.want(0, kept + 3);
    fixture.has(kept + 4).await;
    assert!(fixture.bytes() < 8 << 20);
}

#[tokio::test]
async fn after_a_gap_it_begins_anew_where_somebody_goes_on() {
    let mut fixture = Fixture::new(QUOTA);
    fixture.log.add(some(1..20, 10));
    fixture.want(0, 0);
    fixture.has(19).await;
    fixture.close().await;
    fixture.log.add(some(20..60, 10));
    fixture.log.truncate(40);
    fixture.open(QUOTA);
    fixture.want(0, 0);
    fixture.has(19).await;
    let has_ended = || {
        let topics = fixture.spool().0.topics();
        topics.values().all(|topic| topic.gap.get().is_some())
    };
    until(has_ended).await;
    assert_eq!(fixture.all(0).await, some(1..20, 10));
    fixture.want(0, 45);
    fixture.has(59).await;
    assert_eq!(fixture.all(45).await, some(46..60, 10));
    assert_eq!(fixture.read(0).await, Ok(None));
}

#[tokio::test]
async fn another_agent_and_a_folder_that_can_not_be_are_refused() {
    let fixture = Fixture::new(QUOTA);
    let folder = fixture.folder.path();
    let second = Spool::open(fixture.log.clone(), folder, QUOTA).unwrap_err();
    assert_eq!(second.code, codes::SPOOL_UNUSABLE, "{second}");
    assert!(second.message.contains("another agent"), "{second}");
    let beneath_a_file = folder.join("lock").join("spool");
    let refused = Spool::open(fixture.log.clone(), &beneath_a_file, QUOTA).unwrap_err();
    assert_eq!(refused.code, codes::SPOOL_UNUSABLE, "{refused}");
    assert!(refused.hint.contains("log.spool.path"), "{refused}");
}

#[tokio::test]
async fn files_of_topics_that_nobody_wants_are_swept() {
    let fixture = Fixture::new(QUOTA);
    let old = Files::folder_of(fixture.folder.path(), "old/../topic");
    assert_eq!(old.parent(), Some(fixture.folder.path()));
    std::fs::create_dir(&old).unwrap();
    fixture.log.add(some(1..3, 10));
    fixture.want(0, 0);
    fixture.has(2).await;
    fixture.spool().sweep();
    until(|| !old.exists()).await;
    assert_eq!(fixture.all(0).await, some(1..3, 10));
}

proptest! {
    #[test]
    fn a_file_that_is_cut_anywhere_has_the_messages_before(
        sizes in proptest::collection::vec(0_usize..700, 1..20),
        gaps in proptest::collection::vec(1_u64..9, 20),
        cut in 0.0..1.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut offset = 7;
        let messages: Vec<_> = sizes
            .iter()
            .zip(gaps)
            .map(|(size, gap)| {
                offset += gap;
                message(offset, *size)
            })
            .collect();
        let mut written = Segment::begin(folder.path(), Offset::new(7)).unwrap();
        for message in &messages {
            written.append(std::slice::from_ref(message)).unwrap();
        }
        let [path] = &std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..] else {
            panic!("one file");
        };
        let bytes = std::fs::read(path).unwrap();
        let kept = (bytes.len() as f64 * cut) as usize;
        std::fs::write(path, &bytes[..kept]).unwrap();
        let begin = Segment::begin_of(path).unwrap();
        prop_assert_eq!(begin, Offset::new(7));
        let opened = Segment::open(path.clone(), begin).unwrap();
        let whole = messages.iter().take_while(|message| message.offset <= opened.end());
        let whole: Vec<_> = whole.cloned().collect();
        if !whole.is_empty() {
            prop_assert_eq!(opened.read(begin, usize::MAX).unwrap(), Some(whole.clone()));
        }
        let next = messages.get(whole.len()).map_or(0, |next| next.payload.len() as u64 + 28);
        prop_assert!(opened.bytes() <= kept as u64 && (kept as u64) < opened.bytes() + next.max(1));
    }
}

#[test]
fn places_in_ledgers_are_kept_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let place = |entry, index| Offset::in_ledger(u64::MAX >> 1, entry, index).unwrap();
    let messages = [place(3, 1), place(3, 2), place(4, 0)].map(|offset| Message {
        offset,
        payload: Bytes::from_static(b"row"),
    });
    let begin = place(3, 0);
    Segment::begin(folder.path(), begin)
        .unwrap()
        .append(&messages)
        .unwrap();
    let file = std::fs::read_dir(folder.path()).unwrap().next();
    let path = file.unwrap().unwrap().path();
    assert_eq!(Segment::begin_of(&path), Some(begin));
    let opened = Segment::open(path, begin).unwrap();
    let behind = opened.read(place(3, 1), MANY_BYTES).unwrap();
    assert_eq!(behind.as_deref(), Some(&messages[1..]));
}
