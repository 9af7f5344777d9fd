//! The payloads were taken from the logs of real servers: 2.3.5 over NATS and rocksmq, 2.2.16 over rocksmq.

use super::*;
use crate::columns::samples;
use crate::{ColumnReader, keys};
use model::{Batch, DataType, Key, Payload};
use proptest::prelude::*;
use proto::milvus::common::MsgBase;
use proto::milvus::schema::field_data::Field as Member;
use proto::milvus::schema::i_ds::IdField;
use proto::milvus::schema::{FieldData, IDs, LongArray};

macro_rules! captured {
    ($name:literal) => {
        Bytes::from_static(include_bytes!(concat!("testdata/", $name, ".bin")))
    };
}

fn of_collection(payload: &Bytes) -> OfCollection {
    match decode(payload).unwrap() {
        LogMessage::OfCollection(message) => message,
        LogMessage::TimeTick(tick) => panic!("a tick: {tick}"),
    }
}

fn one_change(payload: &Bytes) -> (Tick, ChangeKind) {
    let changes = of_collection(payload).changes().unwrap();
    assert_eq!(changes.len(), 1);
    changes.into_iter().next().unwrap()
}

fn one_insert(payload: &Bytes) -> (u64, String, Batch) {
    match one_change(payload) {
        (tick, ChangeKind::Insert { partition, batch }) => (tick.number(), partition, batch),
        other => panic!("{other:?}"),
    }
}

fn one_delete(payload: &Bytes) -> (u64, Option<String>, Vec<Key>) {
    match one_change(payload) {
        (tick, ChangeKind::Delete { partition, keys }) => (tick.number(), partition, keys),
        other => panic!("{other:?}"),
    }
}

fn cells(batch: &Batch, name: &str) -> Vec<String> {
    let reader = ColumnReader::new(batch.column(name).unwrap(), batch.rows).unwrap();
    (0..reader.rows())
        .map(|row| format!("{:?}", reader.cell(row).unwrap()))
        .collect()
}

fn cause(payload: &Bytes) -> Cause {
    let error = match decode(payload) {
        Ok(LogMessage::OfCollection(message)) => message.changes().unwrap_err(),
        Ok(LogMessage::TimeTick(tick)) => panic!("a tick: {tick}"),
        Err(error) => error,
    };
    error.cause().clone()
}

fn texts(names: &[&str]) -> Vec<Key> {
    names
        .iter()
        .map(|name| Key::VarChar((*name).to_owned()))
        .collect()
}

#[test]
fn ticks_are_read() {
    let ticks = [
        (captured!("tick-2.2.16"), 470_602_918_426_312_705),
        (captured!("tick-2.3.5"), 470_602_917_726_912_513),
        (captured!("tick-rocksmq-2.3.5"), 470_603_026_760_728_633),
    ];
    for (payload, tick) in ticks {
        assert_eq!(
            decode(&payload),
            Ok(LogMessage::TimeTick(Tick::new(tick))),
            "{payload:?}"
        );
    }
}

#[test]
fn an_insert_has_the_columns_that_a_query_answers() {
    let payload = captured!("insert-of-every-type-2.3.5");
    let message = of_collection(&payload);
    assert_eq!(message.collection_id(), 470_602_907_077_050_577);
    let channel = "by-dev-rootcoord-dml_0_470602907077050577v0";
    assert_eq!(message.channel(), Some(channel));
    let (tick, partition, batch) = one_insert(&payload);
    assert_eq!(tick, 470_602_917_687_590_934);
    assert_eq!((partition.as_str(), batch.rows), ("_default", 3));
    let names: Vec<_> = batch.columns.iter().map(|c| c.name.as_str()).collect();
    let expected = [
        "title", "flag", "small", "n32", "f", "d", "j", "tags", "words", "v", "$meta", "id",
    ];
    assert_eq!(names, expected);
    let first = Key::Int64(470_602_907_077_050_587);
    assert_eq!(keys(&batch, "id").unwrap()[0], first);
    let dynamic = batch.column("$meta").unwrap();
    assert!(dynamic.is_dynamic);
    assert_eq!((dynamic.field_id, dynamic.data_type), (111, DataType::JSON));
}

