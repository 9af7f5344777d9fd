"""Everything that a real Milvus 2.2.16 or 2.3.5 holds, as plans.

Known not to be held, and not tried: Geometry and Timestamptz (2.3.5 takes the schema, and dies for good on load), BFloat16,
Int8 and sparse vectors, nullable fields, several vector fields.
"""

from .full_fields import (
    VECTOR_INDEXES,
    arrays,
    index,
    key,
    scalar_index,
    scalars,
    vector,
)
from .samples import TEXTS
from .schemas import field
from .seeding import Plan

DAY = 86_400


def everything(version, db="default"):
    """Every scalar type, lists, dynamic fields, partitions, shards, descriptions, properties, scalar indexes, aliases."""
    newer = version == "2.3.5"
    indexes = {
        "embedding": index("IVF_FLAT", "L2", nlist=32),
        "a_int64": scalar_index(),
        "a_text": scalar_index("Trie" if newer else None),
        "a_double": scalar_index("STL_SORT" if newer else None),
    }
    return Plan(
        "everything",
        [key(description="the primary key, ключ")]
        + scalars()
        + (arrays() if newer else [])
        + [vector(description="of 8")],
        db=db,
        rows=600,
        description="every scalar type, «with» 'quotes' and 😀",
        dynamic=True,
        partitions=("_default", "north", "south"),
        shards=2,
        consistency="Strong",
        properties={"collection.ttl.seconds": str(3650 * DAY)},
        indexes=indexes,
        index_names={"embedding": "by_meaning", "a_int64": "by_number"},
        aliases=("all_types", "current"),
    )


def text_keys():
    """VarChar keys with everything a VarChar can hold, binary vectors."""
    return Plan(
        "text_keys",
        [key("VarChar"), vector("BinaryVector", 64, "bits"), field("note", "VarChar", params={"max_length": 65535})],
        rows=len(TEXTS) + 170,
        consistency="Session",
        dynamic=True,
        indexes={"bits": index("BIN_IVF_FLAT", "HAMMING", nlist=4)},
        aliases=("texts",),
        shards=3,
    )


def automatic():
    """Automatic keys."""
    return [
        Plan(
            "auto_numbers",
            [key(autoID=True), field("label", "VarChar", params={"max_length": 300}), vector(dim=4)],
            rows=120,
            consistency="Eventually",
            indexes={"embedding": index("HNSW", "IP", M=8, efConstruction=64)},
        )
    ]


def tenants():
    """Partition keys of both kinds."""
    named = field("tenant", "VarChar", is_partition_key=True, params={"max_length": 64})
    numbered = field("tenant", "Int64", is_partition_key=True)
    of = lambda count, chance: [f"tenant-{chance.randrange(20)}" for _ in range(count)]
    return [
        Plan(
            "tenants",
            [key(), named, vector()],
            num_partitions=8,
            indexes={"embedding": index("HNSW", "IP", M=6, efConstruction=40)},
            values={"tenant": of},
        ),
        Plan(
            "tenants_by_number",
            [key("VarChar"), numbered, vector()],
            indexes={"embedding": index("FLAT", "IP")},
            values={"tenant": lambda count, chance: [chance.randrange(50) for _ in range(count)]},
        ),
    ]


def by_index(version):
    """One small collection for each index type."""
    only = {"annoy": "2.2.16", "ivf_sq8": "2.3.5", "hnsw": "2.3.5", "scann": "2.3.5"}
    return [
        Plan(
            f"index_{name}",
            [key(), vector(kind, 32)],
            rows=80,
            indexes={"embedding": parameters},
            load=position % 3 != 2,
        )
        for position, (name, (kind, parameters)) in enumerate(VECTOR_INDEXES.items())
        if only.get(name, version) == version
    ]


def states():
    """Load states, and collections that lack something."""
    flat = {"embedding": index("FLAT", "L2")}
    return [
        Plan("released", [key(), vector()], rows=50, indexes=flat, load=False),
        Plan("empty", [key(), vector()], rows=0, indexes=flat, partitions=("void", "nothing")),
        Plan("bare", [key(), vector()], rows=40, description="no index, so it cannot be loaded"),
        Plan(
            "mapped",
            [key(), field("body", "VarChar", params={"max_length": 500}), vector()],
            rows=50,
            indexes=flat,
            properties={"collection.autocompaction.enabled": "true", "mmap.enabled": "true"},
        ),
    ]


def newer():
    """What 2.3.5 has and 2.2.16 has not."""
    defaults = [
        field("d_int", "Int64", default=42),
        field("d_text", "VarChar", default="none given", params={"max_length": 300}),
        field("d_double", "Double", default=-0.0),
    ]
    return [
        Plan(
            "auto_texts",
            [key("VarChar", autoID=True), vector(dim=4)],
            rows=60,
            indexes={"embedding": index("FLAT", "L2")},
            load=False,
        ),
        Plan("halves", [key(), vector("Float16Vector", 16)], rows=90, indexes={"embedding": index("FLAT", "L2")}),
        Plan("defaults", [key()] + defaults + [vector(dim=4)], rows=40, indexes={"embedding": index("FLAT", "L2")}),
    ]


def plans(version):
    """(databases, plans) for a version."""
    archive = [
        everything(version, "archive"),
        Plan(
            "history",
            [key("VarChar"), vector(dim=2)],
            db="archive",
            rows=70,
            indexes={"embedding": index("FLAT", "L2")},
            aliases=("past",),
        ),
    ]
    found = [everything(version), text_keys(), *automatic(), *tenants(), *by_index(version), *states(), *archive]
    return {"archive": {}}, found + (newer() if version == "2.3.5" else [])
