//! What holds of the readers whatever they are given: they answer, and the answer makes sense.
//!
//! One check for each target. `cargo fuzz` runs them with inputs that it makes up, `tests/corpus.rs` with those that are kept.

#[path = "frames.rs"]
mod frames;

use bytes::Bytes;
use model::{Key, Tick};
use passage_binlog::{BinlogError, Delete, FieldValues, GroupedFile, Owner, Values};
use passage_binlog::{read_deletes, read_field, write_deletes};
use std::ops::Range;

type Check = fn(&[u8]);

/// Each target's name and what is done with an input.
pub(crate) const TARGETS: [(&str, Check); 7] = [
    ("insert_logs", |bytes| {
        insert_log(&Bytes::copy_from_slice(bytes))
    }),
    ("delta_logs", |bytes| {
        delta_log(&Bytes::copy_from_slice(bytes))
    }),
    ("payloads", |bytes| read(frames::payload(bytes))),
    ("pages", |bytes| read(frames::pages(bytes))),
    ("round_trip", round_trip),
    ("grouped_files", |bytes| {
        grouped(&Bytes::copy_from_slice(bytes))
    }),
    ("grouped", |bytes| {
        if let Some(file) = frames::grouped(bytes) {
            grouped(&file);
        }
    }),
];

/// More deletes than these are not written again: it would only take time.
const MOST_WRITTEN_AGAIN: usize = 1000;

/// The longest key that Milvus allows.
const MOST_KEY_BYTES: usize = 65_535;

/// Runs a target's check.
pub(crate) fn run(target: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, check) = found.expect("a target of this name");
    check(input);
}

fn read(file: Option<frames::File>) {
    match file {
        Some(frames::File::Rows(file)) => insert_log(&file),
        Some(frames::File::Deletes(file)) => delta_log(&file),
        None => {}
    }
}

fn insert_log(file: &Bytes) {
    match read_field(file) {
        Ok(log) => makes_sense(&log.into()),
        Err(error) => is_told(&error),
    }
}

fn makes_sense(log: &FieldValues) {
    let values = log.values.len();
    if log.valid.is_empty() {
        assert_eq!(values, log.rows, "every row has a value");
    } else {
        assert_eq!(log.valid.len(), log.rows, "a flag for every row");
        let valid = log.valid.iter().filter(|valid| **valid).count();
        assert_eq!(values, valid, "a value for every row that has one");
        assert!(valid < log.rows, "flags only where a value is null");
    }
    match &log.values {
        Values::Vectors { width, bytes } => {
            assert!(*width > 0 && bytes.len() % width == 0, "whole vectors");
        }
        Values::Blobs(blobs) => {
            assert_eq!(blobs.iter().count(), blobs.len(), "every blob is there");
            assert!(blobs.get(blobs.len()).is_none(), "and no more");
        }
        _ => {}
    }
}

/// A file of several fields, by its end and then by all of its bytes; in two halves it holds what it does as a whole.
fn grouped(file: &Bytes) {
    let opened = GroupedFile::footer_bytes(file).and_then(|length| {
        let end = file.slice(file.len().saturating_sub(length)..);
        GroupedFile::read(&end, file.len() as u64)
    });
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return is_told(&error),
    };
    let rows = opened.rows();
    for field in opened.fields() {
        let values = |rows: Range<u64>| {
            let bytes = opened.bytes_of(&rows)?;
            let bytes = file.slice(bytes.start as usize..bytes.end as usize);
            let mut values = opened.values(&bytes, &rows, &[(field, 0)])?;
            Ok(values.pop().expect("one field was asked for"))
        };
        match values(0..rows) {
            Err(error) => is_told(&error),
            Ok(whole) => {
                assert_eq!(whole.rows as u64, rows, "every row");
                makes_sense(&whole);
                let halves = [0..rows / 2, rows / 2..rows].map(values);
                let halves = halves.map(|half| half.expect("a part of what was read"));
                let number: usize = halves.iter().map(|half| half.values.len()).sum();
                assert_eq!(number, whole.values.len(), "the halves make the whole");
                is_whole(&halves, &whole);
            }
        }
    }
}

/// The halves' blobs and vectors are those of the whole: the others are as long, and of a kind.
fn is_whole([first, second]: &[FieldValues; 2], whole: &FieldValues) {
    match (&first.values, &second.values, &whole.values) {
        (Values::Blobs(first), Values::Blobs(second), Values::Blobs(whole)) => {
            assert!(first.iter().chain(second.iter()).eq(whole.iter()));
        }
        (Values::Ints(first), Values::Ints(second), Values::Ints(whole)) => {
            assert!(first.iter().chain(second).eq(whole));
        }
        (
            Values::Vectors { bytes: first, .. },
            Values::Vectors { bytes: second, .. },
            Values::Vectors { bytes: whole, .. },
        ) => assert!(first.iter().chain(second).eq(whole)),
        _ => {}
    }
}

fn delta_log(file: &Bytes) {
    match read_deletes(file) {
        Ok(deletes) => is_written_again(&deletes),
        Err(error) => is_told(&error),
    }
}

fn is_written_again(deletes: &[Delete]) {
    let fits = |delete: &Delete| match &delete.key {
        Key::VarChar(key) => key.len() <= MOST_KEY_BYTES,
        Key::Int64(_) => true,
    };
    if deletes.len() > MOST_WRITTEN_AGAIN || !deletes.iter().all(fits) {
        return;
    }
    let owner = Owner {
        collection: 1,
        partition: 2,
        segment: 3,
    };
    let file = write_deletes(owner, deletes).expect("deletes that were read can be written");
    assert_eq!(read_deletes(&file).as_deref(), Ok(deletes));
}

/// An error says in a line what is wrong with the file, and nothing of what is in it at length.
fn is_told(error: &BinlogError) {
    let begin = match error {
        BinlogError::NotABinlog { .. } => "the file is no binlog of Milvus: it begins with",
        BinlogError::CutShort { .. } => "the file is cut short:",
        BinlogError::Malformed { .. } => "the file is malformed at byte",
        BinlogError::UnknownEvent { .. } => "the file has an event of kind",
        BinlogError::Encrypted => "the file is encrypted",
        BinlogError::UnknownValues { .. } => "values of Milvus's type",
        BinlogError::NoField { .. } => "the file has no field",
        BinlogError::Parquet { .. } => "the Parquet in the file can't be read:",
        BinlogError::Beyond { .. } => "the",
        BinlogError::Delete { .. } => "delete",
    };
    let told = error.to_string();
    assert!(told.starts_with(begin), "{told}");
    assert!(told.len() < 500, "{} bytes: {told}", told.len());
}

/// Deletes by a kind, a time and a short key each.
fn round_trip(bytes: &[u8]) {
    let mut rest = bytes;
    let mut deletes = Vec::new();
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let [kind, time @ ..] = *head;
        let tick = Tick::new(u64::from_le_bytes(time));
        let length = usize::from(kind >> 1).min(behind.len());
        let (key, behind) = behind.split_at(length);
        let key = match kind & 1 {
            0 => Key::Int64(tick.number().cast_signed().rotate_left(u32::from(kind))),
            _ => Key::VarChar(String::from_utf8_lossy(key).into_owned()),
        };
        deletes.push(Delete { key, tick });
        rest = behind;
    }
    is_written_again(&deletes);
}
