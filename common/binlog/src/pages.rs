//! The pages of a column, looked at before they are unpacked.
//!
//! ```text
//! dictionary │ data │ data │ …      each: head (Thrift), then as many bytes as it says, packed
//! ```
//! The Parquet reader makes room for what a head announces before it has seen a value, and panics at an encoding that is not what it
//! expects. So what the heads announce is bounded here, and an encoding that Milvus does not write is refused by its number.

use crate::BinlogError;
use crate::room::Room;
use crate::shapes;
use crate::thrift::{Structure, Value};
use ::parquet::basic::Type;
use ::parquet::file::metadata::ColumnChunkMetaData;

/// The most bytes that a page and the dictionary before it unpack to. A page is cut at 1 MiB, but not before 1024 values are in it.
pub(crate) const MOST_PAGE_BYTES: usize = 128 << 20;

/// The most values in a dictionary, which is cut at 1 MiB in the same way.
const MOST_ENTRIES: usize = 1 << 20;

/// What a page costs whatever is in it.
const PAGE_BYTES: usize = 256;

/// The values of a head: it has 16, and those of its statistics.
const MOST_HEAD_VALUES: usize = 64;

/// Parquet's numbers of the kinds of pages, and of encodings.
const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;
const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE: i64 = 3;
const RLE_DICTIONARY: i64 = 8;

/// Looks at the pages of a column in a group of rows: of no nested one, by all of its bytes.
///
/// # Errors
/// [`BinlogError`] when they are malformed, hold another number of rows, unpack to more than there is room for, or are of a kind that this
/// build does not know.
pub(crate) fn look(
    chunk: &[u8],
    column: &ColumnChunkMetaData,
    rows: usize,
    room: &mut Room,
) -> Result<(), BinlogError> {
    let end = chunk.len();
    let mut looking = Looking {
        column,
        dictionary_bytes: None,
        rows: 0,
    };
    let mut at = 0;
    while at < end {
        let head = Structure::read(&chunk[at..], MOST_HEAD_VALUES);
        let (head, length) = head.ok_or_else(|| malformed("a page has no head"))?;
        at += length;
        at += looking.page(&head, end - at, room)?;
    }
    if looking.rows == rows {
        return Ok(());
    }
    let there = looking.rows;
    Err(malformed(&format!(
        "{rows} rows were announced, and {there} are there"
    )))
}

struct Looking<'a> {
    column: &'a ColumnChunkMetaData,
    /// The unpacked length of the dictionary, if there is one.
    dictionary_bytes: Option<usize>,
    /// Those in the pages so far.
    rows: usize,
}

impl Looking<'_> {
    /// Looks at a page, behind whose head there are so many bytes, and gives its packed length.
    fn page(
        &mut self,
        head: &Structure,
        left: usize,
        room: &mut Room,
    ) -> Result<usize, BinlogError> {
        let odd = || malformed("a page's head is not understood");
        if !head.fits(shapes::PAGE) {
            return Err(odd());
        }
        let (unpacked, packed) = head.count(2).zip(head.count(3)).ok_or_else(odd)?;
        if packed > left {
            return Err(malformed("a page is cut short"));
        }
        let held = unpacked.saturating_add(self.dictionary_bytes.unwrap_or_default());
        if held > MOST_PAGE_BYTES {
            let what = "a page and its dictionary";
            let most = MOST_PAGE_BYTES;
            return Err(BinlogError::Beyond { what, most });
        }
        room.unpack(unpacked + PAGE_BYTES)?;
        let inner = |field| match head.get(field) {
            Some(Value::Structure(inner)) => Ok(inner),
            _ => Err(odd()),
        };
        match head.number(1) {
            Some(DICTIONARY) => self.dictionary(inner(7)?, unpacked)?,
            Some(DATA) => {
                let inner = inner(5)?;
                self.levels(inner.number(3).ok_or_else(odd)?)?;
                self.data(inner.count(1).ok_or_else(odd)?, inner.number(2))?;
            }
            Some(DATA_V2) => {
                let inner = inner(8)?;
                let levels = inner.count(5).zip(inner.count(6)).ok_or_else(odd)?;
                if levels.0 + levels.1 > packed.min(unpacked) {
                    return Err(malformed("a page's levels lie beyond its end"));
                }
                self.data(inner.count(1).ok_or_else(odd)?, inner.number(4))?;
            }
            _ => return Err(malformed("a page of a kind that Milvus does not write")),
        }
        Ok(packed)
    }

    fn dictionary(&mut self, head: &Structure, unpacked: usize) -> Result<(), BinlogError> {
        let is_first = self.rows == 0 && self.dictionary_bytes.replace(unpacked).is_none();
        let entries = head.count(1).filter(|entries| *entries <= MOST_ENTRIES);
        match (entries, head.number(2)) {
            (Some(_), Some(PLAIN | PLAIN_DICTIONARY)) if is_first => Ok(()),
            _ => Err(malformed("its dictionary can't be one of Milvus's")),
        }
    }

    fn data(&mut self, rows: usize, encoding: Option<i64>) -> Result<(), BinlogError> {
        self.rows = self.rows.saturating_add(rows);
        match encoding {
            Some(PLAIN) => Ok(()),
            Some(RLE) if self.column.column_type() == Type::BOOLEAN => Ok(()),
            Some(PLAIN_DICTIONARY | RLE_DICTIONARY) if self.dictionary_bytes.is_some() => Ok(()),
            Some(encoding) => Err(malformed(&format!(
                "Parquet's encoding {encoding} is not one that Milvus writes"
            ))),
            None => Err(malformed("a page has no encoding")),
        }
    }

    /// The encoding of which values are null, where one may be.
    fn levels(&self, encoding: i64) -> Result<(), BinlogError> {
        let is_nullable = self.column.column_descr().max_def_level() > 0;
        if is_nullable && encoding != RLE {
            return Err(malformed("its nulls are encoded as Milvus does not"));
        }
        Ok(())
    }
}

fn malformed(what: &str) -> BinlogError {
    BinlogError::Parquet { what: what.into() }
}
