"""Indexes, aliases, partitions, properties, load state: what surrounds the rows."""

import json

from ..raw import mapping, milvus, pairs
from ..schemas import VECTORS, kind_of
from . import DoesNotApply, Kind, found

BUILD_PARAMS = {"nlist": 2, "M": 4, "efConstruction": 17, "n_trees": 3, "bm25_k1": 0.3}


def drop_index(place, index):
    """Drop an index by field and name."""
    place.alter(
        "DropIndex",
        milvus.DropIndexRequest(collection_name=place.name, field_name=index.field_name, index_name=index.index_name),
    )


def rebuild(place, index, change):
    """Drop an index and make it again with other parameters; the load state stays."""
    params = mapping(index.params)
    inner = json.loads(params.get("params") or "{}")
    aspect = change(params, inner)
    if inner:
        params["params"] = json.dumps(inner)
    loaded = place.release()
    drop_index(place, index)
    place.server.create_index(place.db, place.name, index.field_name, params, index.index_name)
    if loaded:
        place.server.load(place.db, place.name)
    return [found("index_params", field=index.field_name, aspect=aspect)]


def vector_indexes(place):
    """Indexes of vector fields."""
    kinds = {made.name: kind_of(made) for made in place.schema.fields}
    return [index for index in place.server.indexes(place.db, place.name) if kinds.get(index.field_name) in VECTORS]


def index_param(place):
    """Another build parameter."""
    for index in vector_indexes(place):
        inner = json.loads(mapping(index.params).get("params") or "{}")
        name = next((name for name in BUILD_PARAMS if name in inner and inner[name] != BUILD_PARAMS[name]), None)
        if name:
            return rebuild(
                place, index, lambda params, inner: inner.update({name: BUILD_PARAMS[name]}) or f"params.{name}"
            )
    raise DoesNotApply("no index has a parameter that may be changed")


def index_metric(place):
    """Another metric."""
    for index in vector_indexes(place):
        other = {"L2": "IP", "IP": "L2", "COSINE": "L2", "HAMMING": "JACCARD", "JACCARD": "HAMMING"}.get(
            mapping(index.params).get("metric_type")
        )
        sparse = mapping(index.params).get("index_type", "").startswith("SPARSE")
        if other and not sparse:
            return rebuild(place, index, lambda params, inner: params.update(metric_type=other) or "metric_type")
    raise DoesNotApply("no index has a metric that may be changed")


def index_dropped(place):
    """An index is gone (of a scalar field, where there is one: then the collection stays loaded)."""
    every = place.server.indexes(place.db, place.name)
    vectors = {index.field_name for index in vector_indexes(place)}
    chosen = next((index for index in every if index.field_name not in vectors), None) or next(iter(every), None)
    if chosen is None:
        raise DoesNotApply("no index")
    loaded = place.release()
    drop_index(place, chosen)
    if loaded and chosen.field_name not in vectors:
        place.server.load(place.db, place.name)
    changed = loaded != (place.server.load_state(place.db, place.name) == "loaded")
    return [found("index_missing", field=chosen.field_name)] + (
        [found("load_state", aspect="collection")] if changed else []
    )


def index_extra(place):
    """An index on a field that had none."""
    indexed = {index.field_name for index in place.server.indexes(place.db, place.name)}
    for made in place.fields():
        if made.name not in indexed and kind_of(made) in ("Int32", "Int64", "VarChar"):
            loaded = place.release()
            place.server.create_index(
                place.db,
                place.name,
                made.name,
                {"index_type": "INVERTED"} if place.server.is_lite() else {},
                wait=False,
            )
            if loaded:
                place.server.load(place.db, place.name)
            return [found("index_extra", field=made.name)]
    raise DoesNotApply("no scalar field without an index")


def first_alias(place):
    """An alias of the collection."""
    aliases = place.server.aliases(place.db, place.name)
    if not aliases:
        raise DoesNotApply("no alias")
    return aliases[0]


def alias_lost(place):
    """An alias is gone."""
    alias = first_alias(place)
    place.alter("DropAlias", milvus.DropAliasRequest(alias=alias))
    return [found("alias_missing", field=alias)]


