//! Claims on files that Milvus 2.2.16 and 2.3.5 wrote (`samples/make.py` tells what is in them), and on the same files spoilt.

use crate::{BinlogError, Delete, FieldLog, Values, read_deletes, read_field};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use bytes::Bytes;
use model::{Key, Tick};
use proptest::prelude::*;
use std::path::Path;
use std::sync::{Arc, LazyLock};

const VERSIONS: [&str; 2] = ["2.2.16", "2.3.5"];

const TEXTS: [&str; 5] = [
    "",
    "a",
    "two words",
    "\u{fc}\u{1F600}",
    "line\nbreak \"quoted\" \\",
];

fn sample(name: &str) -> Bytes {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    std::fs::read(folder.join(name)).unwrap().into()
}

static SAMPLES: LazyLock<Vec<(String, Bytes)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("2.")).collect();
    names.sort();
    assert!(names.len() > 30, "{names:?}");
    let with_bytes = |name: String| (name.clone(), sample(&name));
    names.into_iter().map(with_bytes).collect()
});

/// Where the first event begins.
fn end_of_descriptor(file: &[u8]) -> usize {
    4 + i32::from_le_bytes(file[13..17].try_into().unwrap()) as usize
}

fn field(name: &str) -> FieldLog {
    let log = read_field(&sample(name)).unwrap();
    assert_eq!((log.rows, log.values.len()), (5, 5), "{name}");
    assert!(log.valid.is_empty(), "{name}");
    log
}

