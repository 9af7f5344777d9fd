"""Values of every type: first the ones at the edge, then ordinary ones."""

import json
import math
import struct

import numpy as np

from . import columns, english, schemas

INTS = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64}
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    1.401298464324817e-45,
    -1.1754942106924411e-38,
    3.4028234663852886e38,
    -3.4028234663852886e38,
    0.10000000149011612,
    16777216.0,
]
DOUBLES = [
    0.0,
    -0.0,
    5e-324,
    -2.225073858507201e-308,
    1.7976931348623157e308,
    0.1,
    1 / 3,
    math.pi,
    1e22,
    -123456789.123456789,
]
TEXTS = [
    "",
    "a",
    " ",
    "plain",
    "trailing space ",
    " leading space",
    'double "quotes"',
    "single 'quotes'",
    "back\\slash",
    "\\",
    '"',
    "'",
    "line\nbreak",
    "\r\n",
    "tab\tstop",
    "emoji 😀 👩‍👩‍👧",
    "日本語のテキスト",
    "e\u0301 and é",
    "عربي",
    "\u2028",
    "%s {} $meta",
    "null",
    "NaN",
    "0",
    "\\n is not a line break",
    "a\"b\\c'd\ne",
    "\x01\x7f",
    "ﬁ ligature",
    "SELECT * -- ;",
    "<tag attr='x'/>",
]
DOCUMENTS = [
    b"{}",
    b'{"a": 1}',
    b'{"b": 2, "a": 1}',
    b'{"nested": {"deep": {"deeper": [1, [2, [3]], {}]}}}',
    b'{"list": []}',
    b'{"empty": "", "null": null, "yes": true, "no": false}',
    '{"ключ": "значение", "emoji": "😀"}'.encode(),
    b'{"escaped": "\\u00e9\\n\\"\\\\"}',
    b'{"int": 9223372036854775807, "small": -9223372036854775808}',
    b'{"float": 0.1, "exp": 1e300, "zero": -0.0, "whole": 1.0}',
    b'{"spaces" :   [ 1 ,2 ]}',
    b'{"dotted.key": 1, "": "empty key"}',
]
LOOSE_DOCUMENTS = [b"[]", b"[1, 2, 3]", b'"text"', b"42", b"-0.0", b"true", b"null"]
SHAPES = ["POINT (30.5 10.25)", "POLYGON ((30 10, 40 40, 20 40, 10 20, 30 10))", "POINT (-0.000001 89.999999)"]
TIMES = [
    "1970-01-01T00:00:00Z",
    "2026-02-28T23:59:59.999999Z",
    "1969-12-31T23:59:59Z",
    "2000-02-29T12:00:00+05:30",
    "2038-01-19T03:14:08Z",
]


def mixed(edges, make, count):
    """The edges first, as many as fit, then made ones."""
    return (list(edges) + [make() for _ in range(max(0, count - len(edges)))])[:count]


def integers(kind, count, random):
    """Integers of a width."""
    half = 1 << (INTS[kind] - 1)
    return mixed([0, 1, -1, half - 1, -half, half - 2], lambda: random.randrange(-half, half), count)


