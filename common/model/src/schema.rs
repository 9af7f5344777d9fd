//! What a collection's rows look like.
//!
//! A schema is held twice: as the bytes that the server gave, which travel and are re-used wherever they can be, and decoded,
//! for everything that Passage must know of it. So a field that a newer Milvus adds survives, or is named.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Milvus's number for a type of field (`schema.DataType`). Numbers that this build does not know are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DataType(i32);

macro_rules! data_types {
    ($($constant:ident = $number:literal, $name:literal;)*) => {
        impl DataType {
            $(#[doc = concat!("Milvus's type `", $name, "`.")] pub const $constant: Self = Self($number);)*

            /// Milvus's name of this type; `None` when this build does not know it.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

data_types! {
    BOOL = 1, "Bool";
    INT8 = 2, "Int8";
    INT16 = 3, "Int16";
    INT32 = 4, "Int32";
    INT64 = 5, "Int64";
    FLOAT = 10, "Float";
    DOUBLE = 11, "Double";
    STRING = 20, "String";
    VARCHAR = 21, "VarChar";
    ARRAY = 22, "Array";
    JSON = 23, "JSON";
    GEOMETRY = 24, "Geometry";
    TEXT = 25, "Text";
    TIMESTAMPTZ = 26, "Timestamptz";
    BINARY_VECTOR = 100, "BinaryVector";
    FLOAT_VECTOR = 101, "FloatVector";
    FLOAT16_VECTOR = 102, "Float16Vector";
    BFLOAT16_VECTOR = 103, "BFloat16Vector";
    SPARSE_FLOAT_VECTOR = 104, "SparseFloatVector";
    INT8_VECTOR = 105, "Int8Vector";
    ARRAY_OF_VECTOR = 106, "ArrayOfVector";
    ARRAY_OF_STRUCT = 200, "ArrayOfStruct";
    STRUCT = 201, "Struct";
}

impl DataType {
    /// The type with this number.
    #[must_use]
    pub fn new(number: i32) -> Self {
        Self(number)
    }

    /// Milvus's number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Whether fields of this type hold vectors, and so need an index before the collection can be loaded.
    #[must_use]
    pub fn is_vector(self) -> bool {
        (100..200).contains(&self.0)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

/// One field of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Milvus's id of the field, from 100 in the order of creation.
    pub id: i64,
    /// The name.
    pub name: String,
    /// The operator's description.
    pub description: String,
    /// The type.
    pub data_type: DataType,
    /// The type of an array's elements.
    pub element_type: Option<DataType>,
    /// Whether this is the primary key.
    pub is_primary: bool,
    /// Whether the server makes this field's values.
    pub auto_id: bool,
    /// Whether rows are placed in partitions by this field.
    pub is_partition_key: bool,
    /// Whether rows are clustered by this field.
    pub is_clustering_key: bool,
    /// Whether this is the dynamic field, `$meta`.
    pub is_dynamic: bool,
    /// Whether null is a value.
    pub nullable: bool,
    /// The serialized `schema.ValueField` of the default value; `None` where there is none.
    pub default_value: Option<Bytes>,
    /// Whether a function computes this field's values.
    pub is_function_output: bool,
    /// The type's parameters: `dim`, `max_length`, `max_capacity`, `mmap.enabled` and so on.
    pub params: BTreeMap<String, String>,
    /// The fields of each struct, where the type is an array of structs.
    pub sub_fields: Vec<Field>,
}

/// A function of a schema: its output is computed by the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// The name.
    pub name: String,
    /// Milvus's number for the kind (`schema.FunctionType`): 1 is BM25.
    pub kind: i32,
    /// The fields that it computes.
    pub outputs: Vec<String>,
    /// The whole function as the server gave it, for comparing.
    pub raw: Bytes,
}

/// The schema of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The serialized `schema.CollectionSchema`, as DescribeCollection gave it.
    pub raw: Bytes,
    /// The operator's description.
    pub description: String,
    /// The fields, those of struct arrays among them, in the order of their ids.
    pub fields: Vec<Field>,
    /// Whether rows may carry fields that the schema does not name.
    pub has_dynamic_field: bool,
    /// The functions.
    pub functions: Vec<Function>,
    /// Properties that the schema itself carries.
    pub properties: BTreeMap<String, String>,
    /// Numbers of fields of the message that this build does not know.
    pub unknown: Vec<u32>,
}

impl Schema {
    /// The primary key's field.
    #[must_use]
    pub fn primary(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.is_primary)
    }

    /// Whether the server makes the primary keys.
    #[must_use]
    pub fn has_auto_id(&self) -> bool {
        self.primary().is_some_and(|field| field.auto_id)
    }

    /// Whether rows are placed in partitions by a field's value.
    #[must_use]
    pub fn has_partition_key(&self) -> bool {
        self.fields.iter().any(|field| field.is_partition_key)
    }

    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names to ask for in a query, so that a row can be written again: every field but those that a function computes.
    /// The dynamic field is asked for as `$meta`.
    #[must_use]
    pub fn stored_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .fields
            .iter()
            .filter(|field| !field.is_function_output && !field.is_dynamic)
            .map(|field| field.name.clone())
            .collect();
        if self.has_dynamic_field {
            names.push(DYNAMIC_FIELD.to_owned());
        }
        names
    }
}

/// The name under which the server keeps the fields that a schema does not name.
pub const DYNAMIC_FIELD: &str = "$meta";
