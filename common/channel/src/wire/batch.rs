//! The frames of the data lanes.

use super::{Malformed, at_most, missing};
use model::{BatchIndex, CollectionIndex, DataType, UnitId};
use proto::agent as written;
use protocol::frame::{
    BatchHead, BatchName, Codec, ColumnHead, Confirm, MAX_PIECE_BYTES, PayloadKind, Piece,
};

/// More columns than any collection has: Milvus allows 64 fields, or 256 where an operator raised its limit.
const MAX_COLUMNS: u64 = 4096;

/// No column is longer, so that no sum over a head's columns overflows. What a receiver has room for is much less.
const MAX_COLUMN_BYTES: u64 = 1 << 40;

pub(super) fn write_head(head: BatchHead) -> written::BatchStart {
    written::BatchStart {
        name: Some(write_name(head.name)),
        unit_batches: head.unit_batches,
        partition: head.partition,
        part: head.part,
        is_last_part: head.is_last_part,
        rows: head.rows,
        columns: head.columns.into_iter().map(write_column).collect(),
    }
}

pub(super) fn read_head(head: written::BatchStart) -> Result<BatchHead, Malformed> {
    at_most(
        "batch",
        "the number of columns",
        head.columns.len() as u64,
        MAX_COLUMNS,
    )?;
    Ok(BatchHead {
        name: read_name(head.name)?,
        unit_batches: head.unit_batches,
        partition: head.partition,
        part: head.part,
        is_last_part: head.is_last_part,
        rows: head.rows,
        columns: head
            .columns
            .into_iter()
            .map(read_column)
            .collect::<Result<_, _>>()?,
    })
}

fn write_name(name: BatchName) -> written::BatchName {
    written::BatchName {
        job: name.job.into(),
        collection: name.unit.collection.number(),
        unit: name.unit.number,
        batch: name.index.number(),
    }
}

fn read_name(name: Option<written::BatchName>) -> Result<BatchName, Malformed> {
    let name = name.ok_or(missing("batch", "name"))?;
    let unit = UnitId {
        collection: CollectionIndex::new(name.collection),
        number: name.unit,
    };
    Ok(BatchName {
        job: name.job.parse()?,
        unit,
        index: BatchIndex::new(name.batch)?,
    })
}

fn write_column(column: ColumnHead) -> written::ColumnHead {
    let kind = match column.kind {
        PayloadKind::Scalars => written::PayloadKind::Scalars,
        PayloadKind::Vectors => written::PayloadKind::Vectors,
        PayloadKind::Structs => written::PayloadKind::Structs,
        PayloadKind::Absent => written::PayloadKind::Absent,
    };
    let codec = match column.codec {
        Codec::Plain => written::Codec::Plain,
        Codec::Zstd => written::Codec::Zstd,
    };
    written::ColumnHead {
        name: column.name,
        field_id: column.field_id,
        data_type: column.data_type.number(),
        is_dynamic: column.is_dynamic,
        valid: column.valid,
        kind: kind.into(),
        codec: codec.into(),
        wire_bytes: column.wire_bytes,
        raw_bytes: column.raw_bytes,
        checksum: column.checksum,
    }
}

fn read_column(column: written::ColumnHead) -> Result<ColumnHead, Malformed> {
    let kind = match column.kind() {
        written::PayloadKind::Scalars => PayloadKind::Scalars,
        written::PayloadKind::Vectors => PayloadKind::Vectors,
        written::PayloadKind::Structs => PayloadKind::Structs,
        written::PayloadKind::Absent => PayloadKind::Absent,
        written::PayloadKind::Unspecified => return Err(missing("column", "payload kind")),
    };
    let codec = match column.codec() {
        written::Codec::Plain => Codec::Plain,
        written::Codec::Zstd => Codec::Zstd,
        written::Codec::Unspecified => return Err(missing("column", "codec")),
    };
    Ok(ColumnHead {
        data_type: DataType::new(column.data_type),
        field_id: column.field_id,
        is_dynamic: column.is_dynamic,
        valid: column.valid,
        kind,
        codec,
        wire_bytes: at_most(
            "column",
            "its length as written",
            column.wire_bytes,
            MAX_COLUMN_BYTES,
        )?,
        raw_bytes: at_most(
            "column",
            "its raw length",
            column.raw_bytes,
            MAX_COLUMN_BYTES,
        )?,
        checksum: column.checksum,
        name: column.name,
    })
}

pub(super) fn read_piece(piece: written::Piece) -> Result<Piece, Malformed> {
    let piece = Piece { parts: piece.parts };
    at_most(
        "piece",
        "its length",
        piece.size_bytes() as u64,
        MAX_PIECE_BYTES as u64,
    )?;
    Ok(piece)
}

pub(super) fn write_confirm(confirm: Confirm) -> written::Confirm {
    written::Confirm {
        name: Some(write_name(confirm.name)),
        rows: confirm.rows,
        bytes: confirm.bytes,
    }
}

pub(super) fn read_confirm(confirm: written::Confirm) -> Result<Confirm, Malformed> {
    Ok(Confirm {
        name: read_name(confirm.name)?,
        rows: confirm.rows,
        bytes: confirm.bytes,
    })
}
