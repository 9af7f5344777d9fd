//! What holds of the reader of frames whatever a peer writes: it answers, what it lets through keeps every bound, and is written again as
//! it was read.
//!
//! One check for each target. `cargo fuzz` runs them with inputs that it makes up, `tests/corpus.rs` with those that are kept.

use bytes::Bytes;
use passage_channel::{LaneError, codec, decode, encode};
use protocol::frame::{Frame, MAX_PIECE_BYTES, Whole};
use protocol::handshake::{PROTOCOL, agree};
use protocol::parcel::Assembly;
use protocol::{Answer, Call, Hello, Note, Role};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

type Check = fn(&[u8]);

/// Each target's name and what is done with an input.
pub(crate) const TARGETS: [(&str, Check); 2] = [("frames", frame), ("parts", part)];

/// The most bytes of a batch here. The target's agent allows 128 MiB.
const MOST_BATCH_BYTES: u64 = 1 << 20;

/// The most columns of a part, pieces of it at once, and channels of a step.
const MOST_ITEMS: usize = 4096;

/// The longest text that the other side may have an operator read.
const MOST_TEXT_BYTES: usize = 8 << 10;

/// Runs a target's check.
pub(crate) fn run(target: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, check) = found.expect("a target of this name");
    check(input);
}

/// Reads a frame as a lane does, and then as whoever takes frames of its kind does.
fn frame(bytes: &[u8]) {
    let frame = match decode(Bytes::copy_from_slice(bytes)) {
        Ok(frame) => frame,
        Err(error) => return is_told(&error),
    };
    keeps_its_bounds(&frame);
    assert_eq!(decode(encode(frame.clone()).into()), Ok(frame.clone()));
    match frame {
        Frame::Hello(hello) => is_greeted(&hello),
        Frame::Call { body, .. } => says::<Call>(&body),
        Frame::Reply { body: Ok(body), .. } => says::<Answer>(&body),
        Frame::Note(body) => says::<Note>(&body),
        _ => {}
    }
}

fn is_told(error: &LaneError) {
    let told = error.to_string();
    assert!(told.starts_with("the peer broke the protocol: "), "{told}");
    assert!(told.len() < 2 * MOST_TEXT_BYTES, "{} bytes", told.len());
}

fn keeps_its_bounds(frame: &Frame) {
    match frame {
        Frame::PartStart(head) => {
            assert!(head.columns.len() <= MOST_ITEMS, "columns");
            if let Whole::Step { reached, .. } = &head.place.whole {
                assert!(reached.len() <= MOST_ITEMS, "channels");
            }
            let sum = |size: u64, bytes: u64| size.checked_add(bytes);
            let bytes = head.columns.iter().map(|column| column.wire_bytes);
            assert!(bytes.clone().try_fold(0, sum).is_some(), "a sum overflows");
        }
        Frame::Piece(piece) => {
            assert!(piece.size_bytes() <= MAX_PIECE_BYTES, "a piece");
            assert!(piece.parts.len() <= MOST_ITEMS, "parts of a piece");
        }
        Frame::Refused(fault) => {
            for text in [&fault.code, &fault.message, &fault.hint] {
                assert!(text.len() <= MOST_TEXT_BYTES, "a text");
            }
        }
        _ => {}
    }
}

/// What both roles make of a peer's first words.
fn is_greeted(peer: &Hello) {
    for role in [Role::Source, Role::Target] {
        let ours = Hello {
            version: PROTOCOL,
            role,
            ..peer.clone()
        };
        match agree(&ours, peer.clone()) {
            Ok(agreed) => {
                assert!(peer.role != role && peer.version.major == PROTOCOL.major);
                assert_eq!(agreed.peer, *peer);
            }
            Err(fault) => {
                let told = decode(encode(Frame::Refused(fault.clone())).into());
                assert_eq!(told, Ok(Frame::Refused(fault)), "the refusal is told whole");
            }
        }
    }
}

/// What is said on the control lane means the same when it is passed on.
fn says<T: Serialize + DeserializeOwned + Debug + PartialEq>(body: &[u8]) {
    if let Ok(said) = serde_json::from_slice::<T>(body) {
        let again = serde_json::to_vec(&said).expect("what was read can be written");
        let again: T = serde_json::from_slice(&again).expect("and read again");
        assert_eq!(again, said);
    }
}

/// Takes frames, each behind its length, as the target's agent takes those of a data lane: a part's head, and its pieces.
fn part(bytes: &[u8]) {
    let mut rest = bytes;
    let mut arriving: Option<Assembly> = None;
    while let Some(([low, high], behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(behind.len());
        let (frame, behind) = behind.split_at(length);
        rest = behind;
        let taken = match (decode(Bytes::copy_from_slice(frame)), &mut arriving) {
            (Ok(Frame::PartStart(head)), _) => {
                arriving = Assembly::begin(head, MOST_BATCH_BYTES).ok();
                arriving.is_some()
            }
            (Ok(Frame::Piece(piece)), Some(part)) => part.handle_piece(piece).is_ok(),
            _ => false,
        };
        if !taken {
            return;
        }
        if let Some(part) = arriving.take_if(|part| part.is_complete()) {
            is_unpacked(part);
        }
    }
}

fn is_unpacked(part: Assembly) {
    if let Ok((_, batch)) = part.into_batch(codec::decode) {
        let bytes = batch.columns.iter().map(|column| column.payload.bytes());
        let bytes: usize = bytes.map(|bytes| bytes.len()).sum();
        assert!(bytes as u64 <= MOST_BATCH_BYTES, "{bytes} bytes");
    }
}
