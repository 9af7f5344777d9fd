"""A collection as a plan, and the making of it: create, partitions, rows, indexes, flush, load, aliases."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc

from . import columns, samples, schemas
from .raw import Refused, milvus, reason_of

AT_ONCE = 12  # a real server mostly waits: for flushes, index builds, loads


@dataclass
class Plan:
    """What a collection is to be. `indexes` maps a field to its parameters; `values` overrides a field's rows."""

    name: str
    fields: list
    db: str = "default"
    rows: int = 300
    description: str = ""
    dynamic: bool = False
    functions: list = field(default_factory=list)
    partitions: tuple = ()
    shards: int = 1
    consistency: str = "Bounded"
    properties: dict = field(default_factory=dict)
    num_partitions: int = 0
    indexes: dict = field(default_factory=dict)
    index_names: dict = field(default_factory=dict)
    load: bool = True
    replicas: int = 1
    aliases: tuple = ()
    values: dict = field(default_factory=dict)


def say(text):
    """Notes go to stderr; they are in the answer too."""
    print(f"seed: {text}", file=sys.stderr, flush=True)


def schema_of(plan):
    """The plan's schema."""
    return schemas.collection(
        plan.name,
        plan.fields,
        description=plan.description,
        enable_dynamic_field=plan.dynamic,
        functions=plan.functions,
    )


def dynamic_objects(count, chance):
    """Dynamic fields: rows without any, rows with some of every type."""
    edges = [
        b"{}",
        b'{"colour": "red"}',
        b'{"colour": "blue", "weight": 1.5, "sizes": [1, 2], "inner": {"deep": true}, "none": null}',
        '{"clé": "valeur 😀", "spaced key": ""}'.encode(),
    ]
    return samples.mixed(
        edges,
        lambda: b'{"colour": "%s", "count": %d}' % (chance.choice([b"green", b"grey"]), chance.randrange(10**6)),
        count,
    )


def row_columns(plan, chance):
    """Every column's values, keys first. Automatic keys and function outputs are not given."""
    outputs = {name for function in plan.functions for name in function.output_field_names}
    found = {}
    for made in plan.fields:
        if made.name in outputs or made.autoID:
            continue
        if made.name in plan.values:
            found[made.name] = plan.values[made.name](plan.rows, chance)
        elif made.is_primary_key:
            found[made.name] = samples.keys(made, plan.rows, chance)
        else:
            found[made.name] = samples.values(made, plan.rows, chance)
    return found


def insert_rows(server, plan, chance):
    """The rows, dealt out over the partitions in runs."""
    found, by_name = row_columns(plan, chance), {made.name: made for made in plan.fields}
    objects = dynamic_objects(plan.rows, chance) if plan.dynamic else None
    names = plan.partitions or ("",)
    share = -(-plan.rows // len(names))
    for turn, partition in enumerate(names):
        part = slice(turn * share, min(plan.rows, (turn + 1) * share))
        count = part.stop - part.start
        if count <= 0:
            continue
        data = [columns.column(by_name[name], values[part]) for name, values in found.items()]
        data += [columns.dynamic(objects[part])] if plan.dynamic else []
        server.insert(plan.db, plan.name, data, count, partition)


def make(server, plan, seed):
    """Make one collection of a plan."""
    chance = random.Random(f"{seed} {plan.db} {plan.name}")
    schemas.create(
        server, plan.db, schema_of(plan), plan.shards, plan.consistency, plan.properties, plan.num_partitions
    )
    for partition in plan.partitions:
        if partition != "_default":
            server.create_partition(plan.db, plan.name, partition)
    if plan.rows:
        insert_rows(server, plan, chance)
    for name, parameters in plan.indexes.items():  # before the flush: 2.3.5 may see later ones after a minute only
        server.create_index(plan.db, plan.name, name, parameters, plan.index_names.get(name, ""), wait=False)
    if plan.rows:
        server.flush(plan.db, plan.name)
    if plan.load and plan.indexes:
        server.load(plan.db, plan.name, plan.replicas)
    elif plan.indexes and server.load_state(plan.db, plan.name) == "loaded":  # Milvus Lite loads by itself
        server.call("ReleaseCollection", milvus.ReleaseCollectionRequest(collection_name=plan.name), plan.db)
    for alias in plan.aliases:
        server.call("CreateAlias", milvus.CreateAliasRequest(collection_name=plan.name, alias=alias), plan.db)


def try_plan(server, plan, seed):
    """Make a plan; answers why it was left out, or None. A collection that is there already is not touched."""
    if plan.name in server.collections(plan.db):
        return f"{plan.db}.{plan.name} left out: it is there already"
    try:
        make(server, plan, seed)
    except (Refused, grpc.RpcError) as error:
        drop(server, plan)
        note = f"{plan.db}.{plan.name} left out: {reason_of(error)}"
        say(note)
        return note
    return None


def make_all(server, databases, plans, seed):
    """Make the databases ({name: properties}) and every plan; what a server refuses is noted and left out."""
    for name in databases.keys() - set(server.databases()):
        server.create_database(name, **databases[name])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        notes = list(pool.map(lambda plan: try_plan(server, plan, seed), plans))
    done = [plan for plan, note in zip(plans, notes) if note is None]
    return {
        "collections": [f"{plan.db}.{plan.name}" for plan in done],
        "rows": sum(plan.rows for plan in done),
        "notes": [note for note in notes if note],
    }


def drop(server, plan):
    """Take a half-made collection away; its aliases were to come last."""
    try:
        server.call("DropCollection", milvus.DropCollectionRequest(collection_name=plan.name), plan.db)
    except (Refused, grpc.RpcError):
        pass
