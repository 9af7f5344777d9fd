//! The values of one field.

use crate::envelope::{self, Descriptor};
use crate::{BinlogError, Blobs, parquet};
use ::parquet::basic::Type;
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use bytes::Bytes;

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
/// [`BinlogError`] when it is cut short, malformed, encrypted, or holds what this build does not know.
pub fn read_field(file: &Bytes) -> Result<FieldLog, BinlogError> {
    let opened = envelope::open(file, envelope::INSERT)?;
    let descriptor = opened.descriptor;
    let (mut read, data_type) = (Read::default(), descriptor.data_type);
    for payload in opened.payloads {
        parquet::read(payload, 1, data_type, |parquet| {
            read.column(parquet, 0, data_type)
        })?;
    }
    let Read { valid, values } = read;
    let values = values.unwrap_or(Values::Blobs(Blobs::default()));
    let rows = valid.len();
    Ok(FieldLog {
        descriptor,
        rows,
        valid: if values.len() == rows {
            Vec::new()
        } else {
            valid
        },
        values,
    })
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
    ) -> Result<(), BinlogError> {
        for group in 0..parquet.num_row_groups() {
            let group = parquet.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            match group.get_column_reader(column)? {
                ColumnReader::BoolColumnReader(reader) => {
                    let found = self.values(reader, rows)?;
                    self.put(data_type, found, Values::Bools)?;
                }
                ColumnReader::Int32ColumnReader(reader) => {
                    let found = self.values(reader, rows)?;
                    let found = found.into_iter().map(i64::from).collect();
                    self.put(data_type, found, Values::Ints)?;
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    let found = self.values(reader, rows)?;
                    self.put(data_type, found, Values::Ints)?;
                }
                ColumnReader::FloatColumnReader(reader) => {
                    let found = self.values(reader, rows)?;
                    self.put(data_type, found, Values::Floats)?;
                }
                ColumnReader::DoubleColumnReader(reader) => {
                    let found = self.values(reader, rows)?;
                    self.put(data_type, found, Values::Doubles)?;
                }
                ColumnReader::ByteArrayColumnReader(reader) => {
                    let found: Vec<ByteArray> = self.values(reader, rows)?;
                    self.put_blobs(data_type, &found)?;
                }
                ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                    let found: Vec<FixedLenByteArray> = self.values(reader, rows)?;
                    self.put_vectors(data_type, &found)?;
                }
                ColumnReader::Int96ColumnReader(_) => {
                    return Err(unknown(data_type, Type::INT96));
                }
            }
        }
        Ok(())
    }

    /// The values of a column in a group of rows; notes which rows have one.
    fn values<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        rows: usize,
    ) -> Result<Vec<T::T>, BinlogError> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < rows {
            let (read, ..) =
                reader.read_records(rows - done, Some(&mut levels), None, &mut values)?;
            if read == 0 {
                let what = format!("{rows} rows were announced, and {done} are there");
                return Err(BinlogError::Parquet { what });
            }
            done += read;
        }
        if levels.is_empty() {
            self.valid.resize(self.valid.len() + rows, true);
        } else {
            self.valid.extend(levels.iter().map(|level| *level > 0));
        }
        Ok(values)
    }

    /// Adds values to those of the groups and events before.
    fn put<V>(
        &mut self,
        data_type: i32,
        mut found: Vec<V>,
        kind: impl Fn(Vec<V>) -> Values,
    ) -> Result<(), BinlogError>
    where
        Values: AsList<V>,
    {
        match &mut self.values {
            None => self.values = Some(kind(found)),
            Some(values) => match values.as_list() {
                Some(list) => list.append(&mut found),
                None => return Err(mixed(data_type)),
            },
        }
        Ok(())
    }

    fn put_blobs(&mut self, data_type: i32, found: &[ByteArray]) -> Result<(), BinlogError> {
        match self
            .values
            .get_or_insert_with(|| Values::Blobs(Blobs::default()))
        {
            Values::Blobs(blobs) => {
                found.iter().for_each(|blob| blobs.push(blob.data()));
                Ok(())
            }
            _ => Err(mixed(data_type)),
        }
    }

    fn put_vectors(
        &mut self,
        data_type: i32,
        found: &[FixedLenByteArray],
    ) -> Result<(), BinlogError> {
        let Some(first) = found.first() else {
            return Ok(());
        };
        let before = self.values.get_or_insert_with(|| Values::Vectors {
            width: first.len(),
            bytes: Vec::with_capacity(first.len() * found.len()),
        });
        match before {
            Values::Vectors { width, bytes } if *width == first.len() => {
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
