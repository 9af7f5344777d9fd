//! The end of a Parquet file, looked at before its reader trusts it.
//!
//! ```text
//! … │ footer (Thrift) │ its length u32 │ "PAR1"
//! ```
//! The Parquet reader makes room for as many groups of rows and columns as are announced, and goes down into a schema as deep as it is.

use crate::BinlogError;
use crate::shapes;
use crate::thrift::{Structure, Value};

const END: &[u8] = b"PAR1";

/// How large the footer of a sound file is at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    bytes: usize,
    /// Numbers, texts and the like.
    values: usize,
    /// Columns, and what they lie in.
    in_schema: usize,
}

/// Of a file of one field, or of deletes. A group of rows takes some hundred bytes in it, and Milvus writes one or a few of one or two
/// columns.
pub(crate) const OF_A_FIELD: Limits = Limits {
    bytes: 4 << 20,
    values: 1 << 19,
    in_schema: 64,
};

/// Of a file of several fields, which may hold a whole segment: a thousand groups of rows and more, of as many columns as fields. The least
/// and the greatest text of a column stand there too, up to 4 KiB each.
pub(crate) const OF_A_GROUP: Limits = Limits {
    bytes: 32 << 20,
    values: 1 << 22,
    in_schema: 1024,
};

impl Limits {
    /// Makes sure that a footer of this length is none too long.
    ///
    /// # Errors
    /// [`BinlogError::Beyond`] when it is.
    pub(crate) fn ensure(&self, length: usize) -> Result<(), BinlogError> {
        let (what, most) = ("the footer", self.bytes);
        match length > most {
            true => Err(BinlogError::Beyond { what, most }),
            false => Ok(()),
        }
    }
}

/// The field of the footer that holds the schema, and that of its elements that says how many lie in one.
const SCHEMA: i16 = 2;
const CHILDREN: i16 = 5;

/// Looks at the footer. Whatever does not end as Parquet does is left to its reader, which refuses it.
///
/// # Errors
/// [`BinlogError`] when it is malformed, or larger than any of Milvus's.
pub(crate) fn look(payload: &[u8], limits: &Limits) -> Result<(), BinlogError> {
    let Some((before, [length @ .., _, _, _, _])) = payload
        .strip_suffix(END)
        .and(payload.split_last_chunk::<8>())
    else {
        return Ok(());
    };
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
    limits.ensure(length)?;
    let begin = before.len().checked_sub(length);
    let footer = begin.and_then(|begin| Structure::read(&before[begin..], limits.values));
    let footer = footer.filter(|(footer, _)| footer.fits(shapes::FOOTER));
    let (footer, _) = footer.ok_or_else(|| malformed("its footer is not understood"))?;
    match footer.get(SCHEMA) {
        Some(Value::List(schema)) if is_small(schema, limits.in_schema) => Ok(()),
        _ => Err(malformed("it has no schema, or too large a one")),
    }
}

fn is_small(schema: &[Value], most: usize) -> bool {
    let children_fit = |element: &Value| match element {
        Value::Structure(element) => {
            let children = element.get(CHILDREN).is_some();
            let count = element.count(CHILDREN);
            !children || count.is_some_and(|count| count <= most)
        }
        _ => false,
    };
    schema.len() <= most && schema.iter().all(children_fit)
}

fn malformed(what: &str) -> BinlogError {
    BinlogError::Parquet { what: what.into() }
}