def texts(made, count, random):
    """Text that fits into the field, whose limit is in bytes."""
    limit = int(schemas.params_of(made).get("max_length", 65535))
    edges = [text for text in TEXTS + ["x" * limit, "é" * (limit // 2)] if len(text.encode()) <= limit]
    return mixed(edges, lambda: english.sentence(random).encode()[:limit].decode(errors="ignore"), count)


def document(random):
    """An ordinary JSON object."""
    return json.dumps(
        {
            "topic": random.choice(english.TOPICS),
            "score": random.randrange(1000) / 8,
            "pages": random.randrange(900),
            "who": {"name": random.choice(english.PEOPLE), "tags": random.sample(english.TOPICS, 2)},
        }
    ).encode()


def scalars(made, kind, count, random):
    """Scalars of a kind."""
    if kind == "Bool":
        return [random.random() < 0.5 for _ in range(count)]
    if kind in INTS:
        return integers(kind, count, random)
    if kind == "Float":
        return mixed(FLOATS, lambda: struct.unpack("<f", struct.pack("<f", random.gauss(0, 100)))[0], count)
    if kind == "Double":
        return mixed(DOUBLES, lambda: random.gauss(0, 1e6), count)
    if kind == "VarChar":
        return texts(made, count, random)
    if kind == "JSON":
        return mixed(DOCUMENTS, lambda: document(random), count)
    return mixed(
        *{
            "Geometry": (SHAPES, lambda: f"POINT ({random.uniform(-180, 180)} {random.uniform(-90, 90)})"),
            "Timestamptz": (
                TIMES,
                lambda: f"20{random.randrange(10, 99)}-0{random.randrange(1, 9)}-1{random.randrange(9)}T10:20:30.{random.randrange(10**6):06}Z",
            ),
        }[kind],
        count,
    )


def arrays(made, count, random):
    """Lists: empty, of one, full, and anything between."""
    capacity = int(schemas.params_of(made).get("max_capacity", 8))
    kind = schemas.DataType.Name(made.element_type)
    sizes = [0, 1, capacity] + [random.randrange(capacity + 1) for _ in range(count)]
    pool = scalars(made, kind, 64, random)
    return [[random.choice(pool) for _ in range(size)] for size in sizes[:count]]


def float_vectors(dim, count, random):
    """Rows of 32-bit floats; the first ones hold negative zero, subnormals and the extremes."""
    rows = np.random.default_rng(random.randrange(1 << 32)).standard_normal((count, dim), dtype=np.float32)
    for row, edge in zip(range(1, count), (-0.0, 1e-45, -1e-45, 1e-38, 65504.0)):
        rows[row, 0] = edge
    return rows


def vectors(made, kind, count, random):
    """Vectors of a kind: an array for dense ones, bytes for sparse ones."""
    if kind == "SparseFloatVector":
        edges = [{0: 1.0}, {4294967294: 0.5}, {1: 1e-45, 7: 0.25}]
        return [
            columns.sparse(entries)
            for entries in mixed(
                edges, lambda: {random.randrange(5000): random.random() + 0.01 for _ in range(6)}, count
            )
        ]
    dim = schemas.dim_of(made)
    if kind == "FloatVector":
        return float_vectors(dim, count, random)
    if kind == "Float16Vector":
        return float_vectors(dim, count, random).astype("<f2").view(np.uint8)
    if kind == "BFloat16Vector":
        return np.ascontiguousarray((float_vectors(dim, count, random).view(np.uint32) >> 16).astype("<u2")).view(
            np.uint8
        )
    return np.random.default_rng(random.randrange(1 << 32)).integers(
        0, 256, (count, dim // 8 if kind == "BinaryVector" else dim), dtype=np.uint8
    )


def some_null(values, random):
    """The same with nulls among them, the first of them in the third row."""
    return [None if row == 2 or random.random() < 0.2 else value for row, value in enumerate(values)]


def values(made, count, random):
    """Values for a field; a nullable one has nulls."""
    kind = schemas.kind_of(made)
    if kind == "Array":
        made_values = arrays(made, count, random)
    elif kind in schemas.VECTORS:
        made_values = vectors(made, kind, count, random)
    else:
        made_values = scalars(made, kind, count, random)
    return some_null(made_values, random) if made.nullable else made_values


def keys(made, count, random):
    """Distinct primary keys, the edge cases among them.

    The highest Int64 is left out: Milvus up to 2.3.5 stores and counts that row, but no Query ever answers it.
    """
    if schemas.kind_of(made) == "Int64":
        edges = [0, 1, -1, (1 << 63) - 2, -(1 << 63) + 1, -(1 << 63), 1 << 53, (1 << 53) + 1]
        return (edges + [number * 7919 for number in range(1, count)])[:count]
    edges = list(dict.fromkeys(texts(made, len(TEXTS) + 2, random)))
    return (edges + [f"key-{number:06}" for number in range(count)])[:count]
