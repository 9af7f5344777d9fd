//! What a Milvus can do: by its version as far as that is known, and by asking.

mod probe;

use crate::expression::Dialect;
use crate::{ImportWay, Product, ServerVersion};
use model::DataType;

/// What a Milvus can do. First versions are those of Milvus; Lite's are what 3.2.2 was seen to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Rows can be replaced in one call; since 2.3. Not on Lite: its Upsert keeps the dynamic fields of the row that it replaces.
    pub upsert: bool,
    /// Rows can be counted by a query; since 2.3.
    pub count: bool,
    /// A partition of a loaded collection can be released by itself, and then be dropped; since 2.3.
    pub release_partition: bool,
    /// A query answers in the order of primary keys when asked to; since 2.3.
    pub ordered_query: bool,
    /// There are databases; since 2.2.9.
    pub databases: bool,
    /// Properties of databases can be asked for; since 2.4.3.
    pub describe_database: bool,
    /// Properties of databases can be altered, so that writes to one can be denied; since 2.4.
    pub alter_database: bool,
    /// Aliases can be listed; since 2.3. Before, a collection's description holds them.
    pub list_aliases: bool,
    /// The server tells its clock; since 2.2.13. Lite needs none: its reads see every write.
    pub alloc_timestamp: bool,
    /// The number of replicas can be asked for. Not on Lite and Zilliz Cloud.
    pub replicas: bool,
    /// Whether a flush is complete can be asked for. Not on Zilliz Cloud.
    pub flush_state: bool,
    /// Primary keys can be given to a collection that makes its own (`allow_insert_auto_id`); since 2.6.3.
    pub insert_auto_id: bool,
    /// Null can be a value; since 2.5.
    pub nullable: bool,
    /// Fields can have default values; since 2.3.
    pub default_values: bool,
    /// Rows can be clustered by a field; since 2.4.
    pub clustering_key: bool,
    /// Rows can be placed in partitions by a field, and rows can have fields that the schema does not name; since 2.2.9.
    pub partition_key: bool,
    /// A collection can have several vector fields; since 2.4.
    pub several_vectors: bool,
    /// Functions can compute fields; since 2.5.
    pub functions: bool,
    /// Descriptions, shards, consistency level and parameters such as `mmap.enabled` are kept. Lite forgets them.
    pub keeps_attributes: bool,
    /// Vector indexes are always AUTOINDEX: Zilliz Cloud.
    pub only_auto_index: bool,
    /// How files of segments are imported; since 2.2, and tried from 2.3 on. The jobs of 2.4.0 and 2.4.1 take neither partitions nor keys as
    /// later ones do. Not on Lite, and on Zilliz Cloud only as its operators do it.
    pub import: Option<ImportWay>,
    /// Files of segments that hold several fields each are imported, by an option of the job; since 2.6 (milvus-io/milvus#43221).
    pub import_grouped: bool,
    /// Which files a segment has can be asked for by REST; since 2.5.8.
    pub segment_files: bool,
    /// How expressions are written.
    pub dialect: Dialect,
    indexes: IndexTypes,
    data_types: Vec<DataType>,
}

