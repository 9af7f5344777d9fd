//! The frames of the data lanes.

use super::{Malformed, at_most, missing, read_name};
use model::{BatchIndex, CollectionIndex, DataType, Offset, Position, Tick, UnitId};
use proto::agent as written;
use protocol::frame::{
    BatchName, Cargo, Codec, ColumnHead, Confirm, FilePiece, MAX_PIECE_BYTES, PartHead,
    PayloadKind, Piece, Place, SegmentFile, StepName, Verb, Whole,
};

/// No column is longer, so that no sum over a head's columns overflows. What a receiver has room for is much less.
const MAX_COLUMN_BYTES: u64 = 1 << 40;

pub(super) fn write_head(head: PartHead) -> written::PartStart {
    let Place {
        whole,
        partition,
        part,
        is_last_part,
    } = head.place;
    written::PartStart {
        whole: Some(write_whole(whole)),
        partition,
        part,
        is_last_part,
        rows: head.rows,
        columns: head.columns.into_iter().map(write_column).collect(),
    }
}

pub(super) fn read_head(head: written::PartStart) -> Result<PartHead, Malformed> {
    let whole = head.whole.ok_or(missing("part", "whole"))?;
    let columns: Result<_, _> = head.columns.into_iter().map(read_column).collect();
    Ok(PartHead {
        place: Place {
            whole: read_whole(whole)?,
            partition: head.partition,
            part: head.part,
            is_last_part: head.is_last_part,
        },
        rows: head.rows,
        columns: columns?,
    })
}

fn write_whole(whole: Whole) -> written::part_start::Whole {
    match whole {
        Whole::Batch {
            name,
            unit_batches,
            is_again,
        } => written::part_start::Whole::Batch(written::Batch {
            name: Some(write_name(name)),
            unit_batches,
            is_again,
        }),
        Whole::Files {
            name,
            unit_batches,
            cargo,
            piece,
        } => written::part_start::Whole::Files(written::Files {
            name: Some(write_name(name)),
            unit_batches,
            cargo,
            piece: piece.map(write_file_piece),
        }),
        Whole::Import { name, cargo } => written::part_start::Whole::Import(written::Import {
            name: Some(write_name(name)),
            cargo: cargo.number,
            files: cargo.files,
            bytes: cargo.bytes,
            rows: cargo.rows,
            is_grouped: cargo.is_grouped,
        }),
        Whole::Step {
            name,
            verb,
            reached,
        } => written::part_start::Whole::Step(written::Step {
            name: Some(write_step(name)),
            verb: write_verb(verb).into(),
            reached: reached.into_iter().map(write_position).collect(),
        }),
    }
}

fn read_whole(whole: written::part_start::Whole) -> Result<Whole, Malformed> {
    match whole {
        written::part_start::Whole::Batch(batch) => Ok(Whole::Batch {
            name: read_batch_name(batch.name)?,
            unit_batches: batch.unit_batches,
            is_again: batch.is_again,
        }),
        written::part_start::Whole::Files(files) => Ok(Whole::Files {
            name: read_batch_name(files.name)?,
            unit_batches: files.unit_batches,
            cargo: files.cargo,
            piece: files.piece.map(read_file_piece),
        }),
        written::part_start::Whole::Import(import) => Ok(Whole::Import {
            name: read_batch_name(import.name)?,
            cargo: Cargo {
                number: import.cargo,
                files: import.files,
                bytes: import.bytes,
                rows: import.rows,
                is_grouped: import.is_grouped,
            },
        }),
        written::part_start::Whole::Step(step) => Ok(Whole::Step {
            verb: read_verb(step.verb())?,
            name: read_step(step.name.ok_or(missing("step", "name"))?)?,
            reached: step.reached.into_iter().map(read_position).collect(),
        }),
    }
}

fn write_file_piece(piece: FilePiece) -> written::FilePiece {
    let SegmentFile {
        segment,
        field,
        log,
    } = piece.file;
    written::FilePiece {
        segment,
        field,
        log,
        offset: piece.offset,
        file_bytes: piece.file_bytes,
    }
}

fn read_file_piece(piece: written::FilePiece) -> FilePiece {
    FilePiece {
        file: SegmentFile {
            segment: piece.segment,
            field: piece.field,
            log: piece.log,
        },
        offset: piece.offset,
        file_bytes: piece.file_bytes,
    }
}

fn write_step(name: StepName) -> written::StepName {
    written::StepName {
        job: name.job.into(),
        collection: name.collection.number(),
        run: name.run,
        number: name.number,
    }
}

fn read_step(name: written::StepName) -> Result<StepName, Malformed> {
    Ok(StepName {
        job: read_name("step", &name.job)?,
        collection: CollectionIndex::new(name.collection),
        run: name.run,
        number: name.number,
    })
}

fn write_verb(verb: Verb) -> written::Verb {
    match verb {
        Verb::Delete => written::Verb::Delete,
        Verb::Upsert => written::Verb::Upsert,
        Verb::CreatePartition => written::Verb::CreatePartition,
        Verb::DropPartition => written::Verb::DropPartition,
    }
}

fn read_verb(verb: written::Verb) -> Result<Verb, Malformed> {
    match verb {
        written::Verb::Delete => Ok(Verb::Delete),
        written::Verb::Upsert => Ok(Verb::Upsert),
        written::Verb::CreatePartition => Ok(Verb::CreatePartition),
        written::Verb::DropPartition => Ok(Verb::DropPartition),
        written::Verb::Unspecified => Err(missing("step", "verb")),
    }
}

fn write_position(position: Position) -> written::Position {
    let offset = position.offset.bits();
    written::Position {
        channel: position.channel,
        offset: offset as u64,
        offset_high: (offset >> u64::BITS) as u64,
        tick: position.tick.number(),
    }
}

fn read_position(position: written::Position) -> Position {
    let [high, low] = [position.offset_high, position.offset].map(u128::from);
    Position {
        channel: position.channel,
        offset: Offset::from_bits(high << u64::BITS | low),
        tick: Tick::new(position.tick),
    }
}

fn write_name(name: BatchName) -> written::BatchName {
    written::BatchName {
        job: name.job.into(),
        collection: name.unit.collection.number(),
        unit: name.unit.number,
        batch: name.index.number(),
    }
}

fn read_batch_name(name: Option<written::BatchName>) -> Result<BatchName, Malformed> {
    let name = name.ok_or(missing("batch", "name"))?;
    let unit = UnitId {
        collection: CollectionIndex::new(name.collection),
        number: name.unit,
    };
    Ok(BatchName {
        job: read_name("batch", &name.job)?,
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
        PayloadKind::File => written::PayloadKind::File,
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
        written::PayloadKind::File => PayloadKind::File,
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
    let what = match confirm {
        Confirm::Batch { name, rows, bytes } => {
            written::confirm::What::Batch(written::ConfirmedBatch {
                name: Some(write_name(name)),
                rows,
                bytes,
            })
        }
        Confirm::Step(name) => written::confirm::What::Step(write_step(name)),
    };
    written::Confirm { what: Some(what) }
}

pub(super) fn read_confirm(confirm: written::Confirm) -> Result<Confirm, Malformed> {
    match confirm.what.ok_or(missing("confirmation", "subject"))? {
        written::confirm::What::Batch(batch) => Ok(Confirm::Batch {
            name: read_batch_name(batch.name)?,
            rows: batch.rows,
            bytes: batch.bytes,
        }),
        written::confirm::What::Step(step) => read_step(step).map(Confirm::Step),
    }
}
