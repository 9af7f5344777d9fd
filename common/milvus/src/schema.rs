//! Schemas: read out of a server's bytes, and written again for another server.
//!
//! Writing goes from bytes to bytes: only what must change is changed, so that an attribute which a newer Milvus adds goes along.
//! What must change: the name; the ids, which every server gives itself; the fields that every server adds itself; and what the
//! caller asks for in [`SchemaChanges`].

mod rewrite;

pub use rewrite::{SchemaChanges, rewrite};

use crate::wire::{self, Malformed};
use bytes::Bytes;
use model::schema::{DYNAMIC_FIELD, Function};
use model::{DataType, Field, Schema};
use prost::Message;
use proto::milvus::common::KeyValuePair;
use proto::milvus::schema::{
    CollectionSchema, FieldSchema, FunctionSchema, StructArrayFieldSchema,
};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes that are no schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the schema can't be read")]
pub struct SchemaError;

impl From<Malformed> for SchemaError {
    fn from(_: Malformed) -> Self {
        Self
    }
}

impl From<prost::DecodeError> for SchemaError {
    fn from(_: prost::DecodeError) -> Self {
        Self
    }
}

/// The numbers of a `CollectionSchema`'s fields that this build knows; others are named in [`Schema::unknown`].
const KNOWN_OF_SCHEMA: std::ops::RangeInclusive<u32> = 1..=15;
/// Those of a `FieldSchema`.
const KNOWN_OF_FIELD: std::ops::RangeInclusive<u32> = 1..=17;
/// Fields that every server adds itself; DescribeCollection leaves them out, other sources of schemas may not.
const SYSTEM_FIELDS: [&str; 2] = ["RowID", "Timestamp"];

/// Reads a serialized `CollectionSchema`.
///
/// # Errors
/// [`SchemaError`] when the bytes are none.
pub fn decode(raw: &Bytes) -> Result<Schema, SchemaError> {
    let schema = CollectionSchema::decode(raw.clone())?;
    let functions: Result<Vec<_>, _> = schema.functions.into_iter().map(function).collect();
    let functions = functions?;
    let outputs: BTreeSet<&String> = functions.iter().flat_map(|f| &f.outputs).collect();

    let flat = schema
        .fields
        .into_iter()
        .filter(|field| !is_system(&field.name));
    let mut fields: Vec<Field> = flat.map(|data| field(data, schema.auto_id)).collect();
    fields.extend(schema.struct_array_fields.into_iter().map(struct_field));
    fields.sort_by_key(|field| field.id);
    for field in &mut fields {
        field.is_function_output |= outputs.contains(&field.name);
    }
    Ok(Schema {
        raw: raw.clone(),
        description: schema.description,
        has_dynamic_field: schema.enable_dynamic_field || fields.iter().any(|f| f.is_dynamic),
        fields,
        functions,
        properties: pairs(schema.properties),
        unknown: unknown(raw)?,
    })
}

/// The collection's name in a serialized `CollectionSchema`.
pub(crate) fn name_of(raw: &Bytes) -> Result<String, SchemaError> {
    Ok(CollectionSchema::decode(raw.clone())?.name)
}

/// The fields whose null flags every insert must bring, one for each row, even where nothing is null: those that are nullable or
/// have a default value (Milvus 2.5 and later).
#[must_use]
pub fn flagged_names(schema: &Schema) -> Vec<String> {
    let wants_flags = |field: &&Field| field.nullable || field.default_value.is_some();
    schema
        .fields
        .iter()
        .filter(wants_flags)
        .map(|field| field.name.clone())
        .collect()
}

fn is_system(name: &str) -> bool {
    SYSTEM_FIELDS.contains(&name)
}

fn field(data: FieldSchema, collection_has_auto_id: bool) -> Field {
    let is_primary = data.is_primary_key;
    Field {
        id: data.field_id,
        is_dynamic: data.is_dynamic || data.name == DYNAMIC_FIELD,
        name: data.name,
        description: data.description,
        data_type: DataType::new(data.data_type),
        element_type: (data.element_type != 0).then(|| DataType::new(data.element_type)),
        is_primary,
        auto_id: is_primary && (data.auto_id || collection_has_auto_id),
        is_partition_key: data.is_partition_key,
        is_clustering_key: data.is_clustering_key,
        nullable: data.nullable,
        // Some servers send an empty message where there is no default value.
        default_value: data.default_value.filter(|value| !value.is_empty()),
        is_function_output: data.is_function_output,
        params: pairs(data.type_params),
        sub_fields: Vec::new(),
    }
}

fn struct_field(data: StructArrayFieldSchema) -> Field {
    Field {
        id: data.field_id,
        name: data.name,
        description: data.description,
        data_type: DataType::ARRAY_OF_STRUCT,
        element_type: Some(DataType::STRUCT),
        is_primary: false,
        auto_id: false,
        is_partition_key: false,
        is_clustering_key: false,
        is_dynamic: false,
        nullable: data.nullable,
        default_value: None,
        is_function_output: false,
        params: pairs(data.type_params),
        sub_fields: data
            .fields
            .into_iter()
            .map(|sub| field(sub, false))
            .collect(),
    }
}

fn function(raw: Bytes) -> Result<Function, SchemaError> {
    let decoded = FunctionSchema::decode(raw.clone())?;
    let (name, outputs) = (decoded.name, decoded.output_field_names);
    Ok(Function {
        name,
        kind: decoded.r#type,
        outputs,
        raw,
    })
}

/// Named settings as a map.
pub(crate) fn pairs(pairs: Vec<KeyValuePair>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|pair| (pair.key, pair.value))
        .collect()
}

/// Numbers of fields that this build does not know, of the schema itself and of its fields, each once.
fn unknown(raw: &[u8]) -> Result<Vec<u32>, SchemaError> {
    let mut found = BTreeSet::new();
    for part in wire::fields(raw) {
        let part = part?;
        if !KNOWN_OF_SCHEMA.contains(&part.number) {
            found.insert(part.number);
        }
        if part.number == 4 {
            for attribute in wire::fields(part.value.bytes()?) {
                let number = attribute?.number;
                if !KNOWN_OF_FIELD.contains(&number) {
                    found.insert(number);
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests;
