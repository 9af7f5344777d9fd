//! Compares what a collection is, apart from its rows, with what it is to be.

use model::{CollectionSpec, Difference, DifferenceKind, Field, IndexSpec, LoadState};
use std::collections::{BTreeMap, BTreeSet};

/// Every difference between the wanted and the actual definition of a collection.
pub(crate) fn compare(wanted: &CollectionSpec, actual: &CollectionSpec) -> Vec<Difference> {
    let mut found = Found::default();
    attributes(&mut found, wanted, actual);
    fields(&mut found, &wanted.schema.fields, &actual.schema.fields);
    functions(&mut found, wanted, actual);
    found.sets(
        DifferenceKind::Partition,
        &wanted.partitions,
        &actual.partitions,
    );
    found.sets(DifferenceKind::Alias, &wanted.aliases, &actual.aliases);
    for (name, detail) in maps(&wanted.properties, &actual.properties) {
        found.add(DifferenceKind::Property, name, detail);
    }
    indexes(&mut found, &wanted.indexes, &actual.indexes);
    load_state(&mut found, wanted.load, actual.load);
    found.0
}

/// Differences as they are found.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, kind: DifferenceKind, field: &str, detail: impl Into<String>) {
        self.0.push(Difference {
            kind,
            partition: None,
            key: None,
            field: Some(field.to_owned()),
            detail: detail.into(),
        });
    }

    fn values<T: PartialEq + std::fmt::Debug>(
        &mut self,
        kind: DifferenceKind,
        field: &str,
        what: &str,
        wanted: &T,
        actual: &T,
    ) {
        if wanted != actual {
            self.add(
                kind,
                field,
                format!("{what} is {actual:?} and should be {wanted:?}"),
            );
        }
    }

    fn sets(&mut self, kind: DifferenceKind, wanted: &[String], actual: &[String]) {
        let (wanted, actual): (BTreeSet<_>, BTreeSet<_>) =
            (wanted.iter().collect(), actual.iter().collect());
        wanted
            .difference(&actual)
            .for_each(|name| self.add(kind, name, "missing on the target"));
        actual
            .difference(&wanted)
            .for_each(|name| self.add(kind, name, "on the target only"));
    }

    /// Parameters of a field, an index: named in the words.
    fn params(
        &mut self,
        kind: DifferenceKind,
        field: &str,
        of: &str,
        wanted: &BTreeMap<String, String>,
        actual: &BTreeMap<String, String>,
    ) {
        for (name, detail) in maps(wanted, actual) {
            self.add(kind, field, format!("{of}{name}: {detail}"));
        }
    }
}

/// The entries that differ, each with how.
fn maps<'a>(
    wanted: &'a BTreeMap<String, String>,
    actual: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a str, String)> {
    let names: BTreeSet<&String> = wanted.keys().chain(actual.keys()).collect();
    names.into_iter().filter_map(|name| {
        let detail = match (wanted.get(name), actual.get(name)) {
            (Some(wanted), Some(actual)) if wanted == actual => return None,
            (Some(wanted), Some(actual)) => format!("is {actual:?} and should be {wanted:?}"),
            (Some(_), None) => "missing on the target".to_owned(),
            (None, _) => "on the target only".to_owned(),
        };
        Some((name.as_str(), detail))
    })
}

fn attributes(found: &mut Found, wanted: &CollectionSpec, actual: &CollectionSpec) {
    let kind = DifferenceKind::Schema;
    found.values(
        kind,
        "description",
        "description",
        &wanted.schema.description,
        &actual.schema.description,
    );
    found.values(
        kind,
        "shards",
        "the number of shards",
        &wanted.shards,
        &actual.shards,
    );
    found.values(
        kind,
        "consistency_level",
        "consistency level",
        &wanted.consistency_level,
        &actual.consistency_level,
    );
    found.values(
        kind,
        "enable_dynamic_field",
        "dynamic field",
        &wanted.schema.has_dynamic_field,
        &actual.schema.has_dynamic_field,
    );
    found.params(
        kind,
        "properties",
        "",
        &wanted.schema.properties,
        &actual.schema.properties,
    );
}

