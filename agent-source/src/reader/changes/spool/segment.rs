//! A file of messages: those of one topic behind a place, in their order.
//!
//! ```text
//! file   = record*
//! record = length of the payload u32 · offset u128 · checksum u64 · payload      (little endian)
//! ```
//! The checksum (xxh3, 64 bits) is of all else in the record. What a crash left unfinished at the end is found by it and cut off.

use crate::reader::changes::Message;
use bytes::Bytes;
use model::Offset;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

const HEAD_BYTES: usize = 4 + 16 + 8;

/// A payload is no larger: Milvus's queues take 64 MiB at most.
const MOST_PAYLOAD_BYTES: u32 = 256 << 20;

/// A place in the file is remembered at least once in so many bytes.
const REMEMBERED_EVERY: u64 = 256 << 10;

/// One file, which is written to at its end.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    begin: Offset,
    end: Offset,
    bytes: u64,
    /// Some records by their offsets, and where they stand.
    places: Vec<(Offset, u64)>,
}

impl Segment {
    /// An empty one for what is behind a place.
    pub(super) fn begin(folder: &Path, begin: Offset) -> io::Result<Self> {
        let path = folder.join(format!("{:039}", begin.bits()));
        File::create(&path)?;
        Ok(Self::empty(path, begin))
    }

    /// One that is there, read through. What is behind the last whole record is cut off.
    pub(super) fn open(path: PathBuf, begin: Offset) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let mut segment = Self::empty(path, begin);
        let mut reader = BufReader::new(&file);
        while let Some(message) = next_record(&mut reader)? {
            segment.note(message.offset, record_bytes(&message));
        }
        file.set_len(segment.bytes)?;
        Ok(segment)
    }

    fn empty(path: PathBuf, begin: Offset) -> Self {
        Self {
            path,
            begin,
            end: begin,
            bytes: 0,
            places: Vec::new(),
        }
    }

    /// The place of a file by its name.
    pub(super) fn begin_of(path: &Path) -> Option<Offset> {
        let name = path.file_name()?.to_str()?;
        name.parse().ok().map(Offset::from_bits)
    }

    /// The place behind which it begins.
    pub(super) fn first(&self) -> Offset {
        self.begin
    }

    /// The place of its last message.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// How much of the disk it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds messages. When that fails, none is added.
    pub(super) fn append(&mut self, messages: &[Message]) -> io::Result<()> {
        let mut records = Vec::new();
        for message in messages {
            write_record(&mut records, message);
        }
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        // What a failed try left behind the end is written over.
        file.seek(SeekFrom::Start(self.bytes))?;
        file.write_all(&records)?;
        for message in messages {
            self.note(message.offset, record_bytes(message));
        }
        Ok(())
    }

    fn note(&mut self, offset: Offset, bytes: u64) {
        let is_far = |(_, place): &(Offset, u64)| self.bytes >= place + REMEMBERED_EVERY;
        if self.places.last().is_none_or(is_far) {
            self.places.push((offset, self.bytes));
        }
        self.end = offset;
        self.bytes += bytes;
    }

    /// The messages behind a place that it has: so many that they have about `most_bytes`, and one at least. `None` when a record is
    /// damaged.
    pub(super) fn read(
        &self,
        behind: Offset,
        most_bytes: usize,
    ) -> io::Result<Option<Vec<Message>>> {
        let near = self.places.partition_point(|(offset, _)| *offset <= behind);
        let place = near.checked_sub(1).and_then(|near| self.places.get(near));
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(place.map_or(0, |(_, place)| *place)))?;
        let mut reader = BufReader::new(file);
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while bytes < most_bytes.max(1) {
            let Some(message) = next_record(&mut reader)? else {
                return Ok(None);
            };
            let (offset, size) = (message.offset, message.payload.len());
            if offset > behind {
                bytes += size;
                messages.push(message);
            }
            if offset >= self.end {
                break;
            }
        }
        Ok(Some(messages))
    }

    /// Has the disk hold what was added.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_data()
    }

    /// Takes it off the disk.
    pub(super) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(self.path)
    }
}

fn record_bytes(message: &Message) -> u64 {
    (HEAD_BYTES + message.payload.len()) as u64
}

fn write_record(into: &mut Vec<u8>, message: &Message) {
    let length = u32::try_from(message.payload.len()).unwrap_or(u32::MAX);
    let offset = message.offset.bits();
    into.extend(length.to_le_bytes());
    into.extend(offset.to_le_bytes());
    into.extend(checksum(length, offset, &message.payload).to_le_bytes());
    into.extend(&message.payload);
}

/// The next record; `None` where there is no whole one.
fn next_record(reader: &mut impl Read) -> io::Result<Option<Message>> {
    let Some(length) = number::<4>(reader)?.map(u32::from_le_bytes) else {
        return Ok(None);
    };
    let (offset, told) = (number::<16>(reader)?, number::<8>(reader)?);
    let (Some(offset), Some(told)) = (
        offset.map(u128::from_le_bytes),
        told.map(u64::from_le_bytes),
    ) else {
        return Ok(None);
    };
    if length > MOST_PAYLOAD_BYTES {
        return Ok(None);
    }
    let mut payload = Vec::new();
    reader.take(length.into()).read_to_end(&mut payload)?;
    let is_whole = payload.len() as u64 == u64::from(length);
    let is_right = is_whole && checksum(length, offset, &payload) == told;
    Ok(is_right.then(|| Message {
        offset: Offset::from_bits(offset),
        payload: Bytes::from(payload),
    }))
}

fn number<const N: usize>(reader: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn checksum(length: u32, offset: u128, payload: &[u8]) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(&length.to_le_bytes());
    hash.update(&offset.to_le_bytes());
    hash.update(payload);
    hash.digest()
}
