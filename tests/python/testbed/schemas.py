"""Collection schemas in few words: a field is one line, and the rest of a CreateCollection follows."""

from .raw import mapping, milvus, pairs, schema

DataType = schema.DataType
VECTORS = {"BinaryVector", "FloatVector", "Float16Vector", "BFloat16Vector", "SparseFloatVector", "Int8Vector"}
DEFAULT_SLOTS = {
    "Bool": "bool_data",
    "Int8": "int_data",
    "Int16": "int_data",
    "Int32": "int_data",
    "Int64": "long_data",
    "Float": "float_data",
    "Double": "double_data",
    "VarChar": "string_data",
    "JSON": "bytes_data",
    "Geometry": "string_data",
    "Timestamptz": "timestamptz_data",
}


def field(name, kind, element=None, default=None, params=None, **attributes):
    """One field. `kind` and `element` are type names; `params` are type parameters (dim, max_length, …)."""
    made = schema.FieldSchema(name=name, data_type=DataType.Value(kind), type_params=pairs(params or {}), **attributes)
    if element:
        made.element_type = DataType.Value(element)
    if default is not None:
        setattr(made.default_value, DEFAULT_SLOTS[kind], default)
    return made


def collection(name, fields, **attributes):
    """A collection's schema; autoID stands on both levels, as the SDKs send it."""
    automatic = any(made.is_primary_key and made.autoID for made in fields)
    return schema.CollectionSchema(name=name, fields=fields, autoID=automatic, **attributes)


def create(server, db, made, shards=1, consistency="Bounded", properties=None, num_partitions=0):
    """CreateCollection."""
    server.call(
        "CreateCollection",
        milvus.CreateCollectionRequest(
            collection_name=made.name,
            schema=made.SerializeToString(),
            shards_num=shards,
            num_partitions=num_partitions,
            consistency_level=consistency,
            properties=pairs(properties or {}),
        ),
        db,
    )


def kind_of(made):
    """The type's name."""
    return DataType.Name(made.data_type)


def params_of(made):
    """The type parameters."""
    return mapping(made.type_params)


def dim_of(made):
    """The dimension of a dense vector field."""
    return int(params_of(made)["dim"])


def primary_key(described):
    """The primary key field of a schema."""
    return next(made for made in described.fields if made.is_primary_key)
