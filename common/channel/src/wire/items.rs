//! How many items a frame may have: counted in its bytes, before it is decoded.
//!
//! An item takes two bytes on the wire, and sixty times as many and more once it is decoded: a frame within its length could have an
//! agent take hundreds of megabytes for nothing.

use super::{Malformed, at_most};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// More columns than any collection has: Milvus allows 64 fields, or 256 where an operator raised its limit.
const MAX_COLUMNS: u64 = 4096;

/// More channels than any collection has: Milvus allows 16 shards, or as many as an operator set.
const MAX_CHANNELS: u64 = 1024;

/// Every field of link.proto that may be there many times.
const REPEATED: [Repeated; 3] = [
    Repeated {
        path: &[7, 7],
        frame: "part",
        items: "the number of columns",
        most: MAX_COLUMNS,
    },
    Repeated {
        path: &[7, 2, 3],
        frame: "step",
        items: "the number of channels",
        most: MAX_CHANNELS,
    },
    Repeated {
        path: &[8, 1],
        frame: "piece",
        items: "the number of parts",
        most: MAX_COLUMNS,
    },
];

struct Repeated {
    /// The numbers of the fields that lead to it, from the frame's on.
    path: &'static [u32],
    frame: &'static str,
    items: &'static str,
    most: u64,
}

/// Refuses a frame that has too many items, or whose fields do not end where they should.
pub(super) fn bounded(frame: &[u8]) -> Result<(), Malformed> {
    for repeated in REPEATED {
        let items = count(frame, repeated.path).ok_or(Malformed::Broken)?;
        at_most(repeated.frame, repeated.items, items, repeated.most)?;
    }
    Ok(())
}

/// How often the field at the path's end is there in all. A message that is there again adds to the items of the first, or takes its place:
/// so all count.
fn count(mut message: &[u8], path: &[u32]) -> Option<u64> {
    let Some((field, inner)) = path.split_first() else {
        return Some(1);
    };
    let mut found = 0;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).ok()?;
        if tag == *field && wire_type == WireType::LengthDelimited {
            let length = decode_varint(&mut message).ok()?;
            let (value, rest) = message.split_at_checked(usize::try_from(length).ok()?)?;
            found += count(value, inner)?;
            message = rest;
        } else {
            skip_field(wire_type, tag, &mut message, DecodeContext::default()).ok()?;
        }
    }
    Some(found)
}