#[test]
fn the_values_of_an_insert_are_those_that_were_written() {
    let (_, _, batch) = one_insert(&captured!("insert-of-every-type-2.3.5"));
    let expected = [
        ("title", r#"Text("t1")"#),
        ("flag", "Bool(false)"),
        ("small", "Int(0)"),
        ("n32", "Int(-1)"),
        ("f", "Float(0.5)"),
        ("d", "Double(-0.3333333333333333)"),
        ("tags", "Array([])"),
        ("words", r#"Array([Text("a"), Text("b")])"#),
    ];
    for (name, value) in expected {
        assert_eq!(cells(&batch, name)[1], value, "{name}");
    }
    let vectors = batch.column("v").unwrap();
    assert_eq!(vectors.data_type, DataType::FLOAT_VECTOR);
    let floats = [0.0, 1.0, 2.0, 3.5, 1.0, 1.0, 2.0, 3.5, 2.0, 1.0, 2.0, 3.5];
    let body = samples::inside(1, &samples::floats(&floats));
    assert_eq!(
        vectors.payload,
        Payload::Vectors(samples::vectors(2, 4, &body))
    );
}

#[test]
fn an_upsert_has_the_time_of_its_rows_where_its_base_has_none() {
    let (inserted, partition, batch) = one_insert(&captured!("upsert-insert-2.3.5"));
    let (deleted, deleted_from, deleted_keys) = one_delete(&captured!("upsert-delete-2.3.5"));
    assert_eq!(
        (inserted, deleted),
        (470_602_917_700_698_137, 470_602_917_700_698_137)
    );
    assert_eq!(partition, "_default");
    assert_eq!(deleted_from.as_deref(), Some("_default"));
    assert_eq!(deleted_keys, texts(&["key-0", "key-1", "key-2", "key-3"]));
    assert_eq!(keys(&batch, "k").unwrap(), deleted_keys);
}

#[test]
fn rocksmqs_additions_to_the_base_do_not_matter() {
    let (tick, partition, batch) = one_insert(&captured!("insert-rocksmq-2.3.5"));
    assert_eq!(
        (tick, partition.as_str(), batch.rows),
        (470_603_026_747_359_250, "p1", 1)
    );
    let (_, partition, deleted) = one_delete(&captured!("delete-rocksmq-2.3.5"));
    assert_eq!((partition, deleted), (None, texts(&["nope"])));
}

#[test]
fn a_delete_names_its_partition_or_none() {
    let (_, partition, deleted) = one_delete(&captured!("delete-in-partition-2.3.5"));
    assert_eq!(partition.as_deref(), Some("p1"));
    assert_eq!(deleted, [Key::Int64(470_602_907_077_050_591)]);
    let (tick, partition, deleted) = one_delete(&captured!("delete-2.3.5"));
    assert_eq!((tick, partition), (470_602_917_700_698_118, None));
    assert_eq!(deleted.len(), 2);
}

#[test]
fn deletes_of_2_2_tell_the_collection_but_no_channel() {
    let payload = captured!("delete-2.2.16");
    let message = of_collection(&payload);
    assert_eq!(
        (message.collection_id(), message.channel()),
        (470_602_907_807_583_781, None)
    );
    let (tick, partition, deleted) = one_delete(&payload);
    assert_eq!((tick, partition), (470_602_918_413_205_539, None));
    assert_eq!(deleted, texts(&["key-4", "key-5"]));
    let (_, partition, _) = one_delete(&captured!("delete-in-partition-2.2.16"));
    assert_eq!(partition.as_deref(), Some("p1"));
}

#[test]
fn inserts_of_2_2_tell_their_channel() {
    let payload = captured!("insert-2.2.16");
    let channel = "by-dev-rootcoord-dml_0_470602907807383761v0";
    assert_eq!(of_collection(&payload).channel(), Some(channel));
    let (tick, _, batch) = one_insert(&payload);
    assert_eq!((tick, batch.rows), (470_602_918_413_205_511, 3));
    assert_eq!(batch.columns.len(), 8);
}

#[test]
fn drops_are_changes_and_a_creation_is_none() {
    let created = of_collection(&captured!("create-collection-2.3.5"));
    assert_eq!(created.collection_id(), 470_602_907_077_250_620);
    assert_eq!(created.changes(), Ok(vec![]));
    assert_eq!(created.tick(), Tick::new(470_602_917_713_805_326));
    for payload in [
        captured!("drop-collection-2.2.16"),
        captured!("drop-collection-2.3.5"),
    ] {
        assert_eq!(one_change(&payload).1, ChangeKind::DropCollection);
    }
    let partition = || "gone".to_owned();
    let dropped = ChangeKind::DropPartition {
        partition: partition(),
    };
    for payload in [
        captured!("drop-partition-2.2.16"),
        captured!("drop-partition-2.3.5"),
    ] {
        assert_eq!(one_change(&payload).1, dropped);
        let created = retyped(&payload, CREATE_PARTITION);
        let kind = ChangeKind::CreatePartition {
            partition: partition(),
        };
        assert_eq!(one_change(&created).1, kind);
    }
}

/// A message of this type; of two bases, protobuf merges the later into the earlier.
fn retyped(payload: &Bytes, message_type: i32) -> Bytes {
    let base = MsgBase {
        msg_type: message_type,
        timestamp: 0,
    };
    let header = msg::MsgHeader { base: Some(base) };
    [payload.to_vec(), header.encode_to_vec()].concat().into()
}

#[test]
fn what_is_not_understood_is_an_error_that_shows_where_it_begins() {
    let payload = retyped(&captured!("delete-2.3.5"), 402);
    let error = decode(&payload).unwrap_err();
    assert_eq!(error.cause(), &Cause::UnknownType);
    let text = error.to_string();
    assert!(text.contains("type 402"), "{text}");
    assert!(text.contains("beginning with 0a1908910310"), "{text}");
    assert_eq!(
        cause(&Bytes::from_static(b"\xff\xff\xff")),
        Cause::Malformed
    );
    assert_eq!(cause(&Bytes::new()), Cause::UnknownType);
    let import = retyped(&Bytes::from_static(&[0x20, 7]), IMPORT);
    assert_eq!(of_collection(&import).collection_id(), 7);
    assert_eq!(cause(&import), Cause::Imported);
}

fn encoded(message_type: i32, body: &impl Message) -> Bytes {
    retyped(&body.encode_to_vec().into(), message_type)
}

fn insert_of(times: &[u64]) -> msg::InsertRequest {
    let numbers: Vec<i64> = (0..).take(times.len()).collect();
    msg::InsertRequest {
        partition_name: "p".to_owned(),
        timestamps: times.to_vec(),
        fields_data: vec![FieldData {
            r#type: 5,
            field_name: "pk".to_owned(),
            field: Some(Member::Scalars(samples::varints(3, &numbers))),
            ..FieldData::default()
        }],
        num_rows: times.len() as u64,
        version: 1,
    }
}

fn delete_of(times: &[u64]) -> msg::DeleteRequest {
    let data = (0..).take(times.len()).collect();
    msg::DeleteRequest {
        timestamps: times.to_vec(),
        num_rows: i64::try_from(times.len()).unwrap(),
        primary_keys: Some(IDs {
            id_field: Some(IdField::IntId(LongArray { data })),
        }),
        ..msg::DeleteRequest::default()
    }
}

#[test]
fn keys_in_their_older_place_are_found() {
    let older = msg::DeleteRequest {
        int64_primary_keys: vec![0, 1],
        primary_keys: None,
        ..delete_of(&[5, 5])
    };
    let (_, _, deleted) = one_delete(&encoded(DELETE, &older));
    assert_eq!(deleted, [Key::Int64(0), Key::Int64(1)]);
}

#[test]
fn what_would_lose_rows_is_refused() {
    let by_row = msg::InsertRequest {
        version: 0,
        ..insert_of(&[5])
    };
    let refused = Cause::RowBased { version: 0 };
    assert_eq!(cause(&encoded(INSERT, &by_row)), refused);
    assert_eq!(cause(&encoded(INSERT, &insert_of(&[5, 0]))), Cause::NoTime);
    assert_eq!(cause(&encoded(DELETE, &delete_of(&[0]))), Cause::NoTime);
    let nameless = msg::InsertRequest {
        partition_name: String::new(),
        ..insert_of(&[5])
    };
    assert_eq!(cause(&encoded(INSERT, &nameless)), Cause::NoName);
    let mut short = insert_of(&[5, 5, 5]);
    short.fields_data = insert_of(&[5, 5]).fields_data;
    let found = cause(&encoded(INSERT, &short));
    assert!(matches!(found, Cause::Column { .. }), "{found:?}");
    for without in [insert_of(&[]), {
        let mut empty = insert_of(&[5]);
        empty.fields_data.clear();
        empty
    }] {
        let found = cause(&encoded(INSERT, &without));
        assert!(matches!(found, Cause::Rows { .. }), "{found:?}");
    }
    let mut fewer = delete_of(&[5, 5]);
    fewer.primary_keys = delete_of(&[5]).primary_keys;
    let found = cause(&encoded(DELETE, &fewer));
    assert!(matches!(found, Cause::Rows { .. }), "{found:?}");
    let found = cause(&encoded(DELETE, &delete_of(&[])));
    assert!(matches!(found, Cause::Rows { .. }), "{found:?}");
}

#[test]
fn nulls_stay_nulls() {
    let mut insert = insert_of(&[5, 5, 5]);
    let full = FieldData {
        r#type: 21,
        field_name: "text".to_owned(),
        field: Some(Member::Scalars(samples::blobs(6, &[b"a", b"", b"c"]))),
        valid_data: Bytes::from_static(&[1, 0, 1]),
        ..FieldData::default()
    };
    let packed = FieldData {
        field_name: "packed".to_owned(),
        field: Some(Member::Scalars(samples::blobs(6, &[b"a", b"c"]))),
        ..full.clone()
    };
    insert.fields_data.extend([full, packed]);
    let (_, _, batch) = one_insert(&encoded(INSERT, &insert));
    for name in ["text", "packed"] {
        let expected = [r#"Text("a")"#, "Null", r#"Text("c")"#];
        assert_eq!(cells(&batch, name), expected);
    }
}

proptest! {
    #[test]
    fn rows_of_different_times_become_changes_of_their_own(times in proptest::collection::vec(1u64..4, 1..9)) {
        let mut inserted = Vec::new();
        for (tick, kind) in of_collection(&encoded(INSERT, &insert_of(&times))).changes().unwrap() {
            let ChangeKind::Insert { batch, .. } = kind else { panic!("an insert") };
            inserted.extend(keys(&batch, "pk").unwrap().into_iter().map(|key| (tick, key)));
        }
        let mut deleted = Vec::new();
        for (tick, kind) in of_collection(&encoded(DELETE, &delete_of(&times))).changes().unwrap() {
            let ChangeKind::Delete { keys, .. } = kind else { panic!("a delete") };
            deleted.extend(keys.into_iter().map(|key| (tick, key)));
        }
        let expected: Vec<_> = times.iter().zip(0..).map(|(time, key)| (Tick::new(*time), Key::Int64(key))).collect();
        prop_assert_eq!(&inserted, &expected);
        prop_assert_eq!(&deleted, &expected);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64), message_type in prop_oneof![Just(INSERT), Just(DELETE), Just(DROP_PARTITION), Just(TIME_TICK)]) {
        if let Ok(LogMessage::OfCollection(message)) = decode(&retyped(&bytes.into(), message_type)) {
            message.changes().ok();
        }
    }
}
