"""Whole rows, and single bits of vectors."""

import numpy as np

from ..columns import packed
from ..raw import schema
from ..schemas import dim_of
from . import REAL, DoesNotApply, Kind, found


def missing(place):
    """A row is gone."""
    row = place.pick()
    place.delete(row)
    return [found("row_missing", row.key)]


def new_key(place):
    """A key that is not there."""
    return "planted-key" if place.text else 4_611_686_018_427_387_001


def extra(place):
    """A copy of a row under a new key."""
    if place.automatic:
        raise DoesNotApply("an automatic key cannot be chosen")
    row = place.pick()
    row.key = new_key(place)
    row.put(place.key_field.name, row.key)
    place.insert(row)
    place.used.add(row.key)
    return [found("row_extra", row.key)]


def duplicated(place):
    """The same row inserted once more."""
    if place.automatic:
        raise DoesNotApply("an automatic key cannot be chosen")
    row = place.pick()
    place.insert(row)
    return [found("row_duplicated", row.key)]


def moved(place):
    """A row in another partition."""
    others = place.partitions()
    if len(others) < 2 or place.automatic:
        raise DoesNotApply("a row needs another partition to go to")
    row = place.pick()
    place.delete(row)
    place.server.flush(place.db, place.name)  # else Milvus Lite shows a flushed row in both partitions
    row.partition = place.random.choice([name for name in others if name != row.partition])
    place.insert(row)
    return [found("row_partition", row.key)]


def swapped(place):
    """Two rows have exchanged their values: every count and every sum over the collection stays the same."""
    one, other = place.pick(), place.pick()
    if one.partition != other.partition:
        raise DoesNotApply("the two rows lie in different partitions")
    for row, twin in ((one, other), (other, one)):
        mixed = {**twin.columns, place.key_field.name: row.columns[place.key_field.name]}
        place.delete(row)
        place.insert(type(row)(row.key, row.partition, mixed))
    return [found("value", row.key) for row in (one, other)]


def flip_float(vectors, made, position):
    """The last bit of one component of a float vector."""
    bits = np.array(vectors.float_vector.data, "<f4").view(np.uint32)
    bits[position % len(bits)] ^= 1
    vectors.float_vector.CopyFrom(packed(schema.FloatArray, bits.view("<f4"), "<f4"))
    return True


def flip_zero(vectors, made, position):
    """The sign of a component that is zero."""
    values = np.array(vectors.float_vector.data, "<f4")
    zeros = np.flatnonzero(values == 0)
    if not len(zeros):
        return False
    values.view(np.uint32)[zeros[0]] ^= 1 << 31
    vectors.float_vector.CopyFrom(packed(schema.FloatArray, values, "<f4"))
    return True


def flip_bytes(slot, width):
    """The lowest bit of one component of a vector that travels as bytes."""

    def flip(vectors, made, position):
        raw = bytearray(getattr(vectors, slot))
        raw[position % (len(raw) // width) * width] ^= 1
        setattr(vectors, slot, bytes(raw))
        return True

    return flip


def edit_sparse(edit):
    """An edit of a sparse vector's pairs."""

    def flip(vectors, made, position):
        pairs = np.array(np.frombuffer(vectors.sparse_float_vector.contents[0], [("index", "<u4"), ("value", "<u4")]))
        if not len(pairs) or not edit(pairs, position % len(pairs)):
            return False
        vectors.sparse_float_vector.contents[0] = pairs.tobytes()
        return True

    return flip


def sparse_bit(pairs, at):
    """The last bit of a value."""
    pairs["value"][at] ^= 1
    return pairs["value"][at] != 0


def sparse_index(pairs, at):
    """A value at the next index."""
    if pairs["index"][-1] > 1 << 31:
        return False
    pairs["index"][-1] += 1
    return True


def vector_kind(name, what, kind, flip, servers):
    """A kind that changes one vector of a type."""

    def plant(place):
        for made in place.fields(kind):
            position = place.random.randrange(dim_of(made) if kind != "SparseFloatVector" else 64)
            suits = lambda row: not row.is_null(made.name) and flip(row.columns[made.name].vectors, made, position)
            row = place.pick(suits)
            place.replace(row)
            return [found("value", row.key, made.name)]
        raise DoesNotApply(f"no field of type {kind}")

    return Kind(name, what, plant, f"a field of type {kind}", servers)


KINDS = [
    Kind("row_missing", "a row is gone", missing),
    Kind("row_extra", "a row too many", extra),
    Kind("row_duplicated", "a row inserted twice under one key (2.2 cannot count it)", duplicated, servers=("2.3.5",)),
    Kind("row_partition", "a row in another partition", moved, "several partitions"),
    Kind("rows_swapped", "two rows exchanged their values", swapped),
    vector_kind("float_vector_bit", "one bit of a float vector", "FloatVector", flip_float, REAL + ("lite",)),
    vector_kind(
        "float_vector_zero_sign", "0.0 against -0.0 in a float vector", "FloatVector", flip_zero, REAL + ("lite",)
    ),
    vector_kind(
        "binary_vector_bit", "one bit of a binary vector", "BinaryVector", flip_bytes("binary_vector", 1), REAL
    ),
    vector_kind(
        "float16_vector_bit",
        "one bit of a Float16 vector",
        "Float16Vector",
        flip_bytes("float16_vector", 2),
        ("2.3.5",),
    ),
    vector_kind(
        "bfloat16_vector_bit", "one bit of a BFloat16 vector", "BFloat16Vector", flip_bytes("bfloat16_vector", 2), ()
    ),
    vector_kind("int8_vector_bit", "one bit of an Int8 vector", "Int8Vector", flip_bytes("int8_vector", 1), ()),
    vector_kind(
        "sparse_vector_bit",
        "one bit of a sparse vector's value",
        "SparseFloatVector",
        edit_sparse(sparse_bit),
        ("lite",),
    ),
    vector_kind(
        "sparse_vector_index",
        "a sparse vector's value at another index",
        "SparseFloatVector",
        edit_sparse(sparse_index),
        ("lite",),
    ),
]
