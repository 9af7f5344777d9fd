//! What can be wrong with a file.

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BinlogError {
    /// It does not begin as Milvus's files do.
    #[error("the file is no binlog of Milvus: it begins with {found}")]
    NotABinlog {
        /// Its first bytes, in hexadecimal.
        found: String,
    },
    /// It ends where there should be more.
    #[error("the file is cut short: {wanted} bytes were to follow at byte {at}, and {there} do")]
    CutShort {
        /// Where.
        at: usize,
        /// How many bytes were to follow.
        wanted: usize,
        /// How many do.
        there: usize,
    },
    /// A length or a place that can't be.
    #[error("the file is malformed at byte {at}: {what}")]
    Malformed {
        /// Where.
        at: usize,
        /// What can't be.
        what: String,
    },
    /// An event that this build does not know, or that has no place in such a file.
    #[error("the file has an event of kind {kind} at byte {at}, which can't be read")]
    UnknownEvent {
        /// Milvus's number of its kind.
        kind: i8,
        /// Where it begins.
        at: usize,
    },
    /// It is encrypted.
    #[error("the file is encrypted")]
    Encrypted,
    /// Values of a kind that this build does not know, or that another type has.
    #[error("values of Milvus's type {data_type} can't be read from Parquet's {found}")]
    UnknownValues {
        /// Milvus's number of the type.
        data_type: i32,
        /// What Parquet says that the values are.
        found: String,
    },
    /// A field that a file of several fields lacks, or has as a list.
    #[error("the file has no field {field} that can be read")]
    NoField {
        /// The field's id.
        field: i64,
    },
    /// The Parquet in it.
    #[error("the Parquet in the file can't be read: {what}")]
    Parquet {
        /// What its reader says.
        what: String,
    },
    /// More than any file of Milvus's holds: a spoilt or a hostile one.
    #[error("{what} of the file take more than {most} bytes")]
    Beyond {
        /// What takes so much.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A delete that can't be read.
    #[error("delete {index} of the file can't be read: {what}")]
    Delete {
        /// Which, from 0.
        index: usize,
        /// Why.
        what: String,
    },
}

impl From<::parquet::errors::ParquetError> for BinlogError {
    fn from(error: ::parquet::errors::ParquetError) -> Self {
        Self::Parquet {
            what: error.to_string(),
        }
    }
}
