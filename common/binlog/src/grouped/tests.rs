//! Claims on files in the form that Milvus 2.6's sources give, which Arrow's C++ library wrote (`samples/make_grouped.py` tells what is in
//! them); and on the same files spoilt.

use super::*;
use crate::Values;
use proptest::prelude::*;
use std::path::Path;

/// How many rows are in each file.
const ROWS: u64 = 40;

const TEXTS: [&str; 5] = [
    "",
    "a",
    "two words",
    "\u{fc}\u{1F600}",
    "line\nbreak \"quoted\" \\",
];

/// The files, by their groups' numbers.
const GROUPS: [(&str, u8); 8] = [
    ("0", 1),
    ("1", 2),
    ("112", 3),
    ("113", 4),
    ("114", 5),
    ("115", 6),
    ("116", 7),
    ("117", 8),
];

fn sample(group: &str) -> Bytes {
    let (_, log) = GROUPS.iter().find(|(name, _)| *name == group).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/grouped");
    std::fs::read(folder.join(group).join(log.to_string()))
        .unwrap()
        .into()
}

fn opened(file: &Bytes) -> Result<GroupedFile, BinlogError> {
    let length = GroupedFile::footer_bytes(file)?.min(file.len());
    GroupedFile::read(&file.slice(file.len() - length..), file.len() as u64)
}

/// The values of some rows of a field, by the bytes alone that are asked for.
fn values(
    file: &Bytes,
    rows: &Range<u64>,
    fields: &[(i64, i32)],
) -> Result<Vec<FieldValues>, BinlogError> {
    let opened = opened(file)?;
    let bytes = opened.bytes_of(rows)?;
    let begin = usize::try_from(bytes.start).unwrap().min(file.len());
    let end = usize::try_from(bytes.end).unwrap().clamp(begin, file.len());
    opened.values(&file.slice(begin..end), rows, fields)
}

fn field(group: &str, rows: &Range<u64>, field: i64) -> FieldValues {
    let mut found = values(&sample(group), rows, &[(field, 0)]).unwrap();
    found.pop().unwrap()
}

/// Ranges that begin and end within groups of rows, at their ends, and across some.
fn ranges() -> Vec<Range<u64>> {
    let ends = [0, 1, 6, 7, 8, 15, 16, 17, 30, 39, 40];
    let all = ends
        .iter()
        .flat_map(|begin| ends.iter().map(move |end| *begin..*end));
    all.filter(|range| range.start <= range.end).collect()
}

fn assert_whole(group: &str, number: i64, wanted: impl Fn(&[u64]) -> Values) {
    for range in ranges() {
        let found = field(group, &range, number);
        let rows: Vec<u64> = range.clone().collect();
        assert_eq!(found.rows, rows.len());
        assert!(found.valid.is_empty());
        match found.values {
            // Without a row a kind can't be told from another.
            values if rows.is_empty() => assert!(values.is_empty()),
            values => assert_eq!(values, wanted(&rows), "{number}, {range:?}"),
        }
    }
}

fn ints(rows: &[u64], value: impl Fn(i64) -> i64) -> Values {
    Values::Ints(rows.iter().map(|row| value(*row as i64)).collect())
}

fn blobs(values: Values) -> Vec<Vec<u8>> {
    match values {
        Values::Blobs(blobs) => blobs.iter().map(<[u8]>::to_vec).collect(),
        other => panic!("{other:?}"),
    }
}

fn assert_blobs(group: &str, number: i64, wanted: impl Fn(u64) -> Option<Vec<u8>>) {
    for range in ranges() {
        let found = field(group, &range, number);
        let values: Vec<Option<Vec<u8>>> = range.clone().map(&wanted).collect();
        let valid: Vec<bool> = values.iter().map(Option::is_some).collect();
        if valid.contains(&false) {
            assert_eq!(found.valid, valid, "{number}, {range:?}");
        } else {
            assert!(found.valid.is_empty(), "{number}, {range:?}");
        }
        let there: Vec<Vec<u8>> = values.into_iter().flatten().collect();
        assert_eq!(blobs(found.values), there, "{number}, {range:?}");
    }
}

