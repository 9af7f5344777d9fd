//! A file of deletes as Milvus writes it up to 2.4: an envelope around one Parquet column of JSON texts.

use crate::deletes::{Delete, INT64, STRING, VARCHAR};
use crate::envelope::{DELETE, DESCRIPTOR, LENGTHS_BYTES, MAGIC};
use crate::{BinlogError, Descriptor};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use bytes::Bytes;
use model::Key;
use serde_json::json;
use std::sync::Arc;

/// A header: time, kind, length, place of the next event.
const HEADER_BYTES: usize = 17;

/// The times of an event's rows.
const TIMES_BYTES: usize = 16;

/// The lengths of the fixed parts of Milvus's kinds of events, which its readers pass over.
const LENGTHS: [u8; LENGTHS_BYTES] = [52, 16, 16, 16, 16, 16, 16, 16];

/// The one column, as every file of Milvus's calls it.
const COLUMN: &str = "message deletes { required binary val (UTF8); }";

/// Whose deletes a file holds.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// The collection's id.
    pub collection: i64,
    /// The partition's id.
    pub partition: i64,
    /// The segment's id.
    pub segment: i64,
}

/// Writes a file of `delta_log`, which [`crate::read_deletes`] reads and Milvus imports.
///
/// # Errors
/// [`BinlogError::Parquet`] when Parquet can't hold them.
pub fn write_deletes(owner: Owner, deletes: &[Delete]) -> Result<Bytes, BinlogError> {
    let (from, to) = times(deletes);
    let texts: Vec<ByteArray> = deletes.iter().map(text).collect();
    let size: usize = texts.iter().map(ByteArray::len).sum();
    let payload = column(&texts).map_err(|error| BinlogError::Parquet {
        what: error.to_string(),
    })?;
    // Milvus reads the size as a text.
    let notes = json!({ "original_size": size.to_string() }).to_string();
    let described = Descriptor {
        collection: owner.collection,
        partition: owner.partition,
        segment: owner.segment,
        field: -1,
        from,
        to,
        data_type: STRING,
        is_multi_field: false,
    };
    let mut file = MAGIC.to_vec();
    event(
        &mut file,
        from.number(),
        DESCRIPTOR,
        &head(&described, &notes),
    );
    let mut body = Vec::with_capacity(TIMES_BYTES + payload.len());
    body.extend(from.number().to_le_bytes());
    body.extend(to.number().to_le_bytes());
    body.extend(payload);
    event(&mut file, from.number(), DELETE, &body);
    Ok(file.into())
}

fn times(deletes: &[Delete]) -> (model::Tick, model::Tick) {
    let ticks = deletes.iter().map(|delete| delete.tick);
    let (from, to) = (ticks.clone().min(), ticks.max());
    (from.unwrap_or_default(), to.unwrap_or_default())
}

fn text(delete: &Delete) -> ByteArray {
    let (key, data_type) = match &delete.key {
        Key::Int64(key) => (json!(key), INT64),
        Key::VarChar(key) => (json!(key), VARCHAR),
    };
    let written = json!({ "pk": key, "ts": delete.tick.number(), "pkType": data_type });
    ByteArray::from(written.to_string().into_bytes())
}

fn column(texts: &[ByteArray]) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let schema = Arc::new(parse_message_type(COLUMN)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut rows = file.next_row_group()?;
    if let Some(mut column) = rows.next_column()? {
        let _ = column
            .typed::<ByteArrayType>()
            .write_batch(texts, None, None)?;
        column.close()?;
    }
    let _ = rows.close()?;
    file.into_inner()
}

fn head(described: &Descriptor, notes: &str) -> Vec<u8> {
    let ids = [
        described.collection,
        described.partition,
        described.segment,
        described.field,
    ];
    let mut head: Vec<u8> = ids.into_iter().flat_map(i64::to_le_bytes).collect();
    head.extend(described.from.number().to_le_bytes());
    head.extend(described.to.number().to_le_bytes());
    head.extend(described.data_type.to_le_bytes());
    head.extend(LENGTHS);
    head.extend((notes.len() as i32).to_le_bytes());
    head.extend(notes.as_bytes());
    head
}

fn event(file: &mut Vec<u8>, time: u64, kind: i8, body: &[u8]) {
    let length = HEADER_BYTES + body.len();
    let next = file.len() + length;
    file.extend(time.to_le_bytes());
    file.extend(kind.to_le_bytes());
    file.extend((length as i32).to_le_bytes());
    file.extend((next as i32).to_le_bytes());
    file.extend(body);
}
