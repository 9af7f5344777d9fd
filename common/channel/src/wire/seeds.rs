//! What fuzzing starts from: a frame of every kind, and one of every kind of conversation.

use super::tests::{frames, head};
use super::*;
use model::{Batch, CollectionIndex, Column, DataType, Key, Payload};
use protocol::frame::{Codec, Place};
use protocol::parcel::pack;
use protocol::{Answer, Call, Note};
use std::collections::BTreeMap;
use std::path::Path;

/// Set it to have the seeds written anew.
const WRITE: &str = "PASSAGE_WRITE_SEEDS";

fn kind(frame: &Frame) -> &'static str {
    match frame {
        Frame::Hello(_) => "hello",
        Frame::Refused(_) => "refused",
        Frame::Heartbeat => "heartbeat",
        Frame::Call { .. } => "call",
        Frame::Reply { .. } => "reply",
        Frame::Note(_) => "note",
        Frame::PartStart(_) => "part-start",
        Frame::Piece(_) => "piece",
        Frame::Credit(_) => "credit",
        Frame::Confirm(_) => "confirm",
    }
}

fn conversation() -> Vec<Frame> {
    let (job, index) = ("sales".parse().unwrap(), CollectionIndex::new(7));
    let call = |call: Call| Frame::Call {
        id: 1,
        traceparent: String::new(),
        body: serde_json::to_vec(&call).unwrap().into(),
    };
    let reply = |answer: Answer| Frame::Reply {
        id: 1,
        body: Ok(serde_json::to_vec(&answer).unwrap().into()),
    };
    let keys = vec![Key::Int64(-1), Key::VarChar("\"k\"".into())];
    let recheck = Call::RecheckKeys {
        job,
        index,
        partition: Some(String::new()),
        keys: keys.clone(),
    };
    let verified = Note::Verified {
        job: "sales".parse().unwrap(),
        index,
        rows: u64::MAX,
    };
    vec![
        call(recheck),
        call(Call::RequestCancel("sales".parse().unwrap())),
        reply(Answer::Done),
        reply(Answer::Differing(keys)),
        Frame::Note(serde_json::to_vec(&verified).unwrap().into()),
    ]
}

/// What zstd makes of a few bytes that it does not compress, whatever its version: a frame of one block that is stored.
fn stored(raw: &[u8]) -> Bytes {
    let length = u8::try_from(raw.len()).unwrap();
    let [low, high, ..] = (u32::from(length) << 3 | 1).to_le_bytes();
    let head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, length, low, high, 0];
    [&head, raw].concat().into()
}

/// The frames of a part of a batch, each behind its length.
fn part() -> Vec<u8> {
    let column = |payload| Column {
        name: "price".into(),
        field_id: 101,
        data_type: DataType::JSON,
        is_dynamic: false,
        valid: Bytes::new(),
        payload,
    };
    let text = Bytes::from_static(br#"{"price": 12.5}"#);
    let batch = Batch {
        rows: 2,
        columns: vec![
            column(Payload::Scalars(text)),
            column(Payload::Vectors(Bytes::from_static(&[1; 16]))),
        ],
    };
    let place = Place {
        part: 0,
        ..head().place
    };
    let frames = pack(place, batch, |column| match &column.payload {
        Payload::Scalars(raw) => (Codec::Zstd, stored(raw)),
        other => (Codec::Plain, other.bytes()),
    });
    let written = frames.into_iter().map(encode).flat_map(|frame| {
        let length = u16::try_from(frame.len()).unwrap().to_le_bytes();
        [length.to_vec(), frame].concat()
    });
    written.collect()
}

/// A part's head with more columns than are read, and nothing in them.
fn too_many_columns() -> Vec<u8> {
    let columns = vec![written::ColumnHead::default(); 5000];
    let head = written::PartStart {
        columns,
        ..Default::default()
    };
    let kind = Some(Kind::PartStart(head));
    written::Frame { kind }.encode_to_vec()
}

fn seeds() -> BTreeMap<String, Vec<u8>> {
    let all = frames().into_iter().chain(conversation()).enumerate();
    let mut seeds: BTreeMap<_, _> = all
        .map(|(number, frame)| {
            let name = format!("frames/{number:02}-{}", kind(&frame));
            (name, encode(frame))
        })
        .collect();
    seeds.insert("frames/too-many-columns".into(), too_many_columns());
    seeds.insert("parts/two-columns".into(), part());
    seeds
}

#[test]
fn the_fuzzer_is_seeded_with_every_frame_as_it_is_written_today() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, seed) in seeds() {
        let path = corpus.join(&name);
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &seed).unwrap();
        }
        let kept = std::fs::read(&path).ok();
        assert!(kept == Some(seed), "{name} is another: set {WRITE} once");
    }
}
