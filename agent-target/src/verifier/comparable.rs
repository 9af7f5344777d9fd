//! What of a definition can be compared: servers forget parts of it, or tell them in words of their own.

use milvus::Client;
use model::{CollectionSpec, DataType, LoadState};
use std::collections::BTreeMap;

/// A definition without what this target does not keep, or tells in its own words: what of it can be compared.
pub(super) fn comparable(milvus: &Client, mut spec: CollectionSpec) -> CollectionSpec {
    if !milvus.capabilities().keeps_attributes {
        spec.schema.description.clear();
        spec.shards = 0;
        spec.consistency_level = 0;
        for field in &mut spec.schema.fields {
            field.description.clear();
            field.params.remove("mmap.enabled");
            if field.data_type == DataType::ARRAY {
                field.params.remove("max_length");
            }
        }
        if spec.schema.has_partition_key() {
            // Their names and their number are the server's own.
            spec.partitions.clear();
        }
        // It calls each index as its field, tells few of the parameters that it was given, and has a metric for every one.
        let vectors = |name: &str| {
            let mut fields = spec.schema.fields.iter();
            fields.any(|field| field.name == name && field.data_type.is_vector())
        };
        for index in &mut spec.indexes {
            index.name = index.field.clone();
            let is_vector = vectors(&index.field);
            index
                .params
                .retain(|name, _| name == "index_type" || (name == "metric_type" && is_vector));
        }
    }
    if let LoadState::Loading = spec.load {
        spec.load = LoadState::Loaded { replicas: 0 };
    }
    spec.indexes
        .iter_mut()
        .for_each(|index| index.params = flat(&index.params));
    spec
}

/// Index parameters as one map: servers nest some of them as JSON under `params`, and differ in which.
fn flat(params: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (name, value) in params {
        match serde_json::from_str::<BTreeMap<String, serde_json::Value>>(value) {
            Ok(nested) if name == "params" => flat.extend(
                nested
                    .into_iter()
                    .map(|(name, value)| (name, plain(&value))),
            ),
            _ => {
                flat.insert(name.clone(), value.clone());
            }
        }
    }
    flat
}

fn plain(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_and_flat_index_parameters_are_the_same() {
        let nested = BTreeMap::from([
            ("index_type".to_owned(), "HNSW".to_owned()),
            (
                "params".to_owned(),
                r#"{"M":16,"efConstruction":"200"}"#.to_owned(),
            ),
        ]);
        let level = BTreeMap::from(
            [
                ("index_type", "HNSW"),
                ("M", "16"),
                ("efConstruction", "200"),
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
        assert_eq!(flat(&nested), level);
    }
}
