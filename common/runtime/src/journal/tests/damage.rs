//! What is refused when a journal is opened.

use super::disk::Disk;
use super::*;
use crate::journal::{CrashPoints, DiskJournal};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const STEPS_MADE: u64 = 30;

fn open(directory: &Path) -> Result<DiskJournal, JournalError> {
    DiskJournal::open(directory, CrashPoints::none())
}

/// A directory with a journal of some steps, shut down in order.
async fn filled() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for number in 0..STEPS_MADE {
        journal.commit(writes(number)).await.unwrap();
    }
    drop(journal);
    let file = directory.path().join("journal.redb");
    (directory, file)
}

fn assert_refused(directory: &Path, file: &Path) {
    match open(directory) {
        Err(error @ JournalError::Corrupt { .. }) => {
            assert!(
                error.to_string().contains(file.to_str().unwrap()),
                "{error}"
            );
            assert_eq!(
                model::Fault::from(error).code,
                model::codes::JOURNAL_CORRUPT
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn committed_steps_outlive_the_process() {
    let (directory, _file) = filled().await;
    for _ in 0..2 {
        assert_eq!(
            steps_held(&open(directory.path()).unwrap()).unwrap(),
            STEPS_MADE
        );
    }
}

#[tokio::test]
async fn a_second_agent_on_the_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    let refusal = open(directory.path()).unwrap_err();
    assert_eq!(refusal.code(), model::codes::JOURNAL_LOCKED);
    let text = refusal.to_string();
    assert!(text.contains(directory.path().to_str().unwrap()), "{text}");
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    drop(first);
    assert!(open(directory.path()).is_ok());
}

#[tokio::test]
async fn a_truncated_file_is_refused_and_left_alone() {
    let (directory, file) = filled().await;
    let whole = fs::read(&file).unwrap();
    for length in [
        0,
        1,
        4096,
        whole.len() / 3,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&file, &whole[..length]).unwrap();
        assert_refused(directory.path(), &file);
        assert_eq!(
            fs::read(&file).unwrap().len(),
            length,
            "the refused file was changed"
        );
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(
        steps_held(&open(directory.path()).unwrap()).unwrap(),
        STEPS_MADE
    );
}

#[tokio::test]
async fn a_lost_file_is_not_a_new_journal() {
    let (directory, file) = filled().await;
    fs::remove_file(&file).unwrap();
    assert_refused(directory.path(), &file);
    assert!(!file.exists());
}

#[tokio::test]
async fn another_file_in_its_place_is_refused() {
    let (directory, file) = filled().await;
    fs::write(&file, vec![7; 1 << 20]).unwrap();
    assert_refused(directory.path(), &file);
}

#[tokio::test]
async fn a_marker_of_another_format_is_refused() {
    let (directory, _file) = filled().await;
    let marker = directory.path().join("format");
    fs::write(&marker, "passage journal, format 2\n").unwrap();
    assert_refused(directory.path(), &marker);
}

#[tokio::test]
async fn a_journal_that_was_being_made_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("journal.redb.new"), "half a journal").unwrap();
    assert_eq!(steps_held(&open(directory.path()).unwrap()).unwrap(), 0);
    let (directory, _file) = filled().await;
    fs::remove_file(directory.path().join("format")).unwrap();
    assert_eq!(
        steps_held(&open(directory.path()).unwrap()).unwrap(),
        STEPS_MADE
    );
    assert!(directory.path().join("format").exists());
}

/// A journal's file with so many steps: shut down in order, and as a kill right behind the last step leaves it.
async fn files_left() -> [Vec<u8>; 2] {
    let disk = Disk::with_empty_journal();
    let start =
        || DiskJournal::start("(disk)".into(), disk.opening(), CrashPoints::none()).unwrap();
    let running = start();
    for number in 0..STEPS_MADE {
        running.commit(writes(number)).await.unwrap();
    }
    let killed = disk.bytes();
    drop(running);
    [disk.bytes(), killed]
}

/// Whether a file is refused; when it is not, it must hold everything.
fn is_refused(bytes: Vec<u8>, what: &str) -> bool {
    match DiskJournal::start(
        "(disk)".into(),
        Disk::holding(bytes).opening(),
        CrashPoints::none(),
    ) {
        Ok(journal) => {
            assert_eq!(steps_held(&journal).unwrap(), STEPS_MADE, "{what}");
            false
        }
        Err(error) => {
            assert!(
                matches!(error, JournalError::Corrupt { .. }),
                "{what}: {error}"
            );
            true
        }
    }
}

/// The bit of redb's header that says which of two roots is the newer one. Flipped behind a kill, it looks just as a kill
/// before that bit was written, so nothing can tell; every other bit is covered.
const ROOT_CHOICE: (usize, u8) = (9, 1);

#[tokio::test]
async fn a_flipped_bit_is_refused_or_harmless() {
    for whole in files_left().await {
        let used: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
        // Of the head, which holds the roots, every bit; of the rest samples, their distance a prime.
        let head = (0..512).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit)));
        let rest = used.iter().step_by(211).map(|at| (*at, 0x10));
        let mut refused = 0;
        for (at, flipped) in head.chain(rest).filter(|place| *place != ROOT_CHOICE) {
            let mut bent = whole.clone();
            bent[at] ^= flipped;
            refused += usize::from(is_refused(bent, &format!("byte {at}, bit {flipped:#x}")));
        }
        assert!(refused > 100, "only {refused} were refused");
    }
}

#[tokio::test]
async fn a_file_cut_at_any_page_is_refused_or_harmless() {
    for whole in files_left().await {
        let refused = (4096..whole.len())
            .step_by(4096)
            .filter(|length| is_refused(whole[..*length].to_vec(), &format!("length {length}")))
            .count();
        assert!(refused > 10, "only {refused} were refused");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_told_by_the_systems_words() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let refusal = open(&file.join("state")).unwrap_err();
    assert_eq!(refusal.code(), model::codes::JOURNAL_IO);
    assert!(refusal.to_string().contains("file/state"), "{refusal}");
}
