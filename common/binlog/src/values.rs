//! The values of one field.

use crate::envelope::{self, Descriptor};
use crate::room::Room;
use crate::{BinlogError, Blobs, parquet};
use ::parquet::basic::Type;
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use bytes::Bytes;
use std::ops::Range;

/// How many values are taken at once from a column: so many more than are kept are in memory.
const AT_ONCE: usize = 8192;

/// Values, nulls left out.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Truth values.
    Bools(Vec<bool>),
    /// Integers of any width.
    Ints(Vec<i64>),
    /// Single-precision numbers.
    Floats(Vec<f32>),
    /// Double-precision numbers.
    Doubles(Vec<f64>),
    /// Texts, JSON, arrays (a serialized `schema.ScalarField` each), sparse vectors, and vectors of a field that may be null.
    Blobs(Blobs),
    /// Dense vectors, one behind the other.
    Vectors {
        /// The bytes of each.
        width: usize,
        /// All of them.
        bytes: Vec<u8>,
    },
}

impl Values {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bools(values) => values.len(),
            Self::Ints(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Blobs(values) => values.len(),
            Self::Vectors { width, bytes } => bytes.len() / width.max(&1),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The values of one field of some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValues {
    /// How many rows.
    pub rows: usize,
    /// One flag a row, false for null; empty when no value is null.
    pub valid: Vec<bool>,
    /// The values, nulls left out.
    pub values: Values,
}

/// A file of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldLog {
    /// What the file says of itself.
    pub descriptor: Descriptor,
    /// How many rows.
    pub rows: usize,
    /// One flag a row, false for null; empty when no value is null.
    pub valid: Vec<bool>,
    /// The values, nulls left out.
    pub values: Values,
}

/// Reads a file of `insert_log`.
///
/// # Errors
/// [`BinlogError`] when it is cut short, malformed, encrypted, or holds what this build does not know or more than any file of Milvus's.
pub fn read_field(file: &Bytes) -> Result<FieldLog, BinlogError> {
    let opened = envelope::open(file, envelope::INSERT)?;
    let descriptor = opened.descriptor;
    let (mut read, data_type) = (Read::default(), descriptor.data_type);
    let mut room = Room::new();
    for payload in opened.payloads {
        parquet::read(payload, 1, data_type, &mut room, |parquet, room| {
            read.column(parquet, 0, data_type, room)
        })?;
    }
    let FieldValues {
        rows,
        valid,
        values,
    } = read.into_values();
    Ok(FieldLog {
        descriptor,
        rows,
        valid,
        values,
    })
}

impl From<FieldLog> for FieldValues {
    fn from(log: FieldLog) -> Self {
        Self {
            rows: log.rows,
            valid: log.valid,
            values: log.values,
        }
    }
}

/// What was read of a column so far.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// One flag a row.
    pub(crate) valid: Vec<bool>,
    pub(crate) values: Option<Values>,
}

impl Read {
    /// Reads a column to its end.
    pub(crate) fn column(
        &mut self,
        parquet: &SerializedFileReader<Bytes>,
        column: usize,
        data_type: i32,
        room: &mut Room,
    ) -> Result<(), BinlogError> {
        for group in 0..parquet.num_row_groups() {
            let group = parquet.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            let reader = group.get_column_reader(column)?;
            self.chunk(reader, 0..rows, data_type, room)?;
        }
        Ok(())
    }

    /// Reads these rows of a column in a group of rows.
    pub(crate) fn chunk(
        &mut self,
        reader: ColumnReader,
        rows: Range<usize>,
        data_type: i32,
        room: &mut Room,
    ) -> Result<(), BinlogError> {
        match reader {
            ColumnReader::BoolColumnReader(reader) => {
                self.values(reader, &rows, room, |read, found, room| {
                    read.put(data_type, found.drain(..), Values::Bools, room)
                })?;
            }
            ColumnReader::Int32ColumnReader(reader) => {
                self.values(reader, &rows, room, |read, found, room| {
                    let found = found.drain(..).map(i64::from);
                    read.put(data_type, found, Values::Ints, room)
                })?;
            }
            ColumnReader::Int64ColumnReader(reader) => {
                self.values(reader, &rows, room, |read, found, room| {
                    read.put(data_type, found.drain(..), Values::Ints, room)
                })?;
            }
            ColumnReader::FloatColumnReader(reader) => {
                self.values(reader, &rows, room, |read, found, room| {
                    read.put(data_type, found.drain(..), Values::Floats, room)
                })?;
            }
            ColumnReader::DoubleColumnReader(reader) => {
                self.values(reader, &rows, room, |read, found, room| {
                    read.put(data_type, found.drain(..), Values::Doubles, room)
                })?;
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                self.values(reader, &rows, room, |read, found, room| {
                    read.put_blobs(data_type, found, room)
                })?;
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                self.values(reader, &rows, room, |read, found, room| {
                    read.put_vectors(data_type, found, room)
                })?;
            }
            ColumnReader::Int96ColumnReader(_) => {
                return Err(unknown(data_type, Type::INT96));
            }
        }
        Ok(())
    }

