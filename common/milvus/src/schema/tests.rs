use super::*;
use crate::wire::{put_bytes, put_varint};

fn pair(key: &str, value: &str) -> KeyValuePair {
    KeyValuePair {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn field_schema(id: i64, name: &str, data_type: DataType) -> FieldSchema {
    let data_type = data_type.number();
    FieldSchema {
        field_id: id,
        name: name.to_owned(),
        data_type,
        ..FieldSchema::default()
    }
}

/// A schema with one of everything, and with attributes that this build has never heard of.
fn sample() -> Bytes {
    let mut function = FunctionSchema {
        name: "bm25".to_owned(),
        r#type: 1,
        output_field_names: vec!["sparse".to_owned()],
    }
    .encode_to_vec();
    put_varint(&mut function, 2, 7);
    put_varint(&mut function, 8, 103);
    let schema = CollectionSchema {
        name: "old".to_owned(),
        description: "all of it".to_owned(),
        auto_id: true,
        fields: vec![
            FieldSchema {
                is_primary_key: true,
                auto_id: true,
                ..field_schema(100, "pk", DataType::INT64)
            },
            FieldSchema {
                type_params: vec![pair("max_length", "99"), pair("mmap.enabled", "true")],
                nullable: true,
                default_value: Some(Bytes::from_static(&[0x32, 1, b'x'])),
                is_clustering_key: true,
                ..field_schema(101, "text", DataType::VARCHAR)
            },
            field_schema(103, "sparse", DataType::SPARSE_FLOAT_VECTOR),
            FieldSchema {
                is_dynamic: true,
                ..field_schema(104, "$meta", DataType::JSON)
            },
            field_schema(0, "RowID", DataType::INT64),
        ],
        enable_dynamic_field: true,
        properties: vec![
            pair("collection.ttl.seconds", "60"),
            pair("cipher.key", "k"),
        ],
        functions: vec![function.into()],
        struct_array_fields: vec![StructArrayFieldSchema {
            field_id: 102,
            name: "clips".to_owned(),
            fields: vec![field_schema(105, "label", DataType::ARRAY)],
            ..StructArrayFieldSchema::default()
        }],
    };
    let mut raw = schema.encode_to_vec();
    put_bytes(&mut raw, 8, b"old_database");
    put_varint(&mut raw, 99, 1);
    raw.into()
}

#[test]
fn a_schema_is_read_in_full() {
    let schema = decode(&sample()).unwrap();
    let names: Vec<_> = schema
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(names, ["pk", "text", "clips", "sparse", "$meta"]);
    assert!(schema.has_auto_id() && schema.has_dynamic_field);
    assert_eq!(schema.unknown, [99]);
    let text = schema.field("text").unwrap();
    assert!(text.nullable && text.is_clustering_key && text.default_value.is_some());
    assert_eq!(text.params["max_length"], "99");
    assert_eq!(schema.field("clips").unwrap().sub_fields[0].name, "label");
    assert!(schema.field("sparse").unwrap().is_function_output);
    assert_eq!(flagged_names(&schema), ["text"]);
    assert_eq!(schema.stored_names(), ["pk", "text", "clips", "$meta"]);
}

#[test]
fn a_rewritten_schema_keeps_what_nobody_knows_and_loses_what_servers_make() {
    let changes = SchemaChanges {
        name: "new".to_owned(),
        ..SchemaChanges::default()
    };
    let raw = rewrite(&sample(), &changes).unwrap();
    let wire = CollectionSchema::decode(raw.clone()).unwrap();
    assert_eq!((wire.name.as_str(), wire.auto_id), ("new", true));
    assert!(wire.fields.iter().all(|field| field.field_id == 0));
    let names: Vec<_> = wire
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(names, ["pk", "text", "sparse"]);
    assert_eq!(wire.struct_array_fields[0].field_id, 0);
    let schema = decode(&raw).unwrap();
    assert_eq!(schema.unknown, [99]);
    assert!(schema.has_dynamic_field);
    let numbers: Vec<u32> = crate::wire::fields(&raw)
        .map(|part| part.unwrap().number)
        .collect();
    assert!(!numbers.contains(&8), "the database's name must not travel");
    let function: Vec<u32> = crate::wire::fields(&wire.functions[0])
        .map(|part| part.unwrap().number)
        .collect();
    assert_eq!(function, [1, 4, 7]);
}

#[test]
fn what_is_asked_to_go_goes_and_the_rest_stays() {
    let changes = SchemaChanges {
        name: "new".to_owned(),
        without_auto_id: true,
        without_clustering_key: true,
        without_descriptions: true,
        without_properties: vec!["cipher.key".to_owned()],
        without_params: vec!["mmap.enabled".to_owned()],
        without_functions: vec!["bm25".to_owned()],
    };
    let schema = decode(&rewrite(&sample(), &changes).unwrap()).unwrap();
    assert!(!schema.has_auto_id());
    assert_eq!(schema.description, "");
    assert!(schema.functions.is_empty());
    let text = schema.field("text").unwrap();
    assert!(!text.is_clustering_key && text.nullable);
    assert_eq!(text.params.keys().collect::<Vec<_>>(), ["max_length"]);
    assert_eq!(
        schema.properties.keys().collect::<Vec<_>>(),
        ["collection.ttl.seconds"]
    );
}

#[test]
fn bytes_that_are_no_schema_are_refused() {
    assert_eq!(
        decode(&Bytes::from_static(b"\xff\xff\xff")),
        Err(SchemaError)
    );
    assert_eq!(
        rewrite(b"\x22\x05ab", &SchemaChanges::default()),
        Err(SchemaError)
    );
}
