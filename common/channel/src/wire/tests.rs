use super::*;
use bytes::Bytes;
use model::{
    BatchIndex, Class, CollectionIndex, DataType, Fault, Incarnation, Offset, Position, Tick,
    UnitId,
};
use protocol::Hello;
use protocol::frame::{
    BatchName, Cargo, Codec, ColumnHead, Confirm, FilePiece, PartHead, PayloadKind, Piece, Place,
    SegmentFile, StepName, Verb, Whole,
};
use protocol::handshake::{PROTOCOL, Role};

fn name() -> BatchName {
    let unit = UnitId {
        collection: CollectionIndex::new(7),
        number: 8,
    };
    BatchName {
        job: "sales".parse().unwrap(),
        unit,
        index: BatchIndex::new(9).unwrap(),
    }
}

fn step() -> StepName {
    StepName {
        job: "sales".parse().unwrap(),
        collection: CollectionIndex::new(7),
        run: 3,
        number: u64::MAX,
    }
}

fn step_head(verb: Verb) -> PartHead {
    let at = |offset| Position {
        channel: "by-dev-rootcoord-dml_0_1v0".into(),
        offset,
        tick: Tick::new(u64::MAX - 1),
    };
    let in_ledger = Offset::in_ledger(u64::MAX - 1, 7, 3).unwrap();
    let whole = Whole::Step {
        name: step(),
        verb,
        reached: vec![at(Offset::new(u64::MAX)), at(in_ledger)],
    };
    let mut head = head();
    head.place.whole = whole;
    head
}

fn files_head(field: Option<i64>) -> PartHead {
    let file = SegmentFile {
        segment: i64::MAX,
        field,
        log: 3,
    };
    let piece = FilePiece {
        file,
        offset: 2 << 20,
        file_bytes: u64::MAX,
    };
    let mut head = head();
    head.place.whole = Whole::Files {
        name: name(),
        unit_batches: 3,
        cargo: 7,
        piece: field.map(|_| piece),
    };
    head
}

fn import_head() -> PartHead {
    let mut head = head();
    head.place.whole = Whole::Import {
        name: name(),
        cargo: Cargo {
            number: 7,
            files: 1,
            bytes: u64::MAX,
            rows: 3,
            is_grouped: true,
        },
    };
    head
}

pub(super) fn head() -> PartHead {
    let column = |kind, codec| ColumnHead {
        name: "price".into(),
        field_id: 101,
        data_type: DataType::new(4711),
        is_dynamic: true,
        valid: Bytes::from_static(&[1, 0]),
        kind,
        codec,
        wire_bytes: 11,
        raw_bytes: 12,
        checksum: u64::MAX - 3,
    };
    let columns = vec![
        column(PayloadKind::Scalars, Codec::Plain),
        column(PayloadKind::Vectors, Codec::Zstd),
        column(PayloadKind::Structs, Codec::Plain),
        column(PayloadKind::Absent, Codec::Plain),
        column(PayloadKind::File, Codec::Plain),
    ];
    let whole = Whole::Batch {
        name: name(),
        unit_batches: 10,
        is_again: true,
    };
    let place = Place {
        whole,
        partition: Some(String::new()),
        part: 1,
        is_last_part: true,
    };
    PartHead {
        place,
        rows: 2,
        columns,
    }
}

fn fault(class: Class) -> Fault {
    Fault::new(
        "name_taken",
        class,
        "the target has sales already",
        "choose another name",
    )
}

/// A frame of every kind.
pub(super) fn frames() -> Vec<Frame> {
    let hello = |role| Hello {
        version: PROTOCOL,
        role,
        agent: "acme".parse().unwrap(),
        software: "0.1".into(),
        incarnation: Incarnation::new(u128::MAX - 5),
        data_lanes: 4,
    };
    let classes = [
        Class::Transient,
        Class::Operator,
        Class::Permanent,
        Class::Bug,
    ];
    let mut frames = vec![
        Frame::Hello(hello(Role::Source)),
        Frame::Hello(hello(Role::Target)),
        Frame::Heartbeat,
        Frame::Call {
            id: 1,
            traceparent: "00-ab-cd-01".into(),
            body: Bytes::from_static(b"{}"),
        },
        Frame::Reply {
            id: 2,
            body: Ok(Bytes::new()),
        },
        Frame::Reply {
            id: 3,
            body: Err(fault(Class::Permanent)),
        },
        Frame::Note(Bytes::from_static(b"[]")),
        Frame::PartStart(head()),
        Frame::PartStart(PartHead {
            place: Place {
                partition: None,
                ..head().place
            },
            columns: Vec::new(),
            ..head()
        }),
        Frame::Piece(Piece {
            parts: vec![Bytes::from_static(b"abc"), Bytes::new()],
        }),
        Frame::Credit(u64::MAX),
        Frame::Confirm(Confirm::Batch {
            name: name(),
            rows: 3,
            bytes: 4,
        }),
        Frame::Confirm(Confirm::Step(step())),
    ];
    let verbs = [
        Verb::Delete,
        Verb::Upsert,
        Verb::CreatePartition,
        Verb::DropPartition,
    ];
    frames.extend([files_head(None), files_head(Some(100)), import_head()].map(Frame::PartStart));
    frames.extend(verbs.map(|verb| Frame::PartStart(step_head(verb))));
    frames.extend(classes.map(|class| Frame::Refused(fault(class))));
    frames
}

#[test]
fn every_frame_reads_back_as_it_was_written() {
    for frame in frames() {
        assert_eq!(decode(encode(frame.clone()).into()), Ok(frame));
    }
}

