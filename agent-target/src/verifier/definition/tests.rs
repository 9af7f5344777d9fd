use super::*;
use bytes::Bytes;
use model::{DataType, Schema};

fn spec() -> CollectionSpec {
    let field = Field {
        id: 100,
        name: "id".into(),
        description: String::new(),
        data_type: DataType::INT64,
        element_type: None,
        is_primary: true,
        auto_id: false,
        is_partition_key: false,
        is_clustering_key: false,
        is_dynamic: false,
        nullable: false,
        default_value: None,
        is_function_output: false,
        params: BTreeMap::new(),
        sub_fields: vec![],
    };
    let schema = Schema {
        raw: Bytes::new(),
        description: "d".into(),
        fields: vec![field],
        has_dynamic_field: false,
        functions: vec![],
        properties: BTreeMap::new(),
        unknown: vec![],
    };
    let params = BTreeMap::from([("index_type".to_owned(), "HNSW".to_owned())]);
    CollectionSpec {
        name: "c".into(),
        id: 1,
        schema,
        shards: 2,
        channels: vec![],
        consistency_level: 2,
        properties: BTreeMap::from([("collection.ttl.seconds".to_owned(), "60".to_owned())]),
        partitions: vec!["_default".into(), "p".into()],
        indexes: vec![IndexSpec {
            name: "v".into(),
            field: "v".into(),
            params,
        }],
        aliases: vec!["a".into()],
        load: LoadState::Loaded { replicas: 1 },
    }
}

/// The one difference that a change of the target makes, as (kind, field).
fn after(change: impl FnOnce(&mut CollectionSpec)) -> (DifferenceKind, String) {
    let mut actual = spec();
    change(&mut actual);
    let found = compare(&spec(), &actual);
    assert_eq!(found.len(), 1, "{found:?}");
    (found[0].kind, found[0].field.clone().unwrap())
}

#[test]
fn an_untouched_definition_has_no_difference() {
    let moved = CollectionSpec { id: 2, ..spec() };
    assert_eq!(compare(&spec(), &moved), vec![], "ids may differ");
}

#[test]
fn every_part_of_a_definition_is_compared_and_named() {
    use DifferenceKind as K;
    assert_eq!(after(|c| c.aliases.clear()), (K::Alias, "a".into()));
    assert_eq!(
        after(|c| c.partitions.push("q".into())),
        (K::Partition, "q".into())
    );
    assert_eq!(
        after(|c| c.properties.clear()),
        (K::Property, "collection.ttl.seconds".into())
    );
    assert_eq!(after(|c| c.indexes.clear()), (K::Index, "v".into()));
    assert_eq!(
        after(|c| c.indexes[0].params.clear()),
        (K::Index, "v".into())
    );
    assert_eq!(
        after(|c| c.load = LoadState::NotLoaded),
        (K::LoadState, "load state".into())
    );
    assert_eq!(
        after(|c| c.load = LoadState::Loaded { replicas: 2 }),
        (K::LoadState, "load state".into())
    );
    assert_eq!(after(|c| c.shards = 1), (K::Schema, "shards".into()));
    assert_eq!(
        after(|c| c.consistency_level = 0),
        (K::Schema, "consistency_level".into())
    );
    assert_eq!(
        after(|c| c.schema.description.clear()),
        (K::Schema, "description".into())
    );
    assert_eq!(
        after(|c| c.schema.fields[0].auto_id = true),
        (K::Schema, "id".into())
    );
    assert_eq!(
        after(|c| c.schema.fields[0].data_type = DataType::VARCHAR),
        (K::Schema, "id".into())
    );
    assert_eq!(after(|c| c.schema.fields.clear()), (K::Schema, "id".into()));
}