fn floats(row: u64, number: u64) -> Vec<u8> {
    let values = (0..number).map(|place| (row + place) as f32);
    values.flat_map(f32::to_le_bytes).collect()
}

#[test]
fn a_file_tells_its_rows_and_fields_by_its_end_alone() {
    for (group, _) in GROUPS {
        assert_eq!(opened(&sample(group)).unwrap().rows(), ROWS, "{group}");
    }
    let of = |group: &str| -> Vec<i64> { opened(&sample(group)).unwrap().fields().collect() };
    assert_eq!(of("0"), [0, 1, 100]);
    assert_eq!(of("1"), (101..=111).collect::<Vec<_>>());
    assert_eq!(of("117"), [117]);
    let keys = opened(&sample("0")).unwrap();
    assert_eq!(keys.value_bytes(), 3 * GROUP_BYTES);
    assert_eq!(keys.most(1), Some((470 << 50) + 13));
    assert_eq!(keys.most(7), None);
    assert_eq!(opened(&sample("112")).unwrap().most(112), None);
}

#[test]
fn any_rows_are_read_wherever_their_groups_begin() {
    assert_whole("0", 0, |rows| ints(rows, |row| 1000 + row));
    assert_whole("0", 1, |rows| ints(rows, |row| (470 << 50) + row / 3));
    assert_whole("0", 100, |rows| ints(rows, |row| 7 * row - 100));
}

#[test]
fn every_plain_type_is_read_as_it_was_written() {
    assert_whole("1", 101, |rows| {
        Values::Bools(rows.iter().map(|row| row % 3 == 0).collect())
    });
    assert_whole("1", 102, |rows| ints(rows, |row| row * 37 % 256 - 128));
    assert_whole("1", 103, |rows| {
        ints(rows, |row| row * 9973 % 65536 - 32768)
    });
    let sign = |row: i64| if row % 2 == 0 { 1 } else { -1 };
    assert_whole("1", 104, |rows| {
        ints(rows, |row| sign(row) * row * 50_000_000)
    });
    assert_whole("1", 105, |rows| {
        Values::Floats(rows.iter().map(|row| *row as f32 / 4.0).collect())
    });
    let all = field("1", &(0..ROWS), 106);
    let wanted = (0..ROWS).filter(|row| row % 5 != 4);
    let wanted = wanted.map(|row| -(row as f64) / 3.0).collect();
    assert_eq!(all.values, Values::Doubles(wanted));
    let wanted: Vec<bool> = (0..ROWS).map(|row| row % 5 != 4).collect();
    assert_eq!(all.valid, wanted);
}

#[test]
fn texts_documents_arrays_and_nulls_are_read_as_they_were_written() {
    assert_blobs("1", 107, |row| {
        Some(TEXTS[row as usize % 5].as_bytes().to_vec())
    });
    assert_blobs("1", 108, |row| {
        row.is_multiple_of(2)
            .then(|| format!("text {row}").into_bytes())
    });
    assert_blobs("1", 109, |row| {
        Some(format!("{{\"i\":{row}}}").into_bytes())
    });
    assert_blobs("1", 110, |row| {
        Some(match row % 4 {
            0 => vec![0x1a, 0],
            number => {
                let numbers: Vec<u8> = (0..number as u8).collect();
                [&[0x1a, number as u8 + 2, 0x0a, number as u8], &numbers[..]].concat()
            }
        })
    });
    let nothing = field("1", &(3..20), 111);
    assert_eq!(nothing.valid, [false; 17]);
    assert!(nothing.values.is_empty());
}

