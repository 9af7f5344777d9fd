//! What a source's collection becomes on this target: the same wherever that is possible, and named wherever it is not.
//!
//! Pure: what the target can do goes in, what it is to hold and what the operator should know comes out.

use milvus::Capabilities;
use model::job::{AutoId, Indexes, Load};
use model::{
    Class, CollectionName, CollectionSpec, Fault, Field, Finding, IndexSpec, JobSpec, LoadState,
    Severity, codes,
};
use protocol::call::CollectionPlan;
use std::collections::BTreeMap;

/// Properties that belong to a cluster or a replication, not to the data.
const FOREIGN_PROPERTIES: [&str; 3] = ["replicate.", "cipher.", "rls."];

/// The property that lets clients send the keys of a collection that makes its own.
pub(crate) const ALLOW_INSERT_AUTO_ID: &str = "allow_insert_auto_id";

/// What a collection is to be on the target.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The definition that the target is to have in the end.
    pub(crate) expected: CollectionSpec,
    /// What the operator should know.
    pub(crate) findings: Vec<Finding>,
}

/// Decides what a collection is to be on a target that can do so much.
pub(crate) fn map(can: &Capabilities, spec: &JobSpec, plan: &CollectionPlan) -> Mapping {
    let mut expected = plan.source.clone();
    expected.name = plan.target.clone();
    let mut mapping = Mapping {
        expected,
        findings: vec![],
    };
    mapping.fields(can);
    mapping.whole_schema(can);
    mapping.keys(can, spec, plan);
    mapping.properties();
    mapping.indexes(can, spec);
    mapping.expected.load = match (spec.load, plan.source.load) {
        (Load::No, _) => LoadState::NotLoaded,
        (Load::Keep, state) => state,
        (Load::Yes, LoadState::NotLoaded) => LoadState::Loaded { replicas: 1 },
        (Load::Yes, state) => state,
    };
    mapping
}

impl Mapping {
    fn find(&mut self, severity: Severity, code: &str, subject: &str, text: impl Into<String>) {
        let subject = format!(
            "{}{}{subject}",
            self.expected.name,
            if subject.is_empty() { "" } else { ", " }
        );
        self.findings
            .push(Finding::new(severity, code, subject, text));
    }

    /// Every field must be of a type, and have only attributes, that the target has.
    fn fields(&mut self, can: &Capabilities) {
        for field in self.expected.schema.fields.clone() {
            let types = std::iter::once(field.data_type)
                .chain(field.element_type)
                .chain(field.sub_fields.iter().map(|sub| sub.data_type));
            for data_type in types.filter(|data_type| !can.holds(*data_type)) {
                self.cannot(&field, &format!("the type {data_type}"));
            }
            let attributes = [
                (field.nullable && !can.nullable, "null values"),
                (
                    field.default_value.is_some() && !can.default_values,
                    "default values",
                ),
                (
                    field.is_clustering_key && !can.clustering_key,
                    "clustering keys",
                ),
                (
                    field.is_partition_key && !can.partition_key,
                    "partition keys",
                ),
            ];
            for (_, attribute) in attributes.iter().filter(|(lacks, _)| *lacks) {
                self.cannot(&field, attribute);
            }
        }
    }

    fn cannot(&mut self, field: &Field, what: &str) {
        let text = format!(
            "the target does not know {what}: take a newer target, or exclude the collection"
        );
        self.find(
            Severity::Blocked,
            codes::TYPE_UNSUPPORTED,
            &format!("field {}", field.name),
            text,
        );
    }

    fn whole_schema(&mut self, can: &Capabilities) {
        let schema = &self.expected.schema;
        let vectors = schema
            .fields
            .iter()
            .filter(|field| field.data_type.is_vector())
            .count();
        let lacks = [
            (
                vectors > 1 && !can.several_vectors,
                "several vector fields in one collection",
            ),
            (
                schema.has_dynamic_field && !can.partition_key,
                "dynamic fields",
            ),
            (!schema.functions.is_empty() && !can.functions, "functions"),
        ];
        for (_, what) in lacks.iter().filter(|(lacks, _)| *lacks) {
            let text = format!(
                "the target does not know {what}: take a newer target, or exclude the collection"
            );
            self.find(Severity::Blocked, codes::TYPE_UNSUPPORTED, "", text);
        }
        if !self.expected.schema.unknown.is_empty() {
            let text = format!(
                "its schema has parts that this release does not know (message fields {:?}); they are sent as they are",
                self.expected.schema.unknown
            );
            self.find(Severity::Note, codes::ATTRIBUTE_CHANGED, "", text);
        }
        if !can.keeps_attributes {
            let text = "the target does not keep descriptions, the number of shards and of a partition key's partitions, the consistency level, memory mapping, and the length of texts in arrays";
            self.find(Severity::Changed, codes::ATTRIBUTE_CHANGED, "", text);
        }
    }