impl Capabilities {
    /// What a version is known to do. For an unknown version, what every supported one does.
    #[must_use]
    pub fn of(version: &ServerVersion) -> Self {
        if version.product() == Product::Lite {
            return Self::of_lite();
        }
        let since = |major, minor, patch| version.at_least(major, minor, patch);
        let is_zilliz = version.product() == Product::Zilliz;
        Self {
            upsert: since(2, 3, 0),
            count: since(2, 3, 0),
            release_partition: since(2, 3, 0),
            ordered_query: since(2, 3, 0),
            databases: since(2, 2, 9),
            describe_database: since(2, 4, 3),
            alter_database: since(2, 4, 1),
            list_aliases: since(2, 3, 0),
            alloc_timestamp: since(2, 2, 13),
            replicas: !is_zilliz,
            flush_state: !is_zilliz,
            insert_auto_id: since(2, 6, 3),
            nullable: since(2, 5, 0),
            default_values: since(2, 3, 0),
            clustering_key: since(2, 4, 0),
            partition_key: since(2, 2, 9),
            several_vectors: since(2, 4, 0),
            functions: since(2, 5, 0),
            keeps_attributes: true,
            only_auto_index: is_zilliz,
            import: match version.product() {
                Product::Milvus if since(2, 4, 2) => Some(ImportWay::Jobs),
                Product::Milvus if since(2, 3, 0) && !since(2, 4, 0) => Some(ImportWay::Calls),
                _ => None,
            },
            import_grouped: version.product() == Product::Milvus && since(2, 6, 0),
            segment_files: version.product() == Product::Milvus && since(2, 5, 8),
            dialect: Dialect::Milvus,
            indexes: if since(2, 3, 0) {
                IndexTypes::WithoutAnnoy
            } else {
                IndexTypes::All
            },
            data_types: data_types(version),
        }
    }

    fn of_lite() -> Self {
        Self {
            upsert: false,
            count: true,
            release_partition: true,
            ordered_query: true,
            databases: true,
            describe_database: true,
            alter_database: false,
            list_aliases: true,
            alloc_timestamp: false,
            replicas: false,
            flush_state: true,
            insert_auto_id: false,
            nullable: true,
            default_values: true,
            clustering_key: false,
            partition_key: true,
            several_vectors: true,
            functions: true,
            keeps_attributes: false,
            only_auto_index: false,
            import: None,
            import_grouped: false,
            segment_files: false,
            dialect: Dialect::Lite,
            indexes: IndexTypes::OfLite,
            data_types: LITE_TYPES.to_vec(),
        }
    }

    /// Whether an index of this type can be built: on a vector field, or on a scalar one. An empty type is the server's choice.
    #[must_use]
    pub fn builds(&self, index_type: &str, is_vector: bool) -> bool {
        match (self.indexes, is_vector) {
            (IndexTypes::All, _) | (IndexTypes::WithoutAnnoy, false) => true,
            (IndexTypes::WithoutAnnoy, true) => index_type != "ANNOY",
            (IndexTypes::OfLite, true) => LITE_VECTOR_INDEXES.contains(&index_type),
            (IndexTypes::OfLite, false) => index_type == "INVERTED",
        }
    }

    /// Whether fields of this type can be created.
    #[must_use]
    pub fn holds(&self, data_type: DataType) -> bool {
        self.data_types.contains(&data_type)
    }
}

/// Which types of index a server builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IndexTypes {
    /// All that we have heard of: up to 2.2.
    All,
    /// ANNOY was taken out with 2.3.
    WithoutAnnoy,
    /// Those that Lite 3.2 was seen to build.
    OfLite,
}

const LITE_VECTOR_INDEXES: [&str; 8] = [
    "AUTOINDEX",
    "BRUTE_FORCE",
    "FLAT",
    "HNSW",
    "HNSW_SQ",
    "IVF_FLAT",
    "IVF_SQ8",
    "SPARSE_INVERTED_INDEX",
];

const FIRST_TYPES: [DataType; 10] = [
    DataType::BOOL,
    DataType::INT8,
    DataType::INT16,
    DataType::INT32,
    DataType::INT64,
    DataType::FLOAT,
    DataType::DOUBLE,
    DataType::VARCHAR,
    DataType::BINARY_VECTOR,
    DataType::FLOAT_VECTOR,
];

const LITE_TYPES: [DataType; 14] = [
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
    DataType::GEOMETRY,
    DataType::TIMESTAMPTZ,
    DataType::FLOAT_VECTOR,
    DataType::SPARSE_FLOAT_VECTOR,
];

