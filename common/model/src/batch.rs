//! Rows on their way: columns that stay encoded as Milvus encoded them.

use crate::DataType;
use bytes::Bytes;

/// The encoded values of a column: the body of Milvus's `ScalarField` or `VectorField` message, or of `StructArrayField`, untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A serialized `schema.ScalarField`.
    Scalars(Bytes),
    /// A serialized `schema.VectorField`.
    Vectors(Bytes),
    /// A serialized `schema.StructArrayField`.
    Structs(Bytes),
    /// No data message at all: a column whose every value is null.
    Absent,
    /// Bytes of a file, which are no rows' values.
    File(Bytes),
}

impl Payload {
    /// The encoded bytes; empty where there are none.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Scalars(bytes)
            | Self::Vectors(bytes)
            | Self::Structs(bytes)
            | Self::File(bytes) => bytes.clone(),
            Self::Absent => Bytes::new(),
        }
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Scalars(bytes)
            | Self::Vectors(bytes)
            | Self::Structs(bytes)
            | Self::File(bytes) => bytes.len(),
            Self::Absent => 0,
        }
    }

    /// Whether there is not a byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One column of a batch: the parts of Milvus's `FieldData`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The field's name; `$meta` for the dynamic column.
    pub name: String,
    /// The field's id on the source.
    pub field_id: i64,
    /// The field's type.
    pub data_type: DataType,
    /// Whether this is the dynamic column.
    pub is_dynamic: bool,
    /// One flag a row, false for null; empty when no value is null. As bytes of 0 and 1, which is their wire form.
    pub valid: Bytes,
    /// The values.
    pub payload: Payload,
}

/// Some rows of one partition, by column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// How many rows.
    pub rows: u32,
    /// The columns, each with `rows` values.
    pub columns: Vec<Column>,
}

impl Batch {
    /// The bytes of all values: what the batch costs in memory, and nearly on the wire.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.columns
            .iter()
            .map(|column| column.payload.len() + column.valid.len())
            .sum()
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
