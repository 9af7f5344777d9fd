//! The messages of an entry. No I/O.

use super::frame::Entry;
use crate::reader::changes::Message;
use bytes::{Buf, Bytes};
use model::Offset;
use prost::Message as _;
use proto::pulsar::{Compression, MessageId, SingleMessageMetadata};

/// No payload is unpacked to more: Milvus refuses larger messages than Pulsar takes, which are 5 MiB by default.
const MOST_BYTES: usize = 64 << 20;

/// Where an entry is: its ledger, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub(super) ledger: u64,
    pub(super) entry: u64,
}

impl EntryId {
    /// Before the first entry of a topic, or none: Pulsar's -1 and -1.
    pub(super) const NONE: Self = Self {
        ledger: u64::MAX,
        entry: u64::MAX,
    };

    /// Behind the last one.
    pub(super) const LATEST: Self = Self {
        ledger: i64::MAX as u64,
        entry: i64::MAX as u64,
    };

    /// The entry of a message's id; `None` where it is that of no entry.
    pub(super) fn of(id: &MessageId) -> Option<Self> {
        let (ledger, entry) = (id.ledger_id, id.entry_id);
        let is_one = [ledger, entry]
            .iter()
            .all(|part| i64::try_from(*part).is_ok());
        is_one.then_some(Self { ledger, entry })
    }

    /// The entry of a place.
    pub(super) fn at(place: Offset) -> Self {
        let (ledger, entry, _) = place.ledger_entry_index();
        Self { ledger, entry }
    }

    /// The id as it is sent.
    pub(super) fn written(self) -> MessageId {
        MessageId {
            ledger_id: self.ledger,
            entry_id: self.entry,
            ..MessageId::default()
        }
    }

    /// The place of one of its messages.
    pub(super) fn place(self, index: u32) -> Option<Offset> {
        Offset::in_ledger(self.ledger, self.entry, index)
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.ledger, self.entry)
    }
}

/// Why an entry's messages can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// By a way that Milvus does not use.
    #[error("it is compressed by {0}, which Passage does not read (Milvus writes ZSTD)")]
    Compression(&'static str),
    /// With keys that nobody but its reader has.
    #[error("it is encrypted")]
    Encrypted,
    /// Milvus's own messages fit into one.
    #[error("it is a piece of a larger message (chunked), which Passage does not put together")]
    Chunked,
    /// The sizes in it do not fit, or it does not unpack to what it says.
    #[error("its {0} can't be read")]
    Damaged(&'static str),
    /// It unpacks to more than any message of Milvus's.
    #[error("it has {0} bytes, more than the {MOST_BYTES} that are read")]
    TooLarge(u32),
    /// Its number is greater than any that Pulsar gives out.
    #[error("its number is none that Passage can keep")]
    Number,
}

/// The messages of an entry, in their order. A message's memory is its own: a view of what was received with it would keep that, too.
pub(super) fn messages(id: EntryId, entry: &Entry) -> Result<Vec<Message>, Unreadable> {
    let metadata = &entry.metadata;
    if !metadata.encryption_keys.is_empty() {
        return Err(Unreadable::Encrypted);
    }
    if metadata
        .num_chunks_from_msg
        .is_some_and(|chunks| chunks > 1)
    {
        return Err(Unreadable::Chunked);
    }
    let payload = unpacked(entry)?;
    let Some(count) = metadata.num_messages_in_batch else {
        let offset = id.place(0).ok_or(Unreadable::Number)?;
        let payload = Bytes::copy_from_slice(&payload);
        return Ok(vec![Message { offset, payload }]);
    };
    batched(id, payload, count)
}

/// How many messages an entry has, without a look into it.
pub(super) fn count(entry: &Entry) -> u32 {
    let count = entry.metadata.num_messages_in_batch();
    u32::try_from(count).unwrap_or_default().max(1)
}

fn unpacked(entry: &Entry) -> Result<Bytes, Unreadable> {
    let size = entry.metadata.uncompressed_size();
    let most = usize::try_from(size).unwrap_or(usize::MAX);
    let other = match Compression::try_from(entry.metadata.compression()) {
        Ok(Compression::None) => return Ok(entry.payload.clone()),
        Ok(Compression::Zstd) if most > MOST_BYTES => return Err(Unreadable::TooLarge(size)),
        Ok(Compression::Zstd) => {
            let unpacked = zstd::bulk::decompress(&entry.payload, most);
            let is_whole = |unpacked: &Vec<u8>| unpacked.len() == most;
            let unpacked = unpacked.ok().filter(is_whole);
            return unpacked
                .map(Bytes::from)
                .ok_or(Unreadable::Damaged("compressed payload"));
        }
        Ok(Compression::Lz4) => "LZ4",
        Ok(Compression::Zlib) => "ZLIB",
        Ok(Compression::Snappy) => "SNAPPY",
        Err(_) => "a way that is unknown",
    };
    Err(Unreadable::Compression(other))
}

fn batched(id: EntryId, mut payload: Bytes, count: i32) -> Result<Vec<Message>, Unreadable> {
    let damaged = Unreadable::Damaged("batch");
    let mut part = |bytes: usize| {
        let fits = payload.len() >= bytes;
        fits.then(|| payload.split_to(bytes))
    };
    let mut messages = Vec::new();
    for index in 0..u32::try_from(count).map_err(|_| damaged.clone())? {
        let mut next = || {
            let size = part(4)?.get_u32();
            let metadata = SingleMessageMetadata::decode(part(size as usize)?).ok()?;
            part(usize::try_from(metadata.payload_size).ok()?)
        };
        let payload = next().ok_or_else(|| damaged.clone())?;
        messages.push(Message {
            offset: id.place(index).ok_or(Unreadable::Number)?,
            payload: Bytes::copy_from_slice(&payload),
        });
    }
    if messages.is_empty() || !payload.is_empty() {
        return Err(damaged);
    }
    Ok(messages)
}
