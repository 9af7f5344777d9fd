//! Deletes: keys, each with the time since when its row is gone.

use crate::BinlogError;
use crate::envelope::{self, is_enveloped};
use crate::parquet;
use crate::room::Room;
use crate::values::{Read, Values};
use bytes::Bytes;
use model::{Key, Tick};
use serde::Deserialize;
use serde_json::Value;

/// The numbers of Milvus's types that a key may have, and of the texts that deletes were written as.
pub(crate) const INT64: i32 = 5;
pub(crate) const STRING: i32 = 20;
pub(crate) const VARCHAR: i32 = 21;

/// The longest text of a delete: a key has up to 65535 bytes, of which each may be written as six.
const MOST_TEXT_BYTES: usize = 512 << 10;

/// A row of this key is gone if it is older.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// The primary key.
    pub key: Key,
    /// When it was deleted.
    pub tick: Tick,
}

/// A delete as Milvus writes it up to 2.4.
#[derive(Debug, Deserialize)]
struct Written {
    pk: Value,
    ts: u64,
    #[serde(rename = "pkType")]
    data_type: i32,
}

/// Reads a file of `delta_log`, in any of its forms: a JSON text for each delete, columns of keys and times in an envelope, or such
/// columns in bare Parquet.
///
/// # Errors
/// [`BinlogError`] when it is cut short, malformed, encrypted, or holds what this build does not know or more than any file of Milvus's.
pub fn read_deletes(file: &Bytes) -> Result<Vec<Delete>, BinlogError> {
    let mut room = Room::new();
    if !is_enveloped(file) && file.starts_with(b"PAR1") {
        return in_columns(file.clone(), &mut room);
    }
    let opened = envelope::open(file, envelope::DELETE)?;
    let mut deletes = Vec::new();
    for payload in opened.payloads {
        if opened.descriptor.is_multi_field {
            deletes.append(&mut in_columns(payload, &mut room)?);
        } else {
            in_texts(payload, &mut deletes, &mut room)?;
        }
    }
    Ok(deletes)
}

fn in_columns(payload: Bytes, room: &mut Room) -> Result<Vec<Delete>, BinlogError> {
    let (mut keys, mut times) = (Read::default(), Read::default());
    parquet::read(payload, 2, STRING, room, |parquet, room| {
        keys.column(parquet, 0, STRING, room)?;
        times.column(parquet, 1, INT64, room)
    })?;
    room.keep(keys.valid.len(), size_of::<Delete>())?;
    let keys: Vec<Key> = match keys.values {
        None => Vec::new(),
        Some(Values::Ints(keys)) => keys.into_iter().map(Key::Int64).collect(),
        Some(Values::Blobs(keys)) => {
            room.keep(1, keys.iter().map(<[u8]>::len).sum())?;
            let keys = keys.iter().enumerate();
            let read = keys.map(|(index, key)| {
                let text = std::str::from_utf8(key).map_err(|_| unreadable(index, "no UTF-8"))?;
                Ok(Key::VarChar(text.to_owned()))
            });
            read.collect::<Result<_, BinlogError>>()?
        }
        Some(_) => return Err(unreadable(0, "its key is neither a number nor a text")),
    };
    let times = match times.values {
        None => Vec::new(),
        Some(Values::Ints(times)) => times,
        Some(_) => return Err(unreadable(0, "its time is no number")),
    };
    if keys.len() != times.len() {
        let what = format!("there are {} keys and {} times", keys.len(), times.len());
        return Err(unreadable(keys.len().min(times.len()), what));
    }
    let deletes = keys.into_iter().zip(times);
    Ok(deletes
        .map(|(key, time)| Delete {
            key,
            tick: Tick::new(time.cast_unsigned()),
        })
        .collect())
}

fn in_texts(payload: Bytes, deletes: &mut Vec<Delete>, room: &mut Room) -> Result<(), BinlogError> {
    let mut texts = Read::default();
    parquet::read(payload, 1, STRING, room, |parquet, room| {
        texts.column(parquet, 0, STRING, room)
    })?;
    match texts.values {
        None => Ok(()),
        Some(Values::Blobs(texts)) => {
            for text in texts.iter() {
                let index = deletes.len();
                room.keep(1, size_of::<Delete>() + text.len())?;
                let delete = in_text(text).map_err(|what| unreadable(index, what))?;
                deletes.push(delete);
            }
            Ok(())
        }
        Some(_) => Err(unreadable(deletes.len(), "it is no text")),
    }
}

/// A JSON text; before 2.1 it was the key and the time with a comma between them.
fn in_text(text: &[u8]) -> Result<Delete, String> {
    if text.len() > MOST_TEXT_BYTES {
        return Err(format!("it has {} bytes", text.len()));
    }
    if !text.starts_with(b"{") {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let parts = text.split_once(',').and_then(|(key, time)| {
            let key = Key::Int64(key.parse().ok()?);
            let tick = Tick::new(time.parse().ok()?);
            Some(Delete { key, tick })
        });
        return parts.ok_or_else(|| "it is neither JSON nor two numbers".to_owned());
    }
    let written: Written = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let key = match (written.data_type, written.pk) {
        (INT64, Value::Number(key)) => key.as_i64().map(Key::Int64),
        (VARCHAR, Value::String(key)) => Some(Key::VarChar(key)),
        _ => None,
    };
    let unlike = || format!("its key is none of Milvus's type {}", written.data_type);
    Ok(Delete {
        key: key.ok_or_else(unlike)?,
        tick: Tick::new(written.ts),
    })
}

fn unreadable(index: usize, what: impl Into<String>) -> BinlogError {
    let what = what.into();
    BinlogError::Delete { index, what }
}