fn texts(values: &Values) -> Vec<Vec<u8>> {
    match values {
        Values::Blobs(blobs) => blobs.iter().map(<[u8]>::to_vec).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_those_that_were_written() {
    for version in VERSIONS {
        let values = |name| field(&format!("{version}-numbers-{name}")).values;
        assert_eq!(values("id"), Values::Ints(vec![0, 1, 2, 3, 4]));
        assert_eq!(
            values("a_bool"),
            Values::Bools(vec![true, false, true, false, true])
        );
        let ends = |least, most| Values::Ints(vec![least, -1, 0, 1, most]);
        assert_eq!(values("an_int8"), ends(-128, 127));
        assert_eq!(values("an_int16"), ends(-32768, 32767));
        assert_eq!(values("an_int32"), ends(i32::MIN.into(), i32::MAX.into()));
        assert_eq!(values("an_int64"), ends(i64::MIN, i64::MAX));
        let Values::Floats(floats) = values("a_float") else {
            panic!()
        };
        assert_eq!(
            floats
                .iter()
                .map(|float| float.to_bits())
                .collect::<Vec<_>>(),
            [-0.0, 0.5, 1e-45, 3e38, -1.25f32].map(f32::to_bits)
        );
        let Values::Doubles(doubles) = values("a_double") else {
            panic!()
        };
        assert_eq!(
            doubles
                .iter()
                .map(|double| double.to_bits())
                .collect::<Vec<_>>(),
            [-0.0, 0.5, 5e-324, 1e308, -1.25f64].map(f64::to_bits)
        );
    }
}

#[test]
fn texts_documents_and_arrays_are_those_that_were_written() {
    for version in VERSIONS {
        let values = |name| texts(&field(&format!("{version}-{name}")).values);
        assert_eq!(
            values("numbers-a_text"),
            TEXTS.map(|text| text.as_bytes().to_vec())
        );
        let keys: Vec<_> = (0..5).map(|i| format!("key {i}").into_bytes()).collect();
        assert_eq!(values("texts-id"), keys);
        for (i, document) in values("numbers-a_document").iter().enumerate() {
            let document: serde_json::Value = serde_json::from_slice(document).unwrap();
            assert_eq!(document, serde_json::json!({ "i": i }));
        }
    }
    // A message with the numbers from 0 in its member 3, packed.
    let arrays = texts(&field("2.3.5-numbers-an_array").values);
    assert_eq!(arrays[3], [0x1a, 5, 0x0a, 3, 0, 1, 2]);
}

#[test]
fn vectors_are_those_that_were_written_bit_by_bit() {
    for version in VERSIONS {
        let wanted = (0..5).flat_map(|i| (0..4).map(move |j| i as f32 + j as f32 / 4.0));
        let bytes = wanted.flat_map(f32::to_le_bytes).collect();
        assert_eq!(
            field(&format!("{version}-numbers-vector")).values,
            Values::Vectors { width: 16, bytes }
        );
        let bytes = (0..5).flat_map(|i| [i, 255 - i]).collect();
        assert_eq!(
            field(&format!("{version}-texts-vector")).values,
            Values::Vectors { width: 2, bytes }
        );
    }
}

#[test]
fn a_file_tells_whose_it_is_and_of_which_times() {
    for version in VERSIONS {
        let times = field(&format!("{version}-numbers-time"));
        let Values::Ints(ticks) = &times.values else {
            panic!()
        };
        let (first, last) = (ticks.iter().min().unwrap(), ticks.iter().max().unwrap());
        let told = (times.descriptor.from.number(), times.descriptor.to.number());
        assert_eq!(told, (first.cast_unsigned(), last.cast_unsigned()));
        let (time, id) = (
            times.descriptor,
            field(&format!("{version}-numbers-id")).descriptor,
        );
        assert_eq!((time.field, id.field), (1, 100));
        assert_eq!((time.data_type, id.data_type), (5, 5));
        assert_eq!(time.segment, id.segment);
        assert_eq!(
            (time.collection, time.partition),
            (id.collection, id.partition)
        );
    }
}

fn numbers(keys: [i64; 2]) -> Vec<Key> {
    keys.map(Key::Int64).into()
}

fn keys(deletes: Vec<Delete>) -> Vec<Key> {
    deletes.into_iter().map(|delete| delete.key).collect()
}

#[test]
fn deletes_are_those_that_were_written_and_younger_than_their_rows() {
    for version in VERSIONS {
        let deletes = read_deletes(&sample(&format!("{version}-numbers-deletes"))).unwrap();
        let rows = field(&format!("{version}-numbers-time")).descriptor;
        assert!(deletes.iter().all(|delete| delete.tick > rows.to));
        assert_eq!(keys(deletes), numbers([1, 3]));
        let deletes = read_deletes(&sample(&format!("{version}-texts-deletes"))).unwrap();
        let wanted = ["key 1", "key 3"].map(|key| Key::VarChar(key.into()));
        assert_eq!(keys(deletes), wanted);
    }
}

fn written(schema: &str, write: impl Fn(&mut SerializedRowGroupWriter<'_, Vec<u8>>)) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    write(&mut group);
    group.close().unwrap();
    writer.into_inner().unwrap()
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<T>()
        .write_batch(values, levels, None)
        .unwrap();
    column.close().unwrap();
}

/// An envelope as Milvus writes it around Parquet, by a sample's descriptor with these notes.
fn enveloped(kind: i8, data_type: i32, notes: &str, parquet: &[u8]) -> Bytes {
    let mut descriptor = sample("2.3.5-numbers-id")[21..73].to_vec();
    descriptor[48..].copy_from_slice(&data_type.to_le_bytes());
    descriptor.extend([16; 8]);
    descriptor.extend((notes.len() as i32).to_le_bytes());
    descriptor.extend(notes.as_bytes());
    let mut file = 0x00FF_FABCu32.to_le_bytes().to_vec();
    let mut event = |kind: i8, body: &[u8]| {
        file.extend([0; 8]);
        file.extend(kind.to_le_bytes());
        file.extend((body.len() as i32 + 17).to_le_bytes());
        file.extend([0; 4]);
        file.extend(body);
    };
    event(0, &descriptor);
    event(kind, &[&[0; 16], parquet].concat());
    file.into()
}

/// Written here after Milvus's source: no server here writes them.
#[test]
fn deletes_of_later_versions_are_read_too() {
    let numeric = written(
        "message m { required int64 pk; required int64 ts; }",
        |group| {
            put::<Int64Type>(group, &[7, -8], None);
            put::<Int64Type>(group, &[70, 80], None);
        },
    );
    let wanted = |keys: Vec<Key>| -> Vec<Delete> {
        let ticks = [70, 80].map(Tick::new);
        let deletes = keys.into_iter().zip(ticks);
        deletes.map(|(key, tick)| Delete { key, tick }).collect()
    };
    let notes = r#"{"original_size":"9","version":"MULTI_FIELD","later":[1]}"#;
    let file = enveloped(2, 20, notes, &numeric);
    assert_eq!(read_deletes(&file), Ok(wanted(numbers([7, -8]))));
    assert_eq!(read_deletes(&numeric.into()), Ok(wanted(numbers([7, -8]))));
    let text = written(
        "message m { required binary 0 (UTF8); required int64 1; }",
        |group| {
            put::<ByteArrayType>(group, &[ByteArray::from("x"), ByteArray::from("")], None);
            put::<Int64Type>(group, &[70, 80], None);
        },
    );
    let keys = ["x", ""].map(|key| Key::VarChar(key.into())).into();
    assert_eq!(read_deletes(&text.into()), Ok(wanted(keys)));
    let old = written("message m { required binary val (UTF8); }", |group| {
        put::<ByteArrayType>(
            group,
            &[ByteArray::from("7,70"), ByteArray::from("-8,80")],
            None,
        );
    });
    let file = enveloped(2, 20, "{}", &old);
    assert_eq!(read_deletes(&file), Ok(wanted(numbers([7, -8]))));
}

#[test]
fn nulls_are_told_from_values() {
    let parquet = written("message m { optional int64 val; }", |group| {
        put::<Int64Type>(group, &[7, 8], Some(&[1, 0, 0, 1]));
    });
    let log = read_field(&enveloped(1, 5, r#"{"nullable":true}"#, &parquet)).unwrap();
    assert_eq!(log.rows, 4);
    assert_eq!(log.valid, [true, false, false, true]);
    assert_eq!(log.values, Values::Ints(vec![7, 8]));
}

#[test]
fn what_is_no_such_file_is_refused_by_name() {
    let rows = sample("2.3.5-numbers-id");
    let deletes = sample("2.3.5-numbers-deletes");
    assert_eq!(
        read_field(&Bytes::from_static(b"PAR1 and more"))
            .unwrap_err()
            .to_string(),
        "the file is no binlog of Milvus: it begins with 5041523120616e64"
    );
    assert!(matches!(
        read_field(&deletes),
        Err(BinlogError::UnknownEvent { kind: 2, .. })
    ));
    assert!(matches!(
        read_deletes(&rows),
        Err(BinlogError::UnknownEvent { kind: 1, .. })
    ));
    let (mut later, at) = (rows.to_vec(), end_of_descriptor(&rows));
    later[at + 8] = 9;
    assert_eq!(
        read_field(&later.into()),
        Err(BinlogError::UnknownEvent { kind: 9, at })
    );
    let encrypted = enveloped(1, 5, r#"{"edek":"k","encryption_zone":"1"}"#, b"");
    assert_eq!(read_field(&encrypted), Err(BinlogError::Encrypted));
    let nested = written(
        "message m { required int64 a; required int64 b; }",
        |group| {
            put::<Int64Type>(group, &[1], None);
            put::<Int64Type>(group, &[1], None);
        },
    );
    assert!(matches!(
        read_field(&enveloped(1, 5, "{}", &nested)),
        Err(BinlogError::UnknownValues { data_type: 5, .. })
    ));
}

#[test]
fn a_file_that_is_cut_short_anywhere_is_refused() {
    for (name, file) in SAMPLES.iter() {
        let is_of_deletes = name.ends_with("deletes");
        let whole = if is_of_deletes {
            read_deletes(file).map(|deletes| deletes.len())
        } else {
            read_field(file).map(|log| log.rows)
        };
        assert!(whole.is_ok_and(|rows| rows > 0), "{name}");
        // Without any event it is a sound file of no rows: its list of files knows better.
        let descriptor = end_of_descriptor(file);
        for length in (0..file.len()).filter(|length| *length != descriptor) {
            let cut = file.slice(..length);
            let refused = if is_of_deletes {
                read_deletes(&cut).is_err()
            } else {
                read_field(&cut).is_err()
            };
            assert!(refused, "{name}, {length} bytes");
        }
    }
}

/// A column of one value in a dictionary, and of as many rows of it.
fn repeated(text: &[u8], rows: usize) -> Bytes {
    let parquet = written("message m { required binary val; }", |group| {
        let text = ByteArray::from(text.to_vec());
        put::<ByteArrayType>(group, &vec![text; rows], None);
    });
    assert!(parquet.len() < 3 * text.len(), "no dictionary was used");
    enveloped(1, 21, "{}", &parquet)
}

#[test]
fn what_is_made_of_a_file_has_a_bound_whatever_it_unpacks_to() {
    let text = vec![b'x'; 200_000];
    let few = read_field(&repeated(&text, 100)).unwrap();
    assert_eq!(texts(&few.values), vec![text.clone(); 100]);
    assert_eq!(
        read_field(&repeated(&text, 2000)).unwrap_err().to_string(),
        "the values of the file take more than 268435456 bytes"
    );
}

proptest! {
    #[test]
    fn a_file_that_is_spoilt_is_refused_or_read_and_never_the_end(
        which in any::<prop::sample::Index>(),
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (_, file) = which.get(&SAMPLES);
        let mut file = file.to_vec();
        for (place, byte) in spoilt {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let file = Bytes::from(file);
        // What matters is that both come back.
        let (_, _) = (read_field(&file), read_deletes(&file));
    }
}

#[test]
fn deletes_that_are_written_are_read_again_and_look_as_milvus_writes_them() {
    let delete = |key: Key, tick: u64| Delete {
        key,
        tick: Tick::new(tick),
    };
    let written = [
        delete(Key::Int64(i64::MIN), 470_591_529_058_304_006),
        delete(Key::VarChar("\"quoted\"\n\u{1F600}".into()), 7),
    ];
    let owner = crate::Owner {
        collection: 1,
        partition: 2,
        segment: 3,
    };
    let file = crate::write_deletes(owner, &written).unwrap();
    assert_eq!(read_deletes(&file).unwrap(), written);
    let milvus = sample("2.3.5-numbers-deletes");
    let begin = |file: &Bytes| {
        (
            file[..4].to_vec(),
            file[12],
            file[end_of_descriptor(file) + 8],
        )
    };
    assert_eq!(begin(&file), begin(&milvus));
}
