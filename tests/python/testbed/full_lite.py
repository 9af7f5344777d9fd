"""Everything that Milvus Lite 3.2 holds, as plans.

Seen to be refused by Lite 3.2.2: binary, Float16, BFloat16 and Int8 vectors, struct arrays, Text. Taken but forgotten:
descriptions, shards, consistency level, clustering keys, index names, the max_length of a list's texts.
"""

from .full_fields import ELEMENTS, arrays, index, key, scalar_index, scalars, vector
from .raw import schema
from .samples import TEXTS
from .schemas import field
from .seeding import Plan

FLAT = {"embedding": index("FLAT", "L2")}


def everything(db="default"):
    """Every scalar type, lists, dynamic fields, partitions, properties, scalar indexes, aliases."""
    indexes = {
        "embedding": index("HNSW", "COSINE", M=12, efConstruction=99),
        "a_int64": scalar_index("INVERTED"),
        "a_text": scalar_index("INVERTED"),
    }
    return Plan(
        "everything",
        [key()] + scalars() + arrays() + [vector()],
        db=db,
        rows=600,
        dynamic=True,
        partitions=("_default", "north", "south"),
        indexes=indexes,
        properties={"collection.ttl.seconds": "315360000", "timezone": "Europe/Lisbon"},
        aliases=("all_types", "current"),
    )


def nullable():
    """Every type that may be null, with nulls; and with a default beside."""
    limits = {"VarChar": {"max_length": 300}}
    plain = [
        field(f"n_{kind.lower()}", kind, nullable=True, params=limits.get(kind))
        for kind in (
            "Bool",
            "Int8",
            "Int16",
            "Int32",
            "Int64",
            "Float",
            "Double",
            "VarChar",
            "JSON",
            "Timestamptz",
            "Geometry",
        )
    ]
    lists = [
        field(f"n_list_{kind.lower()}", "Array", kind, nullable=True, params={"max_capacity": 9}) for kind in ELEMENTS
    ]
    return Plan("nullable", [key()] + plain + lists + [vector(nullable=True)], rows=200, indexes=FLAT)


def defaults():
    """Default values, with and without null."""
    made = [
        field("d_bool", "Bool", default=True),
        field("d_int8", "Int8", default=-8),
        field("d_int", "Int64", default=1 << 40),
        field("d_float", "Float", default=0.5),
        field("d_double", "Double", default=-0.25),
        field("d_text", "VarChar", default="none given", params={"max_length": 300}),
        field("d_null", "VarChar", default="never null", nullable=True, params={"max_length": 300}),
    ]
    return Plan("defaults", [key()] + made + [vector(dim=4)], rows=60, indexes=FLAT)


def several_vectors():
    """Two dense vectors and a sparse one."""
    sparse = vector("SparseFloatVector", name="words")
    return Plan(
        "several_vectors",
        [key("VarChar"), vector(dim=8), vector(dim=3, name="second"), sparse],
        rows=len(TEXTS) + 60,
        indexes={
            "embedding": index("IVF_FLAT", "IP", nlist=8),
            "second": index("FLAT", "L2"),
            "words": index("SPARSE_INVERTED_INDEX", "IP", drop_ratio_build=0.0),
        },
        aliases=("texts",),
    )


def places():
    """Geometry and time."""
    return Plan(
        "places", [key(), field("spot", "Geometry"), field("seen", "Timestamptz"), vector(dim=4)], rows=80, indexes=FLAT
    )


def full_text():
    """A BM25 function over an analysed text."""
    text = field("body", "VarChar", params={"max_length": 2000, "enable_analyzer": "true", "enable_match": "true"})
    output = field("body_words", "SparseFloatVector", is_function_output=True)
    bm25 = schema.FunctionSchema(
        name="body_bm25", type="BM25", input_field_names=["body"], output_field_names=["body_words"]
    )
    return Plan(
        "full_text",
        [key(), text, output, vector(dim=4)],
        rows=120,
        functions=[bm25],
        indexes={**FLAT, "body_words": index("SPARSE_INVERTED_INDEX", "BM25", bm25_k1=1.2, bm25_b=0.75)},
    )


def tenants():
    """A partition key."""
    of = lambda count, chance: [f"tenant-{chance.randrange(20)}" for _ in range(count)]
    return Plan(
        "tenants",
        [key(), field("tenant", "VarChar", is_partition_key=True, params={"max_length": 64}), vector()],
        num_partitions=8,
        indexes=FLAT,
        values={"tenant": of},
    )


def states():
    """Automatic keys, load states, and collections that lack something."""
    return [
        Plan(
            "auto_numbers",
            [key(autoID=True), field("label", "VarChar", params={"max_length": 300}), vector(dim=4)],
            rows=90,
            indexes=FLAT,
        ),
        Plan("released", [key(), vector()], rows=50, indexes=FLAT, load=False),
        Plan("empty", [key(), vector()], rows=0, indexes=FLAT, partitions=("void", "nothing")),
        Plan("bare", [key(), vector()], rows=40),
    ]


def plans():
    """(databases, plans)."""
    kinds = {
        "ivf_sq8": index("IVF_SQ8", "L2", nlist=4),
        "hnsw_sq": index("HNSW_SQ", "L2", M=8, efConstruction=50, sq_type="SQ8"),
        "auto": {"index_type": "AUTOINDEX", "metric_type": "COSINE"},
        "brute": index("BRUTE_FORCE", "IP"),
    }
    indexed = [
        Plan(f"index_{name}", [key(), vector(dim=16)], rows=80, indexes={"embedding": parameters})
        for name, parameters in kinds.items()
    ]
    archive = [
        everything("archive"),
        Plan("history", [key("VarChar"), vector(dim=2)], db="archive", rows=70, indexes=FLAT, aliases=("past",)),
    ]
    return {"archive": {"database.replica.number": "1", "note": "kept"}}, [
        everything(),
        nullable(),
        defaults(),
        several_vectors(),
        places(),
        full_text(),
        tenants(),
        *states(),
        *indexed,
        *archive,
    ]