/// Types and the versions that first let one create fields of them.
const LATER_TYPES: [((u32, u32, u32), DataType); 12] = [
    ((2, 2, 9), DataType::JSON),
    ((2, 3, 2), DataType::ARRAY),
    ((2, 3, 0), DataType::FLOAT16_VECTOR),
    ((2, 4, 0), DataType::BFLOAT16_VECTOR),
    ((2, 4, 0), DataType::SPARSE_FLOAT_VECTOR),
    ((2, 6, 0), DataType::INT8_VECTOR),
    ((2, 6, 0), DataType::GEOMETRY),
    ((2, 6, 0), DataType::ARRAY_OF_VECTOR),
    ((2, 6, 0), DataType::ARRAY_OF_STRUCT),
    ((2, 6, 0), DataType::STRUCT),
    ((2, 6, 1), DataType::TIMESTAMPTZ),
    ((3, 0, 0), DataType::TEXT),
];

fn data_types(version: &ServerVersion) -> Vec<DataType> {
    let later = LATER_TYPES
        .iter()
        .filter(|((major, minor, patch), _)| version.at_least(*major, *minor, *patch))
        .map(|(_, data_type)| *data_type);
    FIRST_TYPES.into_iter().chain(later).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Capabilities {
        Capabilities::of(&ServerVersion::parse(text))
    }

    #[test]
    fn each_generation_can_do_more() {
        assert!(!of("v2.2.16").upsert && of("v2.2.16").holds(DataType::JSON));
        assert!(of("v2.3.5").upsert && of("v2.3.5").holds(DataType::ARRAY));
        assert!(!of("v2.3.5").holds(DataType::SPARSE_FLOAT_VECTOR));
        assert!(of("v2.6.3").insert_auto_id && !of("v2.6.2").insert_auto_id);
        assert!(of("v3.0.0").holds(DataType::TEXT));
    }

    #[test]
    fn files_are_imported_by_calls_and_later_by_jobs() {
        let ways = [
            ("v2.2.16", None),
            ("v2.3.5", Some(ImportWay::Calls)),
            ("v2.4.1", None),
            ("v2.4.2", Some(ImportWay::Jobs)),
            ("v2.6.0", Some(ImportWay::Jobs)),
            (
                "Zilliz Cloud Vector Database(Compatible with Milvus 2.6)",
                None,
            ),
            ("milvus_lite-3.2.2", None),
            ("", None),
        ];
        for (version, way) in ways {
            assert_eq!(of(version).import, way, "{version}");
        }
    }

    #[test]
    fn files_of_several_fields_and_the_list_of_a_segments_files_are_of_later_servers() {
        let cases = [
            ("v2.5.7", false, false),
            ("v2.5.8", false, true),
            ("v2.6.0", true, true),
            ("Zilliz Cloud (Compatible with Milvus 2.6)", false, false),
            ("milvus_lite-3.2.2", false, false),
            ("", false, false),
        ];
        for (version, grouped, files) in cases {
            let can = of(version);
            let found = (can.import_grouped, can.segment_files);
            assert_eq!(found, (grouped, files), "{version}");
        }
    }

    #[test]
    fn lite_is_an_engine_of_its_own() {
        let lite = of("milvus_lite-3.2.2");
        assert!(lite.nullable && !lite.holds(DataType::BINARY_VECTOR) && !lite.keeps_attributes);
        assert_eq!(of("v2.3.5-lite").dialect, Dialect::Milvus);
    }

    #[test]
    fn indexes_that_a_server_does_not_build_are_known() {
        assert!(of("v2.2.16").builds("ANNOY", true) && !of("v2.3.5").builds("ANNOY", true));
        let lite = of("milvus_lite-3.2.2");
        assert!(lite.builds("HNSW", true) && !lite.builds("DISKANN", true));
        assert!(lite.builds("INVERTED", false) && !lite.builds("", false));
    }

    #[test]
    fn a_type_nobody_knows_is_held_by_no_server() {
        assert!(!of("v3.0.0").holds(DataType::new(31)));
    }
}
