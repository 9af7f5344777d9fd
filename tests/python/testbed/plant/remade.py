"""What cannot be altered: the collection is made again, with one thing of its schema changed and all its rows."""

from ..raw import mapping, milvus, schema
from ..schemas import create, params_of
from . import DoesNotApply, Kind, found

ROWS_AT_MOST = 1000


def all_rows(place):
    """Every row: remaking is for small collections."""
    if place.automatic or place.server.load_state(place.db, place.name) != "loaded":
        raise DoesNotApply("its rows cannot be put back")
    keys = place.keys()
    if len(keys) > ROWS_AT_MOST:
        raise DoesNotApply(f"more than {ROWS_AT_MOST} rows")
    rows = list(place.candidates())
    if len(rows) != len(keys):
        raise DoesNotApply("not every row can be read")
    return rows


def merge(batches):
    """Prepared rows of one partition as one batch of columns. (A server answers columns in any order.)"""
    whole, by_name = [], [{column.field_name: column for column in columns} for columns in batches]
    for name in by_name[0]:
        column, parts = schema.FieldData(), [columns[name] for columns in by_name]
        for part in parts:
            column.MergeFrom(part)
        slot = column.vectors.WhichOneof("data") if column.WhichOneof("field") == "vectors" else None
        if slot and slot not in ("float_vector", "sparse_float_vector"):  # merging replaces a byte string
            setattr(column.vectors, slot, b"".join(getattr(part.vectors, slot) for part in parts))
        whole.append(column)
    return whole


def remake(place, edit, **request):
    """Drop the collection and make it again; `edit(schema)` changes its schema, `request` what else CreateCollection takes."""
    rows, indexes = all_rows(place), place.server.indexes(place.db, place.name)
    aliases, partitions = place.server.aliases(place.db, place.name), place.partitions()
    changed = schema.CollectionSchema.FromString(place.schema.SerializeToString())
    edit(changed)
    settings = dict(
        shards=place.described.shards_num,
        consistency=place.described.consistency_level,
        properties=mapping(place.described.properties),
        num_partitions=place.described.num_partitions if place.keyed else 0,
    )
    for alias in aliases:
        place.alter("DropAlias", milvus.DropAliasRequest(alias=alias))
    place.release()
    place.alter("DropCollection", milvus.DropCollectionRequest(collection_name=place.name))
    create(place.server, place.db, changed, **{**settings, **request})
    for partition in partitions:
        if partition not in ("", "_default"):
            place.server.create_partition(place.db, place.name, partition)
    put_back(place, rows, indexes, aliases)


def put_back(place, rows, indexes, aliases):
    """Rows, indexes, load state and aliases as they were."""
    for partition in {row.partition for row in rows}:
        part = [row for row in rows if row.partition == partition]
        place.server.insert(place.db, place.name, merge([place.prepared(row) for row in part]), len(part), partition)
    place.server.flush(place.db, place.name)
    for index in indexes:
        place.server.create_index(
            place.db, place.name, index.field_name, mapping(index.params), index.index_name, wait=False
        )
    place.server.load(place.db, place.name)
    for alias in aliases:
        place.alter("CreateAlias", milvus.CreateAliasRequest(alias=alias, collection_name=place.name))


def description(place):
    """Another description of the collection."""
    remake(place, lambda changed: setattr(changed, "description", "planted"))
    return [found("description", aspect="collection")]


def field_description(place):
    """Another description of a field."""
    name = place.fields()[0].name
    remake(
        place,
        lambda changed: setattr(next(made for made in changed.fields if made.name == name), "description", "planted"),
    )
    return [found("schema", field=name, aspect="description")]


def max_length(place):
    """Another limit of a VarChar."""
    chosen = next((made for made in place.fields("VarChar") if int(params_of(made)["max_length"]) < 60_000), None)
    if chosen is None:
        raise DoesNotApply("no VarChar field")

    def edit(changed):
        made = next(made for made in changed.fields if made.name == chosen.name)
        next(pair for pair in made.type_params if pair.key == "max_length").value = str(
            int(params_of(chosen)["max_length"]) + 1
        )

    remake(place, edit)
    return [found("schema", field=chosen.name, aspect="type_params.max_length")]


def shards(place):
    """Another number of shards."""
    remake(place, lambda changed: None, shards=place.described.shards_num % 4 + 1)
    return [found("shards")]


def consistency(place):
    """Another consistency level."""
    remake(place, lambda changed: None, consistency=(place.described.consistency_level + 1) % 4)
    return [found("consistency")]


def default_value(place):
    """Another default."""
    chosen = next((made for made in place.fields("Int64") if made.HasField("default_value")), None)
    if chosen is None:
        raise DoesNotApply("no Int64 field with a default")
    remake(
        place,
        lambda changed: setattr(
            next(made for made in changed.fields if made.name == chosen.name).default_value, "long_data", 4242
        ),
    )
    return [found("schema", field=chosen.name, aspect="default_value.long_data")]


REAL_ONLY = ("2.3.5", "2.2.16")
KINDS = [
    Kind("description", "the collection's description", description, servers=REAL_ONLY),
    Kind("field_description", "a field's description", field_description, servers=REAL_ONLY),
    Kind("max_length", "a VarChar's limit", max_length, "a VarChar field"),
    Kind("shards", "the number of shards", shards, servers=REAL_ONLY),
    Kind("consistency", "the consistency level", consistency, servers=REAL_ONLY),
    Kind("default_value", "a field's default", default_value, "an Int64 field with a default", ("2.3.5", "lite")),
]