#[test]
fn vectors_of_every_kind_are_read_bit_by_bit() {
    let dense = |group: &str, width: usize, wanted: &dyn Fn(u64) -> Vec<u8>| {
        assert_whole(group, group.parse().unwrap(), |rows| Values::Vectors {
            width,
            bytes: rows.iter().flat_map(|row| wanted(*row)).collect(),
        });
    };
    dense("112", 16, &|row| floats(row, 4));
    dense("114", 3, &|row| vec![row as u8, 255 - row as u8, 7]);
    // Half precision: 1 is 0x3c00, 2 is 0x4000.
    let halves = field("113", &(1..2), 113).values;
    let bytes = vec![0x00, 0x3c, 0x00, 0x40];
    assert_eq!(halves, Values::Vectors { width: 4, bytes });
    assert_blobs("115", 115, |row| {
        let pairs = [(row as u32, 0.5f32), (row as u32 + 100, -(row as f32))];
        let pair = |(place, value): (u32, f32)| [place.to_le_bytes(), value.to_le_bytes()].concat();
        Some(pairs.into_iter().flat_map(pair).collect())
    });
    assert_blobs("116", 116, |row| (row % 4 != 1).then(|| floats(row, 2)));
}

#[test]
fn several_fields_are_read_at_once_and_in_the_order_asked_for() {
    let file = sample("0");
    let found = values(&file, &(5..25), &[(100, 5), (0, 5)]).unwrap();
    assert_eq!(found[0], field("0", &(5..25), 100));
    assert_eq!(found[1], field("0", &(5..25), 0));
}

#[test]
fn a_few_rows_cost_the_groups_alone_that_hold_them() {
    let file = opened(&sample("0")).unwrap();
    let bytes = |rows: Range<u64>| file.bytes_of(&rows).unwrap();
    let (first, second) = (bytes(0..1), bytes(16..32));
    assert_eq!(first, bytes(0..16));
    assert_eq!(second, bytes(20..21));
    assert!(first.end <= second.start);
    assert_eq!(bytes(15..17), first.start..second.end);
    assert_eq!(bytes(7..7).count(), 0);
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let file = sample("0");
    let absent = Err(BinlogError::NoField { field: 117 });
    assert_eq!(values(&file, &(0..1), &[(117, 5)]), absent);
    // A list is there, and not read.
    assert_eq!(values(&sample("117"), &(0..1), &[(117, 106)]), absent);
    assert!(values(&file, &(0..41), &[(0, 5)]).is_err());
    let opened = opened(&file).unwrap();
    let rows = 0..16;
    let bytes = opened.bytes_of(&rows).unwrap();
    let cut = file.slice(bytes.start as usize..bytes.end as usize - 1);
    assert!(opened.values(&cut, &rows, &[(100, 5)]).is_err());
}

#[test]
fn a_file_that_is_encrypted_or_no_such_file_is_refused_by_name() {
    let file = sample("0");
    let with_end = |end: &[u8]| [&file[..file.len() - end.len()], end].concat();
    let told = GroupedFile::footer_bytes(&with_end(b"PARE"));
    assert_eq!(told, Err(BinlogError::Encrypted));
    assert!(GroupedFile::footer_bytes(&with_end(b"ORC1")).is_err());
    assert!(GroupedFile::footer_bytes(b"PAR1").is_err());
    let huge = with_end(&[0xff, 0xff, 0xff, 0x7f, b'P', b'A', b'R', b'1']);
    assert!(opened(&huge.into()).is_err());
    // A file of one field has no ids in its schema.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let enveloped: Bytes = std::fs::read(folder.join("2.3.5-numbers-id"))
        .unwrap()
        .into();
    let told = opened(&enveloped).unwrap_err().to_string();
    assert!(told.contains("does not say whose field"), "{told}");
}

#[test]
fn a_file_that_is_cut_short_anywhere_is_refused() {
    for (group, _) in GROUPS {
        let file = sample(group);
        for length in 0..file.len() {
            assert!(opened(&file.slice(..length)).is_err(), "{group}, {length}");
        }
    }
}

proptest! {
    #[test]
    fn a_file_that_is_spoilt_is_refused_or_read_and_never_the_end(
        which in any::<prop::sample::Index>(),
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (group, _) = which.get(&GROUPS);
        let mut file = sample(group).to_vec();
        for (place, byte) in spoilt {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let file = Bytes::from(file);
        // What matters is that it comes back.
        if let Ok(opened) = opened(&file) {
            let fields: Vec<(i64, i32)> = opened.fields().map(|field| (field, 0)).collect();
            let _ = values(&file, &(0..opened.rows()), &fields);
        }
    }
}
