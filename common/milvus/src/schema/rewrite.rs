//! A schema for another server, out of the bytes that the first one gave.

use super::{SchemaError, is_system};
use crate::wire::{self, Field, Value};
use bytes::Bytes;
use model::schema::DYNAMIC_FIELD;

// Numbers of the fields of `schema.CollectionSchema`.
const SCHEMA_NAME: u32 = 1;
const SCHEMA_DESCRIPTION: u32 = 2;
const SCHEMA_AUTO_ID: u32 = 3;
const SCHEMA_FIELDS: u32 = 4;
const SCHEMA_PROPERTIES: u32 = 6;
const SCHEMA_FUNCTIONS: u32 = 7;
const SCHEMA_DATABASE: u32 = 8;
const SCHEMA_STRUCTS: u32 = 9;
const SCHEMA_VERSION: u32 = 10;
// Of `schema.FieldSchema`, and of `schema.StructArrayFieldSchema` where they agree.
const FIELD_ID: u32 = 1;
const FIELD_NAME: u32 = 2;
const FIELD_IS_PRIMARY: u32 = 3;
const FIELD_DESCRIPTION: u32 = 4;
const FIELD_TYPE_PARAMS: u32 = 6;
const FIELD_AUTO_ID: u32 = 8;
const FIELD_STATE: u32 = 9;
const FIELD_IS_DYNAMIC: u32 = 12;
const FIELD_IS_CLUSTERING_KEY: u32 = 14;
const STRUCT_DESCRIPTION: u32 = 3;
const STRUCT_FIELDS: u32 = 4;
const STRUCT_TYPE_PARAMS: u32 = 5;
// Of `schema.FunctionSchema`: its own id, and the ids of its fields, beside their names.
const FUNCTION_IDS: [u32; 3] = [2, 6, 8];
const PAIR_KEY: u32 = 1;

/// What is to differ in the other server's schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchemaChanges {
    /// The collection's name there.
    pub name: String,
    /// Primary keys are given, not made by the server.
    pub without_auto_id: bool,
    /// No field clusters rows.
    pub without_clustering_key: bool,
    /// No descriptions.
    pub without_descriptions: bool,
    /// Properties of the schema itself that are left out.
    pub without_properties: Vec<String>,
    /// Parameters of fields that are left out, such as `mmap.enabled`.
    pub without_params: Vec<String>,
    /// Functions that are left out, by name. Their output fields stay.
    pub without_functions: Vec<String>,
}

/// The serialized `CollectionSchema` with these changes, to create a collection with.
///
/// # Errors
/// [`SchemaError`] when the bytes are no schema.
pub fn rewrite(raw: &[u8], changes: &SchemaChanges) -> Result<Bytes, SchemaError> {
    let mut out = Vec::with_capacity(raw.len() + changes.name.len());
    wire::put_bytes(&mut out, SCHEMA_NAME, changes.name.as_bytes());
    for part in wire::fields(raw) {
        let part = part?;
        match part.number {
            SCHEMA_NAME | SCHEMA_DATABASE | SCHEMA_VERSION => {}
            SCHEMA_AUTO_ID if changes.without_auto_id => {}
            SCHEMA_DESCRIPTION if changes.without_descriptions => {}
            SCHEMA_FIELDS => put_some(&mut out, part, |body| field(body, changes))?,
            SCHEMA_STRUCTS => {
                put_some(&mut out, part, |body| struct_field(body, changes).map(Some))?
            }
            SCHEMA_FUNCTIONS => put_some(&mut out, part, |body| function(body, changes))?,
            SCHEMA_PROPERTIES if has_key(part, &changes.without_properties)? => {}
            _ => out.extend_from_slice(part.raw),
        }
    }
    Ok(Bytes::from(out))
}

/// Puts a submessage in its changed form, unless it is left out.
fn put_some(
    out: &mut Vec<u8>,
    part: Field<'_>,
    change: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, SchemaError>,
) -> Result<(), SchemaError> {
    if let Some(body) = change(part.value.bytes()?)? {
        wire::put_bytes(out, part.number, &body);
    }
    Ok(())
}

/// A field; `None` for those that every server adds itself.
fn field(body: &[u8], changes: &SchemaChanges) -> Result<Option<Vec<u8>>, SchemaError> {
    let parts: Vec<Field<'_>> = wire::fields(body).collect::<Result<_, _>>()?;
    let is_set = |number| {
        parts
            .iter()
            .any(|part| part.number == number && matches!(part.value, Value::Varint(1..)))
    };
    let name = parts.iter().rev().find(|part| part.number == FIELD_NAME);
    let name = name.map_or(Ok(&[][..]), |part| part.value.bytes())?;
    let name = std::str::from_utf8(name).map_err(|_| SchemaError)?;
    if is_system(name) || name == DYNAMIC_FIELD || is_set(FIELD_IS_DYNAMIC) {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(body.len());
    for part in &parts {
        let is_left_out = match part.number {
            FIELD_ID | FIELD_STATE => true,
            FIELD_AUTO_ID => changes.without_auto_id && is_set(FIELD_IS_PRIMARY),
            FIELD_IS_CLUSTERING_KEY => changes.without_clustering_key,
            FIELD_DESCRIPTION => changes.without_descriptions,
            FIELD_TYPE_PARAMS => has_key(*part, &changes.without_params)?,
            _ => false,
        };
        if !is_left_out {
            out.extend_from_slice(part.raw);
        }
    }
    Ok(Some(out))
}

fn struct_field(body: &[u8], changes: &SchemaChanges) -> Result<Vec<u8>, SchemaError> {
    let mut out = Vec::with_capacity(body.len());
    for part in wire::fields(body) {
        let part = part?;
        match part.number {
            FIELD_ID => {}
            STRUCT_DESCRIPTION if changes.without_descriptions => {}
            STRUCT_FIELDS => put_some(&mut out, part, |body| field(body, changes))?,
            STRUCT_TYPE_PARAMS if has_key(part, &changes.without_params)? => {}
            _ => out.extend_from_slice(part.raw),
        }
    }
    Ok(out)
}

fn function(body: &[u8], changes: &SchemaChanges) -> Result<Option<Vec<u8>>, SchemaError> {
    let mut out = Vec::with_capacity(body.len());
    for part in wire::fields(body) {
        let part = part?;
        if part.number == 1 && is_one_of(part.value.bytes()?, &changes.without_functions) {
            return Ok(None);
        }
        if !FUNCTION_IDS.contains(&part.number) {
            out.extend_from_slice(part.raw);
        }
    }
    Ok(Some(out))
}

/// Whether a serialized pair has one of these keys.
fn has_key(pair: Field<'_>, keys: &[String]) -> Result<bool, SchemaError> {
    for part in wire::fields(pair.value.bytes()?) {
        let part = part?;
        if part.number == PAIR_KEY && is_one_of(part.value.bytes()?, keys) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_one_of(name: &[u8], names: &[String]) -> bool {
    names.iter().any(|other| other.as_bytes() == name)
}
