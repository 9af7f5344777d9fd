//! What keeps a collection's files from being imported here.

use crate::agent::Agent;
use crate::writer::mapping;
use crate::writer::staging;
use milvus::{Client, ImportWay};
use model::{DataType, Field, JobSpec};
use protocol::call::{CollectionPlan, Imports};

/// The ids that Milvus gives to the fields of a new collection: from here, in their order.
const FIRST_FIELD: i64 = 100;

/// The types whose files 2.3 can import: of halves it has the fields, and no room in its importer (`importutil.initBlockData`).
const TYPES: [DataType; 12] = [
    DataType::BOOL,
    DataType::INT8,
    DataType::INT16,
    DataType::INT32,
    DataType::INT64,
    DataType::FLOAT,
    DataType::DOUBLE,
    DataType::VARCHAR,
    DataType::ARRAY,
    DataType::JSON,
    DataType::BINARY_VECTOR,
    DataType::FLOAT_VECTOR,
];

/// The types whose files later ones can import beside those (`storage.NewFieldData`), as far as sources that ship have them.
const LATER_TYPES: [DataType; 3] = [
    DataType::FLOAT16_VECTOR,
    DataType::BFLOAT16_VECTOR,
    DataType::SPARSE_FLOAT_VECTOR,
];

/// That which 2.6 can import, too.
const LATEST_TYPE: DataType = DataType::INT8_VECTOR;

/// Which files of segments are imported here; nothing where none are.
///
/// Those of a newer release may hold what this server's importer does not know, also where their form is the same: Milvus's own tool for
/// backups restores to the same or a newer release (milvus-backup, `README.md`).
pub(crate) fn imports(agent: &Agent) -> Option<Imports> {
    let capabilities = agent.milvus.capabilities();
    let (major, minor, _) = agent.milvus.version().number()?;
    capabilities.import.map(|_| Imports {
        up_to: (major, minor),
        grouped: capabilities.import_grouped,
    })
}

/// Why a collection's files can't be imported here, if so.
pub(crate) async fn obstacle(
    agent: &Agent,
    spec: &JobSpec,
    plan: &CollectionPlan,
    is_appended: bool,
) -> Option<String> {
    let Some(storage) = &agent.storage else {
        return Some("the target's agent has no `storage` section".to_owned());
    };
    let Some(way) = agent.milvus.capabilities().import else {
        let version = agent.milvus.version();
        return Some(format!(
            "the target is {version}, and importing is built for Milvus 2.3, and 2.4.2 and later"
        ));
    };
    if is_appended {
        return Some(
            "rows are added to a collection that is there, and keys of theirs may be there too"
                .to_owned(),
        );
    }
    if mapping::regenerates_keys(spec, plan) {
        return Some("the target is to make new keys".to_owned());
    }
    let is_latest = agent.milvus.version().at_least(2, 6, 0);
    if let Some(cause) = of_fields(way, is_latest, &plan.source.schema.fields) {
        return Some(cause);
    }
    if let Some(cause) = of_server(&agent.milvus, way).await {
        return Some(cause);
    }
    match staging::prove(storage, &plan.job).await {
        Ok(()) => None,
        Err(fault) => Some(format!("{} ({})", fault.message, fault.hint)),
    }
}

fn of_fields(way: ImportWay, is_latest: bool, fields: &[Field]) -> Option<String> {
    let is_numbered = |(place, field): (i64, &Field)| field.id == FIRST_FIELD + place;
    if !(0..).zip(fields).all(is_numbered) {
        return Some("its fields are not numbered as those of a new collection are".to_owned());
    }
    let is_taken = |data_type: &DataType| match way {
        ImportWay::Calls => TYPES.contains(data_type),
        ImportWay::Jobs if is_latest && *data_type == LATEST_TYPE => true,
        ImportWay::Jobs => TYPES.contains(data_type) || LATER_TYPES.contains(data_type),
    };
    let field = fields.iter().find(|field| !is_taken(&field.data_type))?;
    let Field {
        name, data_type, ..
    } = field;
    Some(format!(
        "the target can't import {data_type}, which field {name} is"
    ))
}

async fn of_server(milvus: &Client, way: ImportWay) -> Option<String> {
    if way == ImportWay::Calls {
        return None;
    }
    let error = milvus.prove_import().await.err()?;
    Some(format!(
        "imports can't be ordered by the target's REST API, which is looked for where milvus.rest_uri says, or else milvus.uri: {error}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn field(id: i64, data_type: DataType) -> Field {
        Field {
            id,
            name: "f".to_owned(),
            description: String::new(),
            data_type,
            element_type: None,
            is_primary: false,
            auto_id: false,
            is_partition_key: false,
            is_clustering_key: false,
            is_dynamic: false,
            nullable: false,
            default_value: None,
            is_function_output: false,
            params: BTreeMap::new(),
            sub_fields: Vec::new(),
        }
    }

    #[test]
    fn halves_are_imported_by_jobs_and_not_by_calls() {
        let halves = [field(100, DataType::FLOAT16_VECTOR)];
        assert!(of_fields(ImportWay::Calls, false, &halves).is_some());
        assert_eq!(of_fields(ImportWay::Jobs, false, &halves), None);
        let later = [field(100, DataType::GEOMETRY)];
        assert!(of_fields(ImportWay::Jobs, true, &later).is_some());
        let bytes = [field(100, DataType::INT8_VECTOR)];
        assert!(of_fields(ImportWay::Jobs, false, &bytes).is_some());
        assert_eq!(of_fields(ImportWay::Jobs, true, &bytes), None);
    }

    #[test]
    fn fields_with_other_numbers_are_named() {
        let fields = [field(100, DataType::INT64), field(102, DataType::INT64)];
        assert!(of_fields(ImportWay::Jobs, true, &fields).is_some());
    }
}
