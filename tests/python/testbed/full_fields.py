"""Fields and index parameters that several full plans share."""

import json

from .schemas import field

ELEMENTS = ("Bool", "Int8", "Int16", "Int32", "Int64", "Float", "Double", "VarChar")


def key(kind="Int64", name="id", **more):
    """A primary key."""
    params = {"max_length": 256} if kind == "VarChar" else {}
    return field(name, kind, params=params, is_primary_key=True, **more)


def scalars():
    """One field of each plain type."""
    kinds = ("Bool", "Int8", "Int16", "Int32", "Int64", "Float", "Double")
    return [field(f"a_{kind.lower()}", kind, description=f"holds {kind}, at its edges") for kind in kinds] + [
        field("a_text", "VarChar", params={"max_length": 300}),
        field("a_document", "JSON"),
    ]


def arrays():
    """One list field for each element type."""
    return [
        field(
            f"list_{kind.lower()}",
            "Array",
            kind,
            params={"max_capacity": 9, **({"max_length": 300} if kind == "VarChar" else {})},
        )
        for kind in ELEMENTS
    ]


def vector(kind="FloatVector", dim=8, name="embedding", **more):
    """A vector field."""
    return field(name, kind, params={} if kind == "SparseFloatVector" else {"dim": dim}, **more)


def index(kind, metric, **params):
    """Index parameters as the SDKs send them: the build parameters as JSON."""
    return {"index_type": kind, "metric_type": metric, "params": json.dumps(params)}


def scalar_index(kind=None):
    """Parameters of an index on a scalar field."""
    return {"index_type": kind} if kind else {}


VECTOR_INDEXES = {
    "flat": ("FloatVector", index("FLAT", "L2")),
    "ivf_flat": ("FloatVector", index("IVF_FLAT", "IP", nlist=17)),
    "ivf_sq8": ("FloatVector", index("IVF_SQ8", "COSINE", nlist=5)),
    "ivf_pq": ("FloatVector", index("IVF_PQ", "L2", nlist=8, m=4, nbits=4)),
    "hnsw": ("FloatVector", index("HNSW", "COSINE", M=12, efConstruction=99)),
    "scann": ("FloatVector", index("SCANN", "L2", nlist=6, with_raw_data=True)),
    "auto": ("FloatVector", {"index_type": "AUTOINDEX", "metric_type": "IP"}),
    "bin_flat": ("BinaryVector", index("BIN_FLAT", "JACCARD")),
    "bin_ivf": ("BinaryVector", index("BIN_IVF_FLAT", "HAMMING", nlist=4)),
    "annoy": ("FloatVector", index("ANNOY", "L2", n_trees=8)),
    "diskann": ("FloatVector", index("DISKANN", "L2")),
}
