//! Kills at every request to the disk, a full disk at every request, and commits that share their syncs.

use super::disk::{Asked, Disk};
use super::*;
use crate::journal::{CrashPoints, DiskJournal};
use futures::future::join_all;
use std::path::PathBuf;

const STEPS_MADE: u64 = 14;

fn journal(disk: &Disk) -> DiskJournal {
    DiskJournal::start(PathBuf::from("(disk)"), disk.opening(), CrashPoints::none()).unwrap()
}

/// A small generator (splitmix64), so that a failure can be had again from its seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What may be left of requests that no sync came behind: each in full, not at all, or torn at a sector's border.
fn survivor(asked: &Asked, seeded: &mut Seeded) -> Option<Asked> {
    const SECTOR: u64 = 512;
    match (asked, seeded.below(3)) {
        (_, 0) => None,
        (Asked::Write { offset, bytes }, 1) => {
            let sectors = seeded.below(bytes.len() as u64 / SECTOR + 1);
            let kept = usize::try_from(sectors * SECTOR).unwrap();
            Some(Asked::Write {
                offset: *offset,
                bytes: bytes[..kept].to_vec(),
            })
        }
        _ => Some(asked.clone()),
    }
}

#[tokio::test]
async fn a_kill_at_any_request_loses_no_committed_step() {
    let disk = Disk::with_empty_journal();
    let before = disk.bytes();
    let running = journal(&disk);
    for number in 0..STEPS_MADE {
        running.commit(writes(number)).await.unwrap();
        disk.report();
    }
    drop(running);

    let account = disk.account();
    let (mut durable, mut reported, mut pending) = (before, 0, Vec::new());
    for (at, asked) in account.iter().enumerate() {
        match asked {
            Asked::Sync => pending
                .drain(..)
                .for_each(|asked: Asked| asked.apply(&mut durable)),
            Asked::Reported => reported += 1,
            _ => pending.push(asked.clone()),
        }
        for seed in 0..4 {
            let mut left = durable.clone();
            let mut seeded = Seeded(at as u64 * 31 + seed);
            for asked in pending
                .iter()
                .filter_map(|asked| survivor(asked, &mut seeded))
            {
                asked.apply(&mut left);
            }
            let revived = journal(&Disk::holding(left));
            let held = steps_held(&revived).unwrap();
            assert!(
                held == reported || held == reported + 1,
                "request {at}, seed {seed}: {held} steps of {reported}"
            );
        }
    }
    assert_eq!(reported, STEPS_MADE);
}

#[tokio::test]
async fn a_full_disk_refuses_a_step_and_takes_it_once_there_is_room() {
    for room in 0..40 {
        let disk = Disk::with_empty_journal();
        let running = journal(&disk);
        running.commit(writes(0)).await.unwrap();
        disk.limit_room(Some(room));
        let mut made = 1;
        let refusal = loop {
            match running.commit(writes(made)).await {
                Ok(_) => made += 1,
                Err(refusal) => break refusal,
            }
        };
        assert!(
            matches!(refusal, JournalError::DiskFull { .. }),
            "room {room}: {refusal}"
        );
        assert_eq!(refusal.class(), model::Class::Operator);
        assert!(matches!(
            running.commit(writes(made)).await,
            Err(JournalError::DiskFull { .. })
        ));

        disk.limit_room(None);
        running.commit(writes(made)).await.unwrap();
        assert_eq!(steps_held(&running).unwrap(), made + 1, "room {room}");
        drop(running);
        assert_eq!(
            steps_held(&journal(&disk)).unwrap(),
            made + 1,
            "room {room}"
        );
    }
}

#[tokio::test]
async fn a_refused_step_is_not_visible() {
    let disk = Disk::with_empty_journal();
    let running = journal(&disk);
    running.commit(writes(0)).await.unwrap();
    let earlier = running.view().unwrap();
    // Enough to write the step's pages, not enough to sync them.
    disk.limit_room(Some(3));
    assert!(running.commit(writes(1)).await.is_err());
    disk.limit_room(None);
    assert!(running.commit(Writes::new()).await.is_ok());
    assert_eq!(steps_held(&running).unwrap(), 1);
    // Either it still shows what it showed, or it says that it ended.
    match earlier.find(LATEST, &RecordKey::new()) {
        Ok(latest) => assert_eq!(latest, Some(step(0))),
        Err(error) => assert!(matches!(error, JournalError::Reopened { .. }), "{error}"),
    }
}

#[tokio::test]
async fn commits_at_the_same_time_share_their_syncs() {
    let disk = Disk::with_empty_journal();
    let running = journal(&disk);
    let before = disk.syncs();
    disk.hold_syncs(true);
    let mut commits = join_all((0..50).map(|number| {
        let mut writes = Writes::new();
        writes.put(STEPS, &RecordKey::new().number(number), &step(number));
        running.commit(writes)
    }));
    // All are queued (tokio lets a task do 128 things in one go, two each), while the first of them waits for its sync.
    assert!(futures::poll!(&mut commits).is_pending());
    disk.hold_syncs(false);
    assert!(commits.await.into_iter().all(|committed| committed.is_ok()));
    assert_eq!(
        running
            .view()
            .unwrap()
            .scan(STEPS, &Span::all())
            .unwrap()
            .count(),
        50
    );
    // Two for those that came first, two for all the others; on a busy machine the first ones may be taken in a few lots.
    let syncs = disk.syncs() - before;
    assert!(syncs <= 10, "{syncs} syncs for 50 commits");
}

#[tokio::test]
async fn a_commit_given_up_is_there_in_full_or_not_at_all() {
    let disk = Disk::with_empty_journal();
    let running = journal(&disk);
    let mut commit = running.commit(writes(0));
    let _ = futures::poll!(&mut commit);
    drop(commit);
    drop(running);
    assert!(steps_held(&journal(&disk)).unwrap() <= 1);
}
