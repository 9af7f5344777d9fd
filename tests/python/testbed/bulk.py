"""One large collection, fast: columns are packed from numpy arrays and sent as prepared requests."""

import json
import random
import time

import numpy as np

from . import columns, english, schemas

VECTOR, KEY = "embedding", "id"
BATCH_BYTES = 8 << 20
TEXTS = 2000
KEY_LENGTH = 64


def fields(dim, keys, text, payload):
    """The schema's fields."""
    limits = {"max_length": KEY_LENGTH} if keys == "VarChar" else {}
    made = [
        schemas.field(KEY, keys, is_primary_key=True, params=limits),
        schemas.field(VECTOR, "FloatVector", params={"dim": dim}),
    ]
    if text:
        made.append(schemas.field("body", "VarChar", params={"max_length": 2048}))
    if payload:
        made.append(schemas.field("payload", "JSON"))
    return made


def keys_of(kind, first, count):
    """Distinct keys; as text they are not in numeric order."""
    if kind == "Int64":
        return np.arange(first, first + count, dtype=np.int64)
    return [f"{(number * 2654435761) % (1 << 32):08x}-{number}" for number in range(first, first + count)]


def payloads(first, count):
    """A small JSON object per row."""
    return [
        json.dumps(
            {
                "row": number,
                "topic": english.TOPICS[number % len(english.TOPICS)],
                "score": number % 1000 / 8,
                "tags": [number % 7, number % 11],
            }
        ).encode()
        for number in range(first, first + count)
    ]


def batch_rows(dim, text, payload):
    """Rows of one request."""
    row = 4 * dim + 16 + (300 if text else 0) + (90 if payload else 0)
    return max(1, BATCH_BYTES // row)


def insert_all(server, db, name, made, rows, keys, partitions, seed):
    """Insert every row; returns how many bytes were sent."""
    numbers, words = np.random.default_rng(seed), random.Random(seed)
    by_name = {one.name: one for one in made}
    texts = [english.paragraph(words, 2) for _ in range(TEXTS)] if "body" in by_name else []
    step = min(batch_rows(schemas.dim_of(by_name[VECTOR]), texts, "payload" in by_name), -(-rows // len(partitions)))
    sent = 0
    for turn, first in enumerate(range(0, rows, step)):
        count = min(step, rows - first)
        values = {
            KEY: keys_of(keys, first, count),
            VECTOR: numbers.standard_normal((count, schemas.dim_of(by_name[VECTOR])), dtype=np.float32),
            "body": (
                [f"{texts[number % TEXTS]} ({number})" for number in range(first, first + count)] if texts else None
            ),
            "payload": payloads(first, count) if "payload" in by_name else None,
        }
        data = [columns.column(one, values[one.name]) for one in made]
        server.insert(db, name, data, count, partitions[turn % len(partitions)])
        sent += sum(one.ByteSize() for one in data)
    return sent


def seed(
    server, db, name, rows, dim, text=False, payload=False, keys="Int64", partitions=0, shards=1, index="FLAT", seed=1
):
    """Create, fill, order the index, flush and load; returns what was done."""
    started = time.monotonic()
    made = fields(dim, keys, text, payload)
    schemas.create(server, db, schemas.collection(name, made), shards)
    names = [f"part_{number}" for number in range(partitions)] or ["_default"]
    for partition in names if partitions else ():
        server.create_partition(db, name, partition)
    sent = insert_all(server, db, name, made, rows, keys, names, seed)
    inserted = time.monotonic() - started
    params = {
        "index_type": index,
        "metric_type": "L2",
        "params": json.dumps({"nlist": 128} if index.startswith("IVF") else {}),
    }
    server.create_index(db, name, VECTOR, params, wait=False)
    server.flush(db, name)
    server.load(db, name)
    return {
        "db": db,
        "collection": name,
        "rows": rows,
        "bytes": sent,
        "insert_seconds": round(inserted, 2),
        "rows_per_second": round(rows / inserted),
        "seconds": round(time.monotonic() - started, 2),
    }
