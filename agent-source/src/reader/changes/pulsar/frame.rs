//! Commands as bytes. No I/O.
//!
//! Nothing is longer than was agreed on, and nothing is believed whose sizes or checksum do not fit.

use bytes::{Buf, Bytes};
use prost::Message as _;
use proto::pulsar::base_command::Body;
use proto::pulsar::{BaseCommand, MessageCommand, MessageMetadata};

/// What a frame's first number does not count: itself.
pub(super) const HEAD_BYTES: usize = 4;

/// What stands between a command and the checksum of what follows.
const MAGIC: u16 = 0x0e01;

/// What a broker says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// An entry of the log.
    Entry(Entry),
    /// Anything else; `None` for what a reader has no use for.
    Command(Option<Body>),
}

/// An entry of the log, as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) command: MessageCommand,
    pub(super) metadata: MessageMetadata,
    /// A view of the frame.
    pub(super) payload: Bytes,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// Nobody agreed to that: it is not Pulsar's protocol, perhaps.
    #[error("it sends a frame of {bytes} bytes, where {most} are the most")]
    Oversized {
        /// What its head says.
        bytes: usize,
        /// What was agreed on.
        most: usize,
    },
    /// Its parts are longer than it is, or shorter.
    #[error("it sends a frame whose {0} does not fit into it")]
    Sizes(&'static str),
    /// A part is not what it should be.
    #[error("it sends a {0} that can't be decoded")]
    Undecodable(&'static str),
    /// No checksum that is known.
    #[error("it sends a message without a CRC-32C")]
    NoChecksum,
    /// The checksum of a message is another one.
    #[error("message {ledger}:{entry} came damaged: its checksum does not fit")]
    Checksum {
        /// Its ledger.
        ledger: u64,
        /// Its number there.
        entry: u64,
    },
}

/// A command as a frame.
pub(super) fn encode(body: Body) -> Vec<u8> {
    let command = BaseCommand {
        r#type: number(&body),
        body: Some(body),
    };
    let bytes = command.encode_to_vec();
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let total = size.saturating_add(4);
    [&total.to_be_bytes()[..], &size.to_be_bytes(), &bytes].concat()
}

/// How many bytes the frame has that begins with these: `None` where too few are there to tell.
pub(super) fn length(bytes: &[u8], most: usize) -> Result<Option<usize>, Malformed> {
    let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let bytes = u32::from_be_bytes(*head) as usize;
    if bytes > most {
        return Err(Malformed::Oversized { bytes, most });
    }
    Ok(Some(HEAD_BYTES + bytes))
}

/// What a whole frame says.
pub(super) fn decode(mut frame: Bytes) -> Result<Said, Malformed> {
    part(&mut frame, HEAD_BYTES, "head")?;
    let command = sized(&mut frame, "command")?;
    let command = BaseCommand::decode(command).map_err(|_| Malformed::Undecodable("command"))?;
    match command.body {
        Some(Body::Message(command)) => entry(command, frame).map(Said::Entry),
        body if frame.is_empty() => Ok(Said::Command(body)),
        _ => Err(Malformed::Sizes("command")),
    }
}

fn entry(command: MessageCommand, mut rest: Bytes) -> Result<Entry, Malformed> {
    let mut magic = part(&mut rest, 2, "checksum")?;
    if magic.get_u16() != MAGIC {
        return Err(Malformed::NoChecksum);
    }
    let told = part(&mut rest, 4, "checksum")?.get_u32();
    if crc32c::crc32c(&rest) != told {
        return Err(Malformed::Checksum {
            ledger: command.message_id.ledger_id,
            entry: command.message_id.entry_id,
        });
    }
    let metadata = sized(&mut rest, "metadata")?;
    let metadata = MessageMetadata::decode(metadata);
    Ok(Entry {
        command,
        metadata: metadata.map_err(|_| Malformed::Undecodable("message's metadata"))?,
        payload: rest,
    })
}

/// The next part, behind its size.
fn sized(rest: &mut Bytes, name: &'static str) -> Result<Bytes, Malformed> {
    let size = part(rest, 4, name)?.get_u32();
    part(rest, size as usize, name)
}

fn part(rest: &mut Bytes, bytes: usize, name: &'static str) -> Result<Bytes, Malformed> {
    if rest.len() < bytes {
        return Err(Malformed::Sizes(name));
    }
    Ok(rest.split_to(bytes))
}

/// A command's type is the number of its field.
fn number(body: &Body) -> i32 {
    match body {
        Body::Connect(_) => 2,
        Body::Connected(_) => 3,
        Body::Subscribe(_) => 4,
        Body::Message(_) => 9,
        Body::Flow(_) => 11,
        Body::Success(_) => 13,
        Body::Error(_) => 14,
        Body::CloseConsumer(_) => 16,
        Body::Ping(_) => 18,
        Body::Pong(_) => 19,
        Body::Lookup(_) => 23,
        Body::LookupAnswer(_) => 24,
        Body::ReachedEndOfTopic(_) => 27,
        Body::GetLastMessageId(_) => 29,
        Body::LastMessageId(_) => 30,
        Body::AuthChallenge(_) => 36,
    }
}
