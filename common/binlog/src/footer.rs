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

/// A group of rows takes some hundred bytes in it, and Milvus writes one or a few.
const MOST_BYTES: usize = 4 << 20;

/// Of a footer of that length.
const MOST_VALUES: usize = 1 << 19;

/// The columns of a file, and what they lie in. There are two or three.
const MOST_IN_SCHEMA: usize = 64;

/// The field of the footer that holds the schema, and that of its elements that says how many lie in one.
const SCHEMA: i16 = 2;
const CHILDREN: i16 = 5;

/// Looks at the footer. Whatever does not end as Parquet does is left to its reader, which refuses it.
///
/// # Errors
/// [`BinlogError`] when it is malformed, or larger than any of Milvus's.
pub(crate) fn look(payload: &[u8]) -> Result<(), BinlogError> {
    let Some((before, [length @ .., _, _, _, _])) = payload
        .strip_suffix(END)
        .and(payload.split_last_chunk::<8>())
    else {
        return Ok(());
    };
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if length > MOST_BYTES {
        let (what, most) = ("the footer", MOST_BYTES);
        return Err(BinlogError::Beyond { what, most });
    }
    let begin = before.len().checked_sub(length);
    let footer = begin.and_then(|begin| Structure::read(&before[begin..], MOST_VALUES));
    let footer = footer.filter(|(footer, _)| footer.fits(shapes::FOOTER));
    let (footer, _) = footer.ok_or_else(|| malformed("its footer is not understood"))?;
    match footer.get(SCHEMA) {
        Some(Value::List(schema)) if is_small(schema) => Ok(()),
        _ => Err(malformed("it has no schema, or too large a one")),
    }
}

fn is_small(schema: &[Value]) -> bool {
    let children_fit = |element: &Value| match element {
        Value::Structure(element) => {
            let children = element.get(CHILDREN).is_some();
            let count = element.count(CHILDREN);
            !children || count.is_some_and(|count| count <= MOST_IN_SCHEMA)
        }
        _ => false,
    };
    schema.len() <= MOST_IN_SCHEMA && schema.iter().all(children_fit)
}

fn malformed(what: &str) -> BinlogError {
    BinlogError::Parquet { what: what.into() }
}
