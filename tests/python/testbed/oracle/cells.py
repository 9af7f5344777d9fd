"""FieldData into comparable cells: numbers and dense vectors as arrays of bits, all else as canonical bytes."""

import json
from dataclasses import dataclass

import numpy as np

from ..raw import schema

DataType = schema.DataType
BITS = {
    "bool_data": (schema.BoolArray, np.uint8),
    "int_data": (None, np.int32),
    "long_data": (None, np.int64),
    "float_data": (schema.FloatArray, np.uint32),
    "double_data": (schema.DoubleArray, np.uint64),
}
DENSE = {
    "float_vector": np.uint32,
    "binary_vector": np.uint8,
    "float16_vector": np.uint16,
    "bfloat16_vector": np.uint16,
    "int8_vector": np.uint8,
}


@dataclass
class Column:
    """One field's cells in row order: `cells` is an array (one or two dimensions) or a list; `valid` says what is not null."""

    kind: str
    cells: object
    valid: np.ndarray

    def take(self, order):
        """The same column with its rows in another order."""
        cells = self.cells[order] if isinstance(self.cells, np.ndarray) else [self.cells[row] for row in order]
        return Column(self.kind, cells, self.valid[order])

    def show(self, row):
        """One cell for a person."""
        if not self.valid[row]:
            return "null"
        cell = self.cells[row]
        if isinstance(cell, np.ndarray):
            return "0x" + np.ascontiguousarray(cell).tobytes().hex()
        if isinstance(cell, np.generic):
            return hex(cell) if cell.dtype.kind == "u" else str(cell)
        return cell.decode(errors="backslashreplace") if isinstance(cell, bytes) and self.kind == "json" else repr(cell)


def packed_payload(message):
    """The bytes of a packed repeated field 1: what follows tag and length."""
    raw = message.SerializeToString()
    at = 1
    while at < len(raw) and raw[at] & 0x80:
        at += 1
    return raw[at + 1 :]


def scalar_cells(scalars, slot):
    """The cells of a scalar column."""
    array = getattr(scalars, slot)
    if slot not in BITS:
        return list(array.data)
    message, form = BITS[slot]
    if message in (schema.FloatArray, schema.DoubleArray):
        return np.frombuffer(packed_payload(array), form)
    return np.fromiter(array.data, form, len(array.data))


def array_cells(arrays):
    """Each row's list as bytes: the element slot's own encoding keeps every bit; an empty list is empty whatever its slot."""
    rows = []
    for row in arrays.data:
        slot = row.WhichOneof("data")
        encoded = getattr(row, slot).SerializeToString() if slot else b""
        rows.append((slot if encoded else "empty", encoded))
    return rows


def sparse_cells(vector):
    """Each row's pairs, sorted by index."""
    rows = []
    for content in vector.contents:
        pairs = np.frombuffer(content, [("index", "<u4"), ("value", "<u4")])
        rows.append(pairs[np.argsort(pairs["index"], kind="stable")].tobytes())
    return rows


def vector_cells(vectors):
    """The cells of a vector column."""
    slot = vectors.WhichOneof("data")
    if slot == "sparse_float_vector":
        return sparse_cells(vectors.sparse_float_vector)
    if slot == "vector_array":
        return [row.SerializeToString(deterministic=True) for row in vectors.vector_array.data]
    if slot is None:
        return np.empty((0, 1), np.uint8)
    content = getattr(vectors, slot)
    raw = packed_payload(content) if slot == "float_vector" else content
    flat = np.frombuffer(raw, DENSE[slot])
    each = vectors.dim // 8 if slot == "binary_vector" else vectors.dim
    return flat.reshape(-1, each)


def spread(cells, valid):
    """Null rows made visible: a compact column is widened, a full one stays."""
    if len(cells) == len(valid):
        return cells
    if len(cells) != valid.sum():
        raise ValueError(f"{len(cells)} cells for {len(valid)} rows of which {valid.sum()} are valid")
    if isinstance(cells, np.ndarray):
        wide = np.zeros((len(valid),) + cells.shape[1:], cells.dtype)
        wide[valid] = cells
        return wide
    given = iter(cells)
    return [next(given) if there else None for there in valid]


def decode(column, rows):
    """One FieldData as a Column of that many rows."""
    valid = np.fromiter(column.valid_data, bool, len(column.valid_data)) if column.valid_data else np.ones(rows, bool)
    half = column.WhichOneof("field")
    if half == "vectors":
        kind, cells = "vector", vector_cells(column.vectors)
    elif half == "scalars" and column.scalars.WhichOneof("data") == "array_data":
        kind, cells = "array", array_cells(column.scalars.array_data)
    elif half == "scalars" and column.scalars.WhichOneof("data"):
        slot = column.scalars.WhichOneof("data")
        kind, cells = "json" if slot == "json_data" else slot, scalar_cells(column.scalars, slot)
    elif half == "struct_arrays":
        inner = sorted(column.struct_arrays.fields, key=lambda one: one.field_name)
        parts = [decode(one, rows) for one in inner]
        kind, cells = "struct", [repr([part.show(row) for part in parts]) for row in range(rows)]
    else:
        kind, cells = "empty", [None] * rows
    return Column(kind, spread(cells, valid), valid)


def canonical_json(text):
    """JSON without its spelling: key order, spaces and escapes do not count; 1, 1.0 and "1" differ, as do 0.0 and -0.0."""
    try:
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=True)
    except ValueError:
        return text


def same(kind, one, other):
    """Whether two cells of a list column are equal."""
    return one == other or (
        kind == "json" and one is not None and other is not None and canonical_json(one) == canonical_json(other)
    )


def differing(one, other):
    """Row numbers in which two columns differ."""
    both = one.valid & other.valid
    bad = one.valid != other.valid
    if (
        isinstance(one.cells, np.ndarray)
        and isinstance(other.cells, np.ndarray)
        and one.cells.shape == other.cells.shape
    ):
        unlike = one.cells != other.cells
        bad |= both & (unlike.any(axis=1) if unlike.ndim == 2 else unlike)
    else:
        for row in np.flatnonzero(both):
            left, right = one.cells[row], other.cells[row]
            if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
                bad[row] = np.asarray(left).tobytes() != np.asarray(right).tobytes()
            else:
                bad[row] = not same(one.kind, left, right)
    return np.flatnonzero(bad)
