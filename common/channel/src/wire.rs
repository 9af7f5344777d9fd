//! Frames in their written form, and the border where what a peer wrote becomes a frame.
//!
//! Writing can't fail. Reading refuses what the protocol does not allow, and says which part of which frame it was; what it lets
//! through holds every bound that a single frame can be held to.

mod items;
mod part;
mod session;

use crate::error::LaneError;
use bytes::Bytes;
use model::ids::InvalidName;
use model::unit::TooManyBatches;
use prost::Message;
use proto::agent as written;
use protocol::Frame;
use std::str::FromStr;
use written::frame::Kind;

/// Much longer than any name may be.
const MAX_NAME_BYTES: u64 = 1 << 10;

/// Why what a peer wrote is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The lengths of its parts are not those of what came.
    #[error("what came is not a frame: its parts don't end where they should")]
    Broken,
    /// It is no message, or that of another kind.
    #[error("what came is not a frame: {0}")]
    Undecodable(#[from] prost::DecodeError),
    /// A part that must be there is not, or its number means nothing to this build.
    #[error("{frame} has no valid {part}")]
    Missing {
        /// The frame.
        frame: &'static str,
        /// The part.
        part: &'static str,
    },
    /// A name is not a name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A batch stands beyond the last of a unit.
    #[error(transparent)]
    Batch(#[from] TooManyBatches),
    /// A part is beyond its bound.
    #[error("{frame}: {part} is {given}, and at most {most} is allowed")]
    Beyond {
        /// The frame.
        frame: &'static str,
        /// The part.
        part: &'static str,
        /// What the peer wrote.
        given: u64,
        /// The bound.
        most: u64,
    },
}

impl From<Malformed> for LaneError {
    fn from(error: Malformed) -> Self {
        Self::Violation(error.to_string())
    }
}

fn missing(frame: &'static str, part: &'static str) -> Malformed {
    Malformed::Missing { frame, part }
}

fn at_most(
    frame: &'static str,
    part: &'static str,
    given: u64,
    most: u64,
) -> Result<u64, Malformed> {
    if given <= most {
        Ok(given)
    } else {
        Err(Malformed::Beyond {
            frame,
            part,
            given,
            most,
        })
    }
}

/// A name in a frame. What is refused is quoted in the refusal: so it has a bound, too.
fn read_name<N: FromStr<Err = InvalidName>>(
    frame: &'static str,
    name: &str,
) -> Result<N, Malformed> {
    let length = name.len() as u64;
    at_most(frame, "a name's length", length, MAX_NAME_BYTES)?;
    Ok(name.parse()?)
}

/// The written form of a frame.
pub(crate) fn write(frame: Frame) -> written::Frame {
    let kind = match frame {
        Frame::Hello(hello) => Kind::Hello(session::write_hello(hello)),
        Frame::Refused(fault) => Kind::Refused(session::write_fault(fault)),
        Frame::Heartbeat => Kind::Heartbeat(written::Heartbeat {}),
        Frame::Call {
            id,
            traceparent,
            body,
        } => Kind::Call(written::Call {
            id,
            traceparent,
            body,
        }),
        Frame::Reply { id, body } => Kind::Reply(session::write_reply(id, body)),
        Frame::Note(body) => Kind::Note(body),
        Frame::PartStart(head) => Kind::PartStart(part::write_head(head)),
        Frame::Piece(piece) => Kind::Piece(written::Piece { parts: piece.parts }),
        Frame::Credit(bytes) => Kind::Credit(bytes),
        Frame::Confirm(confirm) => Kind::Confirm(part::write_confirm(confirm)),
    };
    written::Frame { kind: Some(kind) }
}

/// The frame that a peer wrote. What repeats in it is bounded where its bytes come in: see [`decode`].
fn read(frame: written::Frame) -> Result<Frame, Malformed> {
    Ok(match frame.kind.ok_or(missing("a frame", "kind"))? {
        Kind::Hello(hello) => Frame::Hello(session::read_hello(hello)?),
        Kind::Refused(fault) => Frame::Refused(session::read_fault(fault)?),
        Kind::Heartbeat(written::Heartbeat {}) => Frame::Heartbeat,
        Kind::Call(written::Call {
            id,
            traceparent,
            body,
        }) => {
            at_most(
                "call",
                "traceparent's length",
                traceparent.len() as u64,
                session::MAX_TEXT_BYTES,
            )?;
            Frame::Call {
                id,
                traceparent,
                body,
            }
        }
        Kind::Reply(reply) => session::read_reply(reply)?,
        Kind::Note(body) => Frame::Note(body),
        Kind::PartStart(head) => Frame::PartStart(part::read_head(head)?),
        Kind::Piece(piece) => Frame::Piece(part::read_piece(piece)?),
        Kind::Credit(bytes) => Frame::Credit(bytes),
        Kind::Confirm(confirm) => Frame::Confirm(part::read_confirm(confirm)?),
    })
}

/// The bytes of a frame's written form, as a transport carries them: for what tests it without one.
#[must_use]
pub fn encode(frame: Frame) -> Vec<u8> {
    write(frame).encode_to_vec()
}

/// The frame in such bytes.
///
/// # Errors
/// [`LaneError::Violation`] when they are none.
pub fn decode(bytes: Bytes) -> Result<Frame, LaneError> {
    Ok(read_bytes(bytes)?)
}

fn read_bytes(bytes: Bytes) -> Result<Frame, Malformed> {
    items::bounded(&bytes)?;
    read(written::Frame::decode(bytes)?)
}

#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;
