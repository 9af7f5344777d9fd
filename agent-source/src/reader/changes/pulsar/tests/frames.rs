//! Frames, byte for byte.

use super::super::entry::{self, EntryId, Unreadable};
use super::super::frame::{self, Malformed, Said};
use super::wire;
use bytes::Bytes;
use model::Offset;
use proptest::prelude::*;
use proto::pulsar::base_command::Body;
use proto::pulsar::{Connect, Flow, Ping};

#[test]
fn commands_are_written_as_pulsar_documents_them() {
    let ping = [0, 0, 0, 9, 0, 0, 0, 5, 0x08, 18, 0x92, 0x01, 0];
    assert_eq!(frame::encode(Body::Ping(Ping {})), ping);
    let flow = Body::Flow(Flow {
        consumer_id: 1,
        message_permits: 16,
    });
    let expected = [
        0, 0, 0, 12, 0, 0, 0, 8, 0x08, 11, 0x5a, 4, 0x08, 1, 0x10, 16,
    ];
    assert_eq!(frame::encode(flow), expected);
    let connect = Body::Connect(Connect {
        client_version: "Passage".to_owned(),
        auth_data: Some(Bytes::from_static(b"canary")),
        protocol_version: Some(15),
        auth_method_name: Some("token".to_owned()),
        proxy_to_broker_url: None,
    });
    let body = b"\x0a\x07Passage\x1a\x06canary\x20\x0f\x2a\x05token";
    assert_eq!(frame::encode(connect), wire::command(2, body));
}

#[test]
fn a_message_is_read_from_the_bytes_that_pulsar_documents() {
    // Metadata: producer "m" (1), sequence 2 (2), time 3 (3). The checksum is of all behind it.
    let stored = b"\x00\x00\x00\x07\x0a\x01m\x10\x02\x18\x03row";
    let checksum = wire::crc32c(stored).to_be_bytes();
    // Type 9; field 9: consumer 1 (1), message id (2): ledger 300 (1), entry 4 (2).
    let command = b"\x08\x09\x4a\x09\x08\x01\x12\x05\x08\xac\x02\x10\x04";
    let frame = [
        &[0, 0, 0, 37, 0, 0, 0, 13][..],
        command,
        &[0x0e, 0x01],
        &checksum,
        stored,
    ]
    .concat();
    assert_eq!(frame::length(&frame, 100), Ok(Some(frame.len())));
    let Ok(Said::Entry(entry)) = frame::decode(frame.into()) else {
        panic!("no entry");
    };
    let id = EntryId::of(&entry.command.message_id).unwrap();
    assert_eq!(id.to_string(), "300:4");
    assert_eq!(entry.metadata.producer_name, "m");
    let messages = entry::messages(id, &entry).unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].offset, Offset::in_ledger(300, 4, 0).unwrap());
    assert_eq!(&*messages[0].payload, b"row");
}

#[test]
fn the_checksum_is_crc_32c() {
    let vector = b"123456789";
    assert_eq!(
        (wire::crc32c(vector), crc32c::crc32c(vector)),
        (0xe306_9283, 0xe306_9283)
    );
}

fn decoded(stored: &[u8]) -> Result<usize, Unreadable> {
    let frame = wire::delivery((7, 1), stored, 0);
    let Ok(Said::Entry(entry)) = frame::decode(frame.into()) else {
        panic!("no entry");
    };
    let id = EntryId {
        ledger: 7,
        entry: 1,
    };
    entry::messages(id, &entry).map(|messages| messages.len())
}

#[test]
fn what_milvus_does_not_write_is_named() {
    let compressed =
        |kind| wire::entry(b"x", &[wire::number(8, kind), wire::number(9, 1)].concat());
    for (stored, expected) in [
        (compressed(1), Unreadable::Compression("LZ4")),
        (compressed(2), Unreadable::Compression("ZLIB")),
        (compressed(4), Unreadable::Compression("SNAPPY")),
        (
            compressed(9),
            Unreadable::Compression("a way that is unknown"),
        ),
        (compressed(3), Unreadable::Damaged("compressed payload")),
        (wire::entry(b"x", &wire::number(27, 2)), Unreadable::Chunked),
        (
            wire::entry(b"x", &wire::bytes(13, &wire::bytes(1, b"key"))),
            Unreadable::Encrypted,
        ),
        (
            wire::entry(b"x", &wire::number(11, 2)),
            Unreadable::Damaged("batch"),
        ),
        (
            wire::entry(b"", &wire::number(11, 0)),
            Unreadable::Damaged("batch"),
        ),
    ] {
        assert_eq!(decoded(&stored), Err(expected));
    }
}

#[test]
fn no_more_is_unpacked_than_was_announced_nor_than_is_taken() {
    let packed = zstd::bulk::compress(&vec![0; 1 << 20], 1).unwrap();
    let announcing = |size| {
        wire::entry(
            &packed,
            &[wire::number(8, 3), wire::number(9, size)].concat(),
        )
    };
    assert_eq!(decoded(&announcing(1 << 20)), Ok(1));
    for size in [0, 1000, 2 << 20] {
        assert_eq!(
            decoded(&announcing(size)),
            Err(Unreadable::Damaged("compressed payload"))
        );
    }
    let large = 65 << 20;
    assert_eq!(
        decoded(&announcing(large)),
        Err(Unreadable::TooLarge(large as u32))
    );
}

#[test]
fn frames_that_do_not_fit_are_refused() {
    let whole = wire::delivery((7, 1), &wire::entry(b"row", &[]), 0);
    let cut = |at: usize| frame::decode(whole[..at].to_vec().into());
    assert_eq!(cut(3), Err(Malformed::Sizes("head")));
    assert_eq!(cut(7), Err(Malformed::Sizes("command")));
    assert_eq!(cut(12), Err(Malformed::Sizes("command")));
    assert!(matches!(
        cut(whole.len() - 1),
        Err(Malformed::Checksum {
            ledger: 7,
            entry: 1
        })
    ));
    let mut other = whole.clone();
    let magic = whole
        .windows(2)
        .position(|pair| pair == [0x0e, 0x01])
        .unwrap();
    other[magic] = 0x0f;
    assert_eq!(frame::decode(other.into()), Err(Malformed::NoChecksum));
    let oversized = Malformed::Oversized {
        bytes: 0x4854_5450,
        most: 100,
    };
    assert_eq!(frame::length(b"HTTP/1.1", 100), Err(oversized));
    assert_eq!(frame::length(b"HTT", 100), Ok(None));
}

proptest! {
    #[test]
    fn whatever_bytes_come_nothing_breaks(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = frame::decode(bytes.clone().into());
        let stored = wire::entry(&bytes, &[wire::number(11, 3)].concat());
        let _ = decoded(&stored);
    }
}