    /// Keys that the source's server made.
    fn keys(&mut self, can: &Capabilities, spec: &JobSpec, plan: &CollectionPlan) {
        if !plan.source.schema.has_auto_id() {
            return;
        }
        match spec.auto_id {
            AutoId::Regenerate => {
                let text = "primary keys are made anew on the target; rows are compared without them, and a write of unknown outcome ends the job";
                self.find(Severity::Changed, codes::AUTO_ID_REGENERATED, "", text);
            }
            AutoId::Preserve if can.insert_auto_id => {
                self.expected
                    .properties
                    .insert(ALLOW_INSERT_AUTO_ID.to_owned(), "true".to_owned());
                let text = format!(
                    "primary keys are kept; for that the target gets the property {ALLOW_INSERT_AUTO_ID}"
                );
                self.find(Severity::Changed, codes::ATTRIBUTE_CHANGED, "", text);
            }
            AutoId::Preserve => {
                let primary = self
                    .expected
                    .schema
                    .fields
                    .iter_mut()
                    .find(|field| field.is_primary);
                if let Some(primary) = primary {
                    primary.auto_id = false;
                }
                let text = "primary keys are kept; the target can't take them where it makes its own, so its schema has autoID off";
                self.find(Severity::Changed, codes::AUTO_ID_OFF, "", text);
            }
        }
    }

    fn properties(&mut self) {
        let is_foreign = |name: &str| {
            FOREIGN_PROPERTIES
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        let foreign: Vec<String> = self
            .expected
            .properties
            .keys()
            .filter(|name| is_foreign(name))
            .cloned()
            .collect();
        for name in foreign {
            self.expected.properties.remove(&name);
            let text = "not carried: it belongs to the source's cluster";
            self.find(
                Severity::Changed,
                codes::PROPERTY_DROPPED,
                &format!("property {name}"),
                text,
            );
        }
    }

    fn indexes(&mut self, can: &Capabilities, spec: &JobSpec) {
        if spec.indexes == Indexes::None {
            self.expected.indexes.clear();
            return;
        }
        let auto = spec.indexes == Indexes::Auto || can.only_auto_index;
        let vectors = self.vector_fields();
        let mut mapped = Vec::new();
        for index in &mut self.expected.indexes {
            let is_vector = vectors.contains(&index.field);
            let former = index.params.get("index_type").cloned().unwrap_or_default();
            let stays = can.builds(&former, is_vector) && !(auto && is_vector);
            let wanted = if is_vector { "AUTOINDEX" } else { "INVERTED" };
            if !stays && former != wanted {
                become_type(index, wanted);
                mapped.push((index.name.clone(), former, wanted));
            }
        }
        for (name, former, wanted) in mapped {
            let former = if former.is_empty() {
                "the server's own choice"
            } else {
                &former
            };
            let text = format!("{former} becomes {wanted}, with the same metric where it has one");
            let subject = format!("index {name}");
            self.find(Severity::Changed, codes::INDEX_MAPPED, &subject, text);
        }
    }

    fn vector_fields(&self) -> Vec<String> {
        let fields = self.expected.schema.fields.iter();
        let vectors = fields.filter(|field| field.data_type.is_vector());
        vectors.map(|field| field.name.clone()).collect()
    }
}

/// Makes an index one of another type and the same metric.
fn become_type(index: &mut IndexSpec, wanted: &str) {
    let metric = index.params.remove_entry("metric_type");
    index.params = BTreeMap::from([("index_type".to_owned(), wanted.to_owned())]);
    index.params.extend(metric);
}

/// Whether the target makes keys of its own for this collection.
pub(crate) fn regenerates_keys(spec: &JobSpec, plan: &CollectionPlan) -> bool {
    spec.auto_id == AutoId::Regenerate && plan.source.schema.has_auto_id()
}

/// Columns of the source that are not sent: those that a function computes, and keys that are made anew.
pub(crate) fn omitted_columns(spec: &JobSpec, plan: &CollectionPlan) -> Vec<String> {
    let schema = &plan.source.schema;
    let is_omitted = |field: &&Field| {
        field.is_function_output || (field.is_primary && regenerates_keys(spec, plan))
    };
    schema
        .fields
        .iter()
        .filter(is_omitted)
        .map(|field| field.name.clone())
        .collect()
}

/// A batch whose rows can't be found again may be there or not.
pub(crate) fn in_doubt(target: &CollectionName) -> Fault {
    let message = format!(
        "collection {target}: a write was cut off, and rows with new keys can't be told from those that were written"
    );
    let hint = "create the job anew with on_conflict: replace; with auto_id: preserve such a cut does no harm";
    Fault::new(codes::MILVUS_TIMEOUT, Class::Permanent, message, hint)
}