/// Fields are told apart by their names: ids need not be the same for rows to be.
fn fields(found: &mut Found, wanted: &[Field], actual: &[Field]) {
    let named = |fields: &[Field]| {
        fields
            .iter()
            .map(|field| field.name.clone())
            .collect::<Vec<_>>()
    };
    found.sets(DifferenceKind::Schema, &named(wanted), &named(actual));
    for wanted in wanted {
        if let Some(actual) = actual.iter().find(|actual| actual.name == wanted.name) {
            field(found, wanted, actual);
        }
    }
}

fn field(found: &mut Found, wanted: &Field, actual: &Field) {
    let (kind, name) = (DifferenceKind::Schema, wanted.name.as_str());
    found.values(
        kind,
        name,
        "description",
        &wanted.description,
        &actual.description,
    );
    found.values(
        kind,
        name,
        "type",
        &wanted.data_type.to_string(),
        &actual.data_type.to_string(),
    );
    found.values(
        kind,
        name,
        "element type",
        &wanted.element_type,
        &actual.element_type,
    );
    found.values(
        kind,
        name,
        "primary key",
        &wanted.is_primary,
        &actual.is_primary,
    );
    found.values(kind, name, "autoID", &wanted.auto_id, &actual.auto_id);
    found.values(
        kind,
        name,
        "partition key",
        &wanted.is_partition_key,
        &actual.is_partition_key,
    );
    found.values(
        kind,
        name,
        "clustering key",
        &wanted.is_clustering_key,
        &actual.is_clustering_key,
    );
    found.values(kind, name, "nullable", &wanted.nullable, &actual.nullable);
    found.values(
        kind,
        name,
        "function output",
        &wanted.is_function_output,
        &actual.is_function_output,
    );
    if wanted.default_value != actual.default_value {
        found.add(kind, name, "the default value differs");
    }
    found.params(kind, name, "", &wanted.params, &actual.params);
    fields(found, &wanted.sub_fields, &actual.sub_fields);
}

fn functions(found: &mut Found, wanted: &CollectionSpec, actual: &CollectionSpec) {
    let describe = |spec: &CollectionSpec| {
        let one = |function: &model::schema::Function| {
            (
                function.name.clone(),
                (function.kind, function.outputs.clone()),
            )
        };
        spec.schema
            .functions
            .iter()
            .map(one)
            .collect::<BTreeMap<_, _>>()
    };
    let (wanted, actual) = (describe(wanted), describe(actual));
    let names: BTreeSet<_> = wanted.keys().chain(actual.keys()).collect();
    for name in names {
        found.values(
            DifferenceKind::Schema,
            name,
            "function",
            &wanted.get(name),
            &actual.get(name),
        );
    }
}

/// Indexes are told apart by their names, and named by their fields.
fn indexes(found: &mut Found, wanted: &[IndexSpec], actual: &[IndexSpec]) {
    let kind = DifferenceKind::Index;
    for wanted in wanted {
        let (field, name) = (&wanted.field, &wanted.name);
        match actual.iter().find(|actual| actual.name == *name) {
            Some(actual) => {
                let of = format!("index {name}");
                found.values(
                    kind,
                    field,
                    &format!("{of}: the field"),
                    field,
                    &actual.field,
                );
                found.params(
                    kind,
                    field,
                    &format!("{of}, "),
                    &wanted.params,
                    &actual.params,
                );
            }
            None => found.add(
                kind,
                field,
                format!("index {name} is missing on the target"),
            ),
        }
    }
    for actual in actual {
        if !wanted.iter().any(|wanted| wanted.name == actual.name) {
            let detail = format!("index {} is on the target only", actual.name);
            found.add(kind, &actual.field, detail);
        }
    }
}

fn load_state(found: &mut Found, wanted: LoadState, actual: LoadState) {
    let told = |state: LoadState| match state {
        LoadState::NotLoaded => "not loaded".to_owned(),
        LoadState::Loading => "loading".to_owned(),
        LoadState::Loaded { replicas: 0 } => "loaded".to_owned(),
        LoadState::Loaded { replicas } => format!("loaded with {replicas} replicas"),
    };
    let same = match (wanted, actual) {
        // A server that can't tell the number of replicas says 0.
        (LoadState::Loaded { replicas: wanted }, LoadState::Loaded { replicas: actual }) => {
            wanted == actual || wanted == 0 || actual == 0
        }
        (wanted, actual) => wanted == actual,
    };
    if !same {
        found.add(
            DifferenceKind::LoadState,
            "load state",
            format!("{} and should be {}", told(actual), told(wanted)),
        );
    }
}

#[cfg(test)]
mod tests;
