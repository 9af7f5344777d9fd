//! Frames in their written form, and the border where what a peer wrote becomes a frame.
//!
//! Writing can't fail. Reading refuses what the protocol does not allow, and says which part of which frame it was; what it lets
//! through holds every bound that a single frame can be held to.

mod part;
mod session;

use model::ids::InvalidName;
use model::unit::TooManyBatches;
use proto::agent as written;
use protocol::Frame;
use written::frame::Kind;

/// Why what a peer wrote is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
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

/// The frame that a peer wrote.
pub(crate) fn read(frame: written::Frame) -> Result<Frame, Malformed> {
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

#[cfg(test)]
mod tests;
