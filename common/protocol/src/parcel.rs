//! A part of a batch or of a step as frames, and back.
//!
//! The columns' bytes follow the head end to end, cut into pieces. Nothing is copied on the way out; on the way in a column is
//! copied only where a piece ended inside it.

use crate::frame::{
    Codec, ColumnHead, Frame, MAX_PIECE_BYTES, PartHead, PayloadKind, Piece, Place,
};
use bytes::{Bytes, BytesMut};
use model::{Batch, Column, Payload};
use std::collections::VecDeque;
use xxhash_rust::xxh3::Xxh3Default;

/// What makes a part's frames a breach of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParcelError {
    /// The head announces more than a batch may be.
    #[error("a batch of {announced} bytes is announced, and at most {allowed} are allowed")]
    TooLarge {
        /// What the head says.
        announced: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// More bytes came than the head announced.
    #[error("more bytes follow than the part's head announced")]
    Overrun,
    /// A column does not decompress to what its head says.
    #[error("column {column:?} does not decompress: {cause}")]
    Codec {
        /// The column.
        column: String,
        /// What the codec says.
        cause: String,
    },
    /// A column is not what was read on the source.
    #[error("column {column:?} was changed on its way: its checksum differs")]
    Checksum {
        /// The column.
        column: String,
    },
}

/// Makes the frames of one part. `encode` says how a column's bytes are written.
pub fn pack(
    place: Place,
    batch: Batch,
    mut encode: impl FnMut(&Column) -> (Codec, Bytes),
) -> Vec<Frame> {
    let mut columns = Vec::with_capacity(batch.columns.len());
    let mut payloads = VecDeque::with_capacity(batch.columns.len());
    for column in batch.columns {
        let (codec, written) = encode(&column);
        columns.push(column_head(&column, codec, written.len()));
        payloads.push_back(written);
    }
    let head = PartHead {
        place,
        rows: batch.rows,
        columns,
    };
    std::iter::once(Frame::PartStart(head))
        .chain(pieces(payloads).map(Frame::Piece))
        .collect()
}

fn column_head(column: &Column, codec: Codec, wire_bytes: usize) -> ColumnHead {
    let (kind, raw) = match &column.payload {
        Payload::Scalars(bytes) => (PayloadKind::Scalars, bytes.clone()),
        Payload::Vectors(bytes) => (PayloadKind::Vectors, bytes.clone()),
        Payload::Structs(bytes) => (PayloadKind::Structs, bytes.clone()),
        Payload::Absent => (PayloadKind::Absent, Bytes::new()),
        Payload::File(bytes) => (PayloadKind::File, bytes.clone()),
    };
    ColumnHead {
        name: column.name.clone(),
        field_id: column.field_id,
        data_type: column.data_type,
        is_dynamic: column.is_dynamic,
        valid: column.valid.clone(),
        kind,
        codec,
        wire_bytes: wire_bytes as u64,
        raw_bytes: raw.len() as u64,
        checksum: checksum(&raw, &column.valid),
    }
}

fn checksum(raw: &[u8], valid: &[u8]) -> u64 {
    let mut hasher = Xxh3Default::new();
    hasher.update(raw);
    hasher.update(valid);
    hasher.digest()
}

/// Cuts the columns' bytes into pieces.
fn pieces(mut payloads: VecDeque<Bytes>) -> impl Iterator<Item = Piece> {
    std::iter::from_fn(move || {
        let mut parts = Vec::new();
        let mut room = MAX_PIECE_BYTES;
        while room > 0 {
            let Some(front) = payloads.front_mut() else {
                break;
            };
            let part = front.split_to(front.len().min(room));
            room -= part.len();
            if front.is_empty() {
                payloads.pop_front();
            }
            if !part.is_empty() {
                parts.push(part);
            }
        }
        (!parts.is_empty()).then_some(Piece { parts })
    })
}

/// A part that is arriving.
#[derive(Debug)]
pub struct Assembly {
    head: PartHead,
    parts: VecDeque<Bytes>,
    missing: u64,
}