    /// What was read.
    pub(crate) fn into_values(self) -> FieldValues {
        let values = self.values.unwrap_or(Values::Blobs(Blobs::default()));
        let rows = self.valid.len();
        let has_nulls = values.len() != rows;
        FieldValues {
            rows,
            valid: if has_nulls { self.valid } else { Vec::new() },
            values,
        }
    }

    /// The values of a column in a group of rows, some at a time; notes which rows have one.
    fn values<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        rows: &Range<usize>,
        room: &mut Room,
        put: impl Fn(&mut Self, &mut Vec<T::T>, &mut Room) -> Result<(), BinlogError>,
    ) -> Result<(), BinlogError> {
        let (first, rows) = (rows.start, rows.len());
        if first > 0 && reader.skip_records(first)? != first {
            let what = format!("there are no {first} rows to be passed over");
            return Err(BinlogError::Parquet { what });
        }
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        // No rows are of a kind, too.
        put(self, &mut values, room)?;
        let mut done = 0;
        while done < rows {
            let most = AT_ONCE.min(rows - done);
            let (read, ..) = reader.read_records(most, Some(&mut levels), None, &mut values)?;
            if read == 0 {
                let what = format!("{rows} rows were announced, and {done} are there");
                return Err(BinlogError::Parquet { what });
            }
            room.keep(read, size_of::<bool>())?;
            if levels.is_empty() {
                self.valid.resize(self.valid.len() + read, true);
            } else {
                self.valid.extend(levels.drain(..).map(|level| level > 0));
            }
            put(self, &mut values, room)?;
            values.clear();
            done += read;
        }
        Ok(())
    }

    /// Adds values to those of the groups and events before.
    fn put<V>(
        &mut self,
        data_type: i32,
        found: impl ExactSizeIterator<Item = V>,
        kind: impl Fn(Vec<V>) -> Values,
        room: &mut Room,
    ) -> Result<(), BinlogError>
    where
        Values: AsList<V>,
    {
        let values = self.values.get_or_insert_with(|| kind(Vec::new()));
        let list = values.as_list().ok_or_else(|| mixed(data_type))?;
        room.keep(found.len(), size_of::<V>())?;
        list.extend(found);
        Ok(())
    }

    fn put_blobs(
        &mut self,
        data_type: i32,
        found: &[ByteArray],
        room: &mut Room,
    ) -> Result<(), BinlogError> {
        let values = self
            .values
            .get_or_insert_with(|| Values::Blobs(Blobs::default()));
        let Values::Blobs(blobs) = values else {
            return Err(mixed(data_type));
        };
        for blob in found {
            room.keep(1, size_of::<usize>() + blob.len())?;
            blobs.push(blob.data());
        }
        Ok(())
    }

    fn put_vectors(
        &mut self,
        data_type: i32,
        found: &[FixedLenByteArray],
        room: &mut Room,
    ) -> Result<(), BinlogError> {
        let Some(first) = found.first() else {
            return Ok(());
        };
        let before = self.values.get_or_insert_with(|| Values::Vectors {
            width: first.len(),
            bytes: Vec::new(),
        });
        match before {
            Values::Vectors { width, bytes } if *width == first.len() => {
                room.keep(found.len(), *width)?;
                for vector in found {
                    bytes.extend_from_slice(vector.data());
                }
                Ok(())
            }
            _ => Err(mixed(data_type)),
        }
    }
}

/// The list of values of one kind, if a field has that.
trait AsList<V> {
    fn as_list(&mut self) -> Option<&mut Vec<V>>;
}

macro_rules! as_list {
    ($($kind:ident of $value:ty),*) => {$(
        impl AsList<$value> for Values {
            fn as_list(&mut self) -> Option<&mut Vec<$value>> {
                match self {
                    Self::$kind(list) => Some(list),
                    _ => None,
                }
            }
        }
    )*};
}

as_list!(Bools of bool, Ints of i64, Floats of f32, Doubles of f64);

fn unknown(data_type: i32, found: Type) -> BinlogError {
    let found = found.to_string();
    BinlogError::UnknownValues { data_type, found }
}

fn mixed(data_type: i32) -> BinlogError {
    let found = "values of several kinds".to_owned();
    BinlogError::UnknownValues { data_type, found }
}