def alias_moved(place):
    """An alias points to another collection."""
    alias = first_alias(place)
    other = next((name for name in place.server.collections(place.db) if name != place.name), None)
    if other is None:
        raise DoesNotApply("no other collection in the database")
    place.alter("AlterAlias", milvus.AlterAliasRequest(alias=alias, collection_name=other))
    return [found("alias_missing", field=alias), {**found("alias_extra", field=alias), "collection": place.full(other)}]


def alias_extra(place):
    """An alias too many."""
    place.alter("CreateAlias", milvus.CreateAliasRequest(alias="planted_alias", collection_name=place.name))
    return [found("alias_extra", field="planted_alias")]


def partition_extra(place):
    """A partition too many."""
    if place.keyed:
        raise DoesNotApply("partitions of a partition key are the server's")
    place.server.create_partition(place.db, place.name, "planted_partition")
    return [found("partition_extra", field="planted_partition")]


def partition_missing(place):
    """An empty partition is gone."""
    filled = (
        set()
        if place.server.load_state(place.db, place.name) != "loaded"
        else {partition for _, partition in place.keys()}
    )
    empty = [name for name in place.partitions() if name and name != "_default" and name not in filled]
    if place.keyed or not empty:
        raise DoesNotApply("no empty partition")
    loaded = place.release()
    place.alter("DropPartition", milvus.DropPartitionRequest(collection_name=place.name, partition_name=empty[0]))
    if loaded:
        place.server.load(place.db, place.name)
    return [found("partition_missing", field=empty[0])]


def property_changed(place):
    """Another value of a property."""
    if "collection.ttl.seconds" not in mapping(place.described.properties):
        raise DoesNotApply("no time to live to change")
    place.alter(
        "AlterCollection",
        milvus.AlterCollectionRequest(
            collection_name=place.name, properties=pairs({"collection.ttl.seconds": 777_600_000})
        ),
    )
    return [found("property", aspect="collection.ttl.seconds")]


def property_extra(place):
    """A property too many."""
    if "collection.ttl.seconds" in mapping(place.described.properties):
        raise DoesNotApply("has that property")
    place.alter(
        "AlterCollection",
        milvus.AlterCollectionRequest(
            collection_name=place.name, properties=pairs({"collection.ttl.seconds": 777_600_000})
        ),
    )
    return [found("property", aspect="collection.ttl.seconds")]


def released(place):
    """A loaded collection is released."""
    if not place.release():
        raise DoesNotApply("not loaded")
    return [found("load_state", aspect="collection")]


def loaded(place):
    """A collection is loaded that was not."""
    if place.server.load_state(place.db, place.name) == "loaded" or not vector_indexes(place):
        raise DoesNotApply("loaded, or without an index")
    place.server.load(place.db, place.name)
    return [found("load_state", aspect="collection")]


def renamed(place):
    """The collection is not there under its name."""
    if place.server.aliases(place.db, place.name):
        raise DoesNotApply("has aliases")
    place.alter("RenameCollection", milvus.RenameCollectionRequest(oldName=place.name, newName=f"{place.name}_planted"))
    return [found("collection_missing")]


GROUPS = {
    "index": ("index_param", "index_metric", "index_dropped", "index_extra"),
    "alias": ("alias_lost", "alias_moved", "alias_extra"),
    "partition": ("partition_extra", "partition_missing"),
    "property": ("property_changed", "property_extra"),
    "load": ("released", "loaded"),
}
KINDS = [
    Kind("index_param", "an index with another parameter", index_param, "an index with build parameters"),
    Kind("index_metric", "an index with another metric", index_metric, "a vector index"),
    Kind("index_dropped", "an index is gone", index_dropped, "an index"),
    Kind("index_extra", "an index too many", index_extra, "a field without index"),
    Kind("alias_lost", "an alias is gone", alias_lost, "an alias"),
    Kind("alias_moved", "an alias points elsewhere", alias_moved, "an alias"),
    Kind("alias_extra", "an alias too many", alias_extra),
    Kind("partition_extra", "a partition too many", partition_extra, "no partition key"),
    Kind("partition_missing", "an empty partition is gone", partition_missing, "an empty partition"),
    Kind("property_changed", "a property's value", property_changed, "a time to live"),
    Kind("property_extra", "a property too many", property_extra),
    Kind("released", "a collection is not loaded", released, "a loaded collection"),
    Kind("loaded", "a collection is loaded", loaded, "a released collection"),
    Kind("renamed", "a collection is not there", renamed),
]
