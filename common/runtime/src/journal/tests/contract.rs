//! What holds for every journal.

use super::*;
use crate::journal::{CrashPoints, DiskJournal, MemoryJournal};
use std::sync::Arc;

/// Both journals, each with a directory that lives as long.
fn journals() -> Vec<(Arc<dyn Journal>, Option<tempfile::TempDir>)> {
    let directory = tempfile::tempdir().unwrap();
    let disk = DiskJournal::open(directory.path(), CrashPoints::none()).unwrap();
    vec![
        (Arc::new(MemoryJournal::new()), None),
        (Arc::new(disk), Some(directory)),
    ]
}

#[tokio::test]
async fn what_is_committed_is_read() {
    for (journal, _directory) in journals() {
        for number in 0..10 {
            let committed = journal.commit(writes(number)).await.unwrap();
            assert_eq!(committed.sequence(), number + 1);
            assert_eq!(steps_held(&*journal).unwrap(), number + 1);
        }
    }
}

#[tokio::test]
async fn a_view_does_not_show_what_comes_later() {
    for (journal, _directory) in journals() {
        let before = journal.view().unwrap();
        journal.commit(writes(0)).await.unwrap();
        assert_eq!(before.find(LATEST, &RecordKey::new()).unwrap(), None);
        assert_eq!(
            journal
                .view()
                .unwrap()
                .find(LATEST, &RecordKey::new())
                .unwrap(),
            Some(step(0))
        );
    }
}

#[tokio::test]
async fn a_scan_gives_a_span_in_order_from_either_end() {
    for (journal, _directory) in journals() {
        let mut writes = Writes::new();
        for (job, number) in [("b", 1), ("a", 2), ("a", 256), ("a", 3), ("ab", 0)] {
            writes.put(
                STEPS,
                &RecordKey::new().text(job).number(number),
                &step(number),
            );
        }
        journal.commit(writes).await.unwrap();
        let numbers = |span: Span| {
            let scan = journal.view().unwrap().scan(STEPS, &span).unwrap();
            scan.map(|record| record.unwrap().1.number)
                .collect::<Vec<_>>()
        };
        let job = RecordKey::new().text("a");
        assert_eq!(numbers(Span::under(&job)), [2, 3, 256]);
        assert_eq!(
            numbers(Span::under(&job).after(&job.clone().number(2))),
            [3, 256]
        );
        assert_eq!(
            numbers(Span::under(&job).before(&job.clone().number(256))),
            [2, 3]
        );
        let last = journal
            .view()
            .unwrap()
            .scan(STEPS, &Span::under(&job))
            .unwrap()
            .next_back()
            .unwrap()
            .unwrap();
        assert_eq!(last.1.number, 256);
    }
}

#[tokio::test]
async fn a_deleted_span_leaves_its_neighbours() {
    for (journal, _directory) in journals() {
        let mut writes = Writes::new();
        for job in ["a", "b", "c"] {
            writes.put(STEPS, &RecordKey::new().text(job).number(1), &step(1));
        }
        journal.commit(writes).await.unwrap();
        let mut writes = Writes::new();
        writes.delete_span(STEPS, Span::under(&RecordKey::new().text("b")));
        journal.commit(writes).await.unwrap();
        let view = journal.view().unwrap();
        let keys: Vec<_> = view
            .scan(STEPS, &Span::all())
            .unwrap()
            .map(|record| record.unwrap().0)
            .collect();
        assert_eq!(
            keys,
            ["a", "c"].map(|job| RecordKey::new().text(job).number(1))
        );
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_written_fails_its_step_and_no_other() {
    const PAIRS: Table<std::collections::BTreeMap<(u8, u8), u8>> = Table::new("pairs");
    for (journal, _directory) in journals() {
        let mut writes = super::writes(0);
        writes.put(PAIRS, &RecordKey::new(), &[((1, 2), 3)].into());
        assert!(matches!(
            journal.commit(writes).await,
            Err(JournalError::Encode { table: "pairs", .. })
        ));
        assert_eq!(steps_held(&*journal).unwrap(), 0);
        journal.commit(super::writes(0)).await.unwrap();
    }
}
