"""Rows of a collection that is not loaded: load it for the reading, and leave it as it was."""

import contextlib

from ..raw import Refused, milvus
from ..schemas import VECTORS, kind_of

PLAIN_INDEX = {"BinaryVector": ("BIN_FLAT", "HAMMING"), "SparseFloatVector": ("SPARSE_INVERTED_INDEX", "IP")}


def add_missing_indexes(server, db, name):
    """Give each vector field that has no index a plain one; answers the fields."""
    indexed = {index.field_name for index in server.indexes(db, name)}
    bare = [
        made
        for made in server.describe(db, name).schema.fields
        if kind_of(made) in VECTORS and made.name not in indexed
    ]
    for made in bare:
        index, metric = PLAIN_INDEX.get(kind_of(made), ("FLAT", "L2"))
        server.create_index(db, name, made.name, {"index_type": index, "metric_type": metric}, f"borrowed_{made.name}")
    return [made.name for made in bare]


def drop_indexes(server, db, name, fields):
    """Take the borrowed indexes away (by name; Milvus Lite knows them by field only)."""
    for index in server.indexes(db, name):
        if index.field_name in fields:
            server.call(
                "DropIndex",
                milvus.DropIndexRequest(collection_name=name, field_name=index.field_name, index_name=index.index_name),
                db,
            )


@contextlib.contextmanager
def readable(server, db, name):
    """Within this the collection is loaded. Raises Refused where that cannot be had."""
    if server.load_state(db, name) == "loaded":
        yield
        return
    borrowed = add_missing_indexes(server, db, name)
    try:
        server.load(db, name)
        yield
    finally:
        with contextlib.suppress(Refused):
            server.call("ReleaseCollection", milvus.ReleaseCollectionRequest(collection_name=name), db)
        drop_indexes(server, db, name, borrowed)
