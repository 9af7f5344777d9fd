//! What travels on a lane.

use crate::{Hello, call::CallId};
use bytes::Bytes;
use model::{BatchIndex, CollectionIndex, DataType, Fault, JobName, Position, UnitId};

/// The most bytes that the parts of one [`Piece`] hold together.
pub const MAX_PIECE_BYTES: usize = 256 << 10;

/// The most bytes that any frame takes on the wire. A larger one is a breach of the protocol.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// One message on a lane.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// Who is there: the first frame in each direction on the control lane.
    Hello(Hello),
    /// The peer is refused, or the session ends; the last frame in its direction.
    Refused(Fault),
    /// A sign of life.
    Heartbeat,
    /// A question, on the control lane. Its body is the JSON form of a [`crate::Call`].
    Call {
        /// Names the call among those of its sender.
        id: CallId,
        /// The W3C trace context that the callee's spans belong to; may be empty.
        traceparent: String,
        /// The question.
        body: Bytes,
    },
    /// The answer to a call. Its body is the JSON form of an [`crate::Answer`].
    Reply {
        /// The call.
        id: CallId,
        /// The answer, or why there is none.
        body: Result<Bytes, Fault>,
    },
    /// News that need no answer, on the control lane: the JSON form of a [`crate::Note`].
    Note(Bytes),
    /// A part of a batch or of a step begins, on a data lane.
    PartStart(PartHead),
    /// More of the part that has begun.
    Piece(Piece),
    /// The sender of batches may send so many bytes more on this lane.
    Credit(u64),
    /// A batch or a step is durable on the target.
    Confirm(Confirm),
}

/// Names a batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchName {
    /// The job.
    pub job: JobName,
    /// The unit.
    pub unit: UnitId,
    /// The place in the unit.
    pub index: BatchIndex,
}

/// Names a step: some changes of a collection that are applied together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StepName {
    /// The job.
    pub job: JobName,
    /// The collection.
    pub collection: CollectionIndex,
    /// Which following of the collection's log this is, as the target numbered it: a step of an earlier one is not applied.
    pub run: u64,
    /// The place of the step in its run, from 1.
    pub number: u64,
}

/// What the rows of a part of a step are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Rows with these keys, which are the part's only column, are deleted.
    Delete,
    /// These rows are written in place of those with the same keys.
    Upsert,
    /// The part's partition is created; there are no rows.
    CreatePartition,
    /// The part's partition is dropped; there are no rows.
    DropPartition,
}

/// What a part is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whole {
    /// A batch of rows that are copied.
    Batch {
        /// The batch.
        name: BatchName,
        /// How many batches its unit has.
        unit_batches: u32,
        /// Whether some of its rows may be there already, by other batches.
        is_again: bool,
    },
    /// A batch of files of a segment, as the source's Milvus wrote them. Each part has a piece of a file as its only column; the
    /// pieces of a file follow each other.
    Files {
        /// The batch.
        name: BatchName,
        /// How many batches its unit has.
        unit_batches: u32,
        /// Which files are imported together: those of the same cargo.
        cargo: u32,
        /// What this part is a piece of; `None` in a batch without files.
        piece: Option<FilePiece>,
    },
    /// The order to import a cargo, all of which has arrived. It has no rows, and its unit no other batch.
    Import {
        /// The batch.
        name: BatchName,
        /// What is to be imported.
        cargo: Cargo,
    },
    /// A step of changes that are applied. Its parts are applied one after the other.
    Step {
        /// The step.
        name: StepName,
        /// What this part's rows are for.
        verb: Verb,
        /// How far the log is applied when the whole step is.
        reached: Vec<Position>,
    },
}

impl Whole {
    /// The job and the collection that it belongs to.
    #[must_use]
    pub fn collection(&self) -> (&JobName, CollectionIndex) {
        match self {
            Self::Batch { name, .. } | Self::Files { name, .. } | Self::Import { name, .. } => {
                (&name.job, name.unit.collection)
            }
            Self::Step { name, .. } => (&name.job, name.collection),
        }
    }
}

/// A file of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFile {
    /// The segment.
    pub segment: i64,
    /// The field whose values it holds; `None` for a file of deletes.
    pub field: Option<i64>,
    /// The file's number among those of the field.
    pub log: i64,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePiece {
    /// The file.
    pub file: SegmentFile,
    /// Where in it the piece begins.
    pub offset: u64,
    /// How long the whole file is.
    pub file_bytes: u64,
}

/// Files that are imported together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cargo {
    /// Their number in the collection.
    pub number: u32,
    /// How many files there are.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many rows an import makes of them.
    pub rows: u64,
    /// Whether the files of rows hold several fields each.
    pub is_grouped: bool,
}

/// Where a part of a batch or of a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is a part of.
    pub whole: Whole,
    /// The partition, where partitions are addressed.
    pub partition: Option<String>,
    /// Which part this is, from 0.
    pub part: u32,
    /// Whether it is the last.
    pub is_last_part: bool,
}

/// What a part is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// Where it stands.
    pub place: Place,
    /// How many rows it has.
    pub rows: u32,
    /// The columns, in the order in which their bytes follow.
    pub columns: Vec<ColumnHead>,
}

impl PartHead {
    /// The bytes that follow the head.
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.wire_bytes).sum()
    }

    /// The bytes that the part takes once it is decompressed: what it costs its receiver.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.columns
            .iter()
            .map(|column| column.raw_bytes + column.valid.len() as u64)
            .sum()
    }
}

/// Which of Milvus's messages a column's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadKind {
    /// `schema.ScalarField`.
    Scalars,
    /// `schema.VectorField`.
    Vectors,
    /// `schema.StructArrayField`.
    Structs,
    /// None: every value is null.
    Absent,
    /// Bytes of a file.
    File,
}

/// How a column's bytes are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As they are.
    Plain,
    /// One zstd frame.
    Zstd,
}

/// What a column is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnHead {
    /// The field's name.
    pub name: String,
    /// The field's id on the source.
    pub field_id: i64,
    /// The field's type.
    pub data_type: DataType,
    /// Whether this is the dynamic column.
    pub is_dynamic: bool,
    /// One byte a row, 0 for null; empty when no value is null.
    pub valid: Bytes,
    /// What the bytes are.
    pub kind: PayloadKind,
    /// How they are written.
    pub codec: Codec,
    /// Their number as they are written.
    pub wire_bytes: u64,
    /// Their number as Milvus gave them.
    pub raw_bytes: u64,
    /// XXH3-64 of the bytes as Milvus gave them, followed by those of `valid`.
    pub checksum: u64,
}

/// Some of a part's bytes: the columns' bytes end to end, cut wherever a piece is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Runs of bytes, to be read one after the other.
    pub parts: Vec<Bytes>,
}

impl Piece {
    /// How many bytes there are in all parts.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }
}

/// Something is durable: Milvus has acknowledged it, and the target's journal says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// A batch.
    Batch {
        /// The batch.
        name: BatchName,
        /// How many rows it has.
        rows: u64,
        /// How many bytes of values.
        bytes: u64,
    },
    /// A step, and so every one before it.
    Step(StepName),
}