fn refusal(kind: Option<Kind>) -> String {
    let bytes = written::Frame { kind }.encode_to_vec();
    read_bytes(bytes.into()).unwrap_err().to_string()
}

fn head_with(change: impl FnOnce(&mut written::PartStart)) -> Option<Kind> {
    let mut written = part::write_head(head());
    change(&mut written);
    Some(Kind::PartStart(written))
}

fn name_with(change: impl FnOnce(&mut written::BatchName)) -> Option<Kind> {
    head_with(|head| {
        if let Some(written::part_start::Whole::Batch(batch)) = &mut head.whole {
            change(batch.name.as_mut().unwrap());
        }
    })
}

fn step_with(change: impl FnOnce(&mut written::Step)) -> Option<Kind> {
    let mut written = part::write_head(step_head(Verb::Upsert));
    if let Some(written::part_start::Whole::Step(step)) = &mut written.whole {
        change(step);
    }
    Some(Kind::PartStart(written))
}

#[test]
fn what_is_not_a_frame_is_refused_by_its_part() {
    let oversized = Bytes::from(vec![0; (1 << 20) + 1]);
    let cases = [
        (None, "a frame has no valid kind"),
        (
            Some(Kind::Hello(written::Hello::default())),
            "hello has no valid role",
        ),
        (
            Some(Kind::Hello(written::Hello {
                role: 1,
                ..Default::default()
            })),
            "hello has no valid incarnation",
        ),
        (
            Some(Kind::Refused(written::Fault {
                class: 99,
                ..Default::default()
            })),
            "fault has no valid class",
        ),
        (
            Some(Kind::Reply(written::Reply::default())),
            "reply has no valid outcome",
        ),
        (
            Some(Kind::Confirm(written::Confirm::default())),
            "confirmation has no valid subject",
        ),
        (
            Some(Kind::Piece(written::Piece {
                parts: vec![oversized],
            })),
            "piece: its length is 1048577",
        ),
        (
            Some(Kind::Piece(written::Piece {
                parts: vec![Bytes::new(); 5000],
            })),
            "piece: the number of parts is 5000",
        ),
        (
            head_with(|head| head.columns[0].kind = 0),
            "column has no valid payload kind",
        ),
        (
            head_with(|head| head.columns[0].codec = 77),
            "column has no valid codec",
        ),
        (
            head_with(|head| head.columns[0].raw_bytes = u64::MAX),
            "column: its raw length is 18446744073709551615",
        ),
        (
            head_with(|head| head.columns = vec![Default::default(); 5000]),
            "the number of columns is 5000",
        ),
        (name_with(|name| name.batch = 64), "64"),
        (
            name_with(|name| name.job = "../x".into()),
            "job name \"../x\"",
        ),
        (
            name_with(|name| name.job = "x".repeat(5000)),
            "batch: a name's length is 5000",
        ),
        (
            head_with(|head| head.whole = None),
            "part has no valid whole",
        ),
        (step_with(|step| step.name = None), "step has no valid name"),
        (step_with(|step| step.verb = 9), "step has no valid verb"),
        (
            step_with(|step| step.reached = vec![Default::default(); 5000]),
            "the number of channels is 5000",
        ),
    ];
    for (kind, expected) in cases {
        let refusal = refusal(kind);
        assert!(
            refusal.contains(expected),
            "{refusal:?} does not say {expected:?}"
        );
    }
}

/// A field that holds a message.
fn field(number: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encoding::encode_varint(message.len() as u64, &mut bytes);
    bytes.extend(message);
    bytes
}

/// As many empty items of a message.
fn empty(number: u8, items: usize) -> Vec<u8> {
    field(number, &[]).repeat(items)
}

#[test]
fn items_are_counted_before_a_frame_is_decoded() {
    // The second field of a part is a message: no decoder gets past this one.
    let undecodable = [2 << 3, 1];
    let parts = field(8, &empty(1, 2500));
    let cases = [
        (
            field(7, &[empty(7, 4097), undecodable.to_vec()].concat()),
            "part: the number of columns is 4097",
        ),
        (
            field(
                7,
                &[field(2, &empty(3, 1025)), undecodable.to_vec()].concat(),
            ),
            "step: the number of channels is 1025",
        ),
        // A message that is there again adds to the first.
        (
            [parts.clone(), parts].concat(),
            "piece: the number of parts is 5000",
        ),
        (
            field(7, &[empty(7, 3), vec![7 << 3 | 2, 1]].concat()),
            "its parts don't end where they should",
        ),
        (
            field(7, &[empty(7, 3), undecodable.to_vec()].concat()),
            "what came is not a frame: failed to decode",
        ),
    ];
    for (bytes, expected) in cases {
        let refusal = read_bytes(bytes.into()).unwrap_err().to_string();
        assert!(
            refusal.contains(expected),
            "{refusal:?} is not {expected:?}"
        );
    }
    let most = Frame::Piece(Piece {
        parts: vec![Bytes::new(); 4096],
    });
    assert_eq!(decode(encode(most.clone()).into()), Ok(most));
}

#[test]
fn a_fault_too_long_to_be_told_is_cut_at_a_character() {
    let long = Fault::new("bug", Class::Bug, "ü".repeat(10_000), "");
    let Ok(Frame::Refused(told)) = read(write(Frame::Refused(long))) else {
        panic!("refused")
    };
    assert!(told.message.ends_with("ü...") && told.message.len() <= 8192);
}