impl Assembly {
    /// A part of which the head has arrived.
    ///
    /// # Errors
    /// When the head announces more raw or written bytes than `allowed_bytes`: nothing is kept of it.
    pub fn begin(head: PartHead, allowed_bytes: u64) -> Result<Self, ParcelError> {
        let sum = |size: fn(&ColumnHead) -> u64| {
            head.columns.iter().map(size).fold(0, u64::saturating_add)
        };
        let announced = sum(|column| column.raw_bytes.saturating_add(column.valid.len() as u64))
            .max(sum(|column| column.wire_bytes));
        if announced > allowed_bytes {
            return Err(ParcelError::TooLarge {
                announced,
                allowed: allowed_bytes,
            });
        }
        let missing = head.wire_bytes();
        Ok(Self {
            head,
            parts: VecDeque::new(),
            missing,
        })
    }

    /// Whether every byte is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Takes more of the part.
    ///
    /// # Errors
    /// When there is more than the head announced.
    pub fn handle_piece(&mut self, piece: Piece) -> Result<(), ParcelError> {
        self.missing = self
            .missing
            .checked_sub(piece.size_bytes() as u64)
            .ok_or(ParcelError::Overrun)?;
        self.parts
            .extend(piece.parts.into_iter().filter(|part| !part.is_empty()));
        Ok(())
    }

    /// The place and the rows of a complete part, checked. `decode` turns written bytes into raw ones, given how many those are.
    ///
    /// # Errors
    /// When a column does not decompress, or is not what the source read.
    pub fn into_batch(
        mut self,
        mut decode: impl FnMut(Codec, Bytes, u64) -> Result<Bytes, String>,
    ) -> Result<(Place, Batch), ParcelError> {
        let mut columns = Vec::with_capacity(self.head.columns.len());
        for head in std::mem::take(&mut self.head.columns) {
            let written = take_front(&mut self.parts, head.wire_bytes as usize);
            let raw = decode(head.codec, written, head.raw_bytes).map_err(|cause| {
                ParcelError::Codec {
                    column: head.name.clone(),
                    cause,
                }
            })?;
            if raw.len() as u64 != head.raw_bytes || checksum(&raw, &head.valid) != head.checksum {
                return Err(ParcelError::Checksum { column: head.name });
            }
            columns.push(column(head, raw));
        }
        let PartHead { place, rows, .. } = self.head;
        Ok((place, Batch { rows, columns }))
    }
}

fn column(head: ColumnHead, raw: Bytes) -> Column {
    let payload = match head.kind {
        PayloadKind::Scalars => Payload::Scalars(raw),
        PayloadKind::Vectors => Payload::Vectors(raw),
        PayloadKind::Structs => Payload::Structs(raw),
        PayloadKind::Absent => Payload::Absent,
        PayloadKind::File => Payload::File(raw),
    };
    let ColumnHead {
        name,
        field_id,
        data_type,
        is_dynamic,
        valid,
        ..
    } = head;
    Column {
        name,
        field_id,
        data_type,
        is_dynamic,
        valid,
        payload,
    }
}

/// Takes so many bytes off the front: without a copy when one part holds them all.
fn take_front(parts: &mut VecDeque<Bytes>, wanted: usize) -> Bytes {
    match parts.front_mut() {
        Some(front) if front.len() > wanted => front.split_to(wanted),
        Some(front) if front.len() == wanted => parts.pop_front().unwrap_or_default(),
        _ => {
            let mut gathered = BytesMut::with_capacity(wanted);
            while gathered.len() < wanted {
                let Some(front) = parts.front_mut() else {
                    break;
                };
                gathered
                    .extend_from_slice(&front.split_to(front.len().min(wanted - gathered.len())));
                if front.is_empty() {
                    parts.pop_front();
                }
            }
            gathered.freeze()
        }
    }
}

#[cfg(test)]
mod tests;
