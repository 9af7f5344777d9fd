//! The envelope: a magic number, a descriptor, and events until the file ends. All numbers are little endian.
//!
//! ```text
//! magic u32 │ header, descriptor │ header, times, Parquet │ header, times, Parquet │ …
//! header: timestamp u64, kind i8, length i32 (with the header), place of the next event i32
//! ```

use crate::BinlogError;
use bytes::Bytes;
use model::Tick;
use serde::Deserialize;

/// How a file begins.
pub(crate) const MAGIC: [u8; 4] = 0x00FF_FABCu32.to_le_bytes();

/// The lengths of the kinds' fixed parts, which the descriptor lists: Milvus has eight kinds.
pub(crate) const LENGTHS_BYTES: usize = 8;

/// Milvus's numbers of the kinds of events.
pub(crate) const DESCRIPTOR: i8 = 0;
pub(crate) const INSERT: i8 = 1;
pub(crate) const DELETE: i8 = 2;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The collection's id.
    pub collection: i64,
    /// The partition's id.
    pub partition: i64,
    /// The segment's id.
    pub segment: i64,
    /// The field's id; -1 in a file of deletes.
    pub field: i64,
    /// The time of the oldest row.
    pub from: Tick,
    /// The time of the youngest row.
    pub to: Tick,
    /// The type of the values, by Milvus's number.
    pub data_type: i32,
    /// Whether deletes lie in columns of their own.
    pub(crate) is_multi_field: bool,
}

/// A file taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) descriptor: Descriptor,
    /// The Parquet of each event, in their order.
    pub(crate) payloads: Vec<Bytes>,
}

/// What stands behind the descriptor's numbers. What else stands there is not our concern.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extra {
    version: Option<String>,
    edek: Option<String>,
}

/// Whether bytes begin as a file in an envelope does.
pub(crate) fn is_enveloped(file: &[u8]) -> bool {
    file.starts_with(&MAGIC)
}

/// Takes a file apart, of which every event must be of this kind.
pub(crate) fn open(file: &Bytes, kind: i8) -> Result<Envelope, BinlogError> {
    let (mut place, mut event) = first_event(file)?;
    let descriptor = event.body.descriptor()?;
    let mut payloads = Vec::new();
    while place.at < file.len() {
        event = place.event()?;
        if event.kind != kind {
            return Err(event.unknown());
        }
        // The times of its rows: the descriptor has them too.
        event.body.take(16)?;
        payloads.push(event.body.rest());
    }
    Ok(Envelope {
        descriptor,
        payloads,
    })
}

/// What a file says of itself, by its beginning: of which so much is given as its first event takes, less than 4 KiB in Milvus's files.
///
/// # Errors
/// [`BinlogError`] when this is not how a file in an envelope begins.
pub fn read_descriptor(beginning: &Bytes) -> Result<Descriptor, BinlogError> {
    let (_, mut event) = first_event(beginning)?;
    event.body.descriptor()
}

/// The first event, and the place behind it.
fn first_event(file: &Bytes) -> Result<(Place<'_>, Event<'_>), BinlogError> {
    if !is_enveloped(file) {
        let begin = &file[..file.len().min(8)];
        let found = begin.iter().map(|byte| format!("{byte:02x}")).collect();
        return Err(BinlogError::NotABinlog { found });
    }
    let mut place = Place {
        file,
        at: MAGIC.len(),
    };
    let event = place.event()?;
    if event.kind != DESCRIPTOR {
        return Err(event.unknown());
    }
    Ok((place, event))
}

/// A place in a file, or in a part that begins with it.
struct Place<'a> {
    file: &'a Bytes,
    at: usize,
}

struct Event<'a> {
    kind: i8,
    at: usize,
    body: Body<'a>,
}

/// What an event holds, from a place to its end.
struct Body<'a> {
    place: Place<'a>,
    end: usize,
}

impl Event<'_> {
    fn unknown(&self) -> BinlogError {
        BinlogError::UnknownEvent {
            kind: self.kind,
            at: self.at,
        }
    }
}

impl<'a> Place<'a> {
    /// The event that begins here; the place is behind it then.
    fn event(&mut self) -> Result<Event<'a>, BinlogError> {
        let at = self.at;
        let end = self.file.len();
        let mut body = Body {
            place: Place {
                file: self.file,
                at,
            },
            end,
        };
        body.take(8)?;
        let [kind] = body.array()?;
        let length = i32::from_le_bytes(body.array()?);
        // Where the next one begins follows from the length.
        body.take(4)?;
        let head = body.place.at - at;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length >= head);
        let length = length.ok_or_else(|| BinlogError::Malformed {
            at,
            what: "an event is shorter than its head".into(),
        })?;
        if length > end - at {
            return Err(BinlogError::CutShort {
                at,
                wanted: length,
                there: end - at,
            });
        }
        body.end = at + length;
        self.at = body.end;
        Ok(Event {
            kind: i8::from_le_bytes([kind]),
            at,
            body,
        })
    }
}

impl Body<'_> {
    fn take(&mut self, wanted: usize) -> Result<&[u8], BinlogError> {
        let at = self.place.at;
        let there = self.end - at;
        if wanted > there {
            return Err(BinlogError::CutShort { at, wanted, there });
        }
        self.place.at += wanted;
        Ok(&self.place.file[at..at + wanted])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BinlogError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn id(&mut self) -> Result<i64, BinlogError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn tick(&mut self) -> Result<Tick, BinlogError> {
        Ok(Tick::new(u64::from_le_bytes(self.array()?)))
    }

    fn rest(&self) -> Bytes {
        self.place.file.slice(self.place.at..self.end)
    }

    fn descriptor(&mut self) -> Result<Descriptor, BinlogError> {
        let (collection, partition) = (self.id()?, self.id()?);
        let (segment, field) = (self.id()?, self.id()?);
        let (from, to) = (self.tick()?, self.tick()?);
        let data_type = i32::from_le_bytes(self.array()?);
        self.take(LENGTHS_BYTES)?;
        let at = self.place.at;
        let malformed = |what: String| BinlogError::Malformed { at, what };
        let length = i32::from_le_bytes(self.array()?);
        let length = usize::try_from(length)
            .map_err(|_| malformed(format!("the descriptor's notes have {length} bytes")))?;
        let extra: Extra = match self.take(length)? {
            [] => Extra::default(),
            notes => serde_json::from_slice(notes).map_err(|error| malformed(error.to_string()))?,
        };
        if extra.edek.is_some() {
            return Err(BinlogError::Encrypted);
        }
        Ok(Descriptor {
            collection,
            partition,
            segment,
            field,
            from,
            to,
            data_type,
            is_multi_field: extra.version.as_deref() == Some("MULTI_FIELD"),
        })
    }
}
