"""Values into FieldData. Numbers and dense vectors may come as numpy arrays; those are packed without a Python object each.

A nullable column is given as a list with None in it, and is sent compact: the values that are there, and a flag per row.
"""

import numpy as np

from .raw import schema
from .schemas import DataType, dim_of, kind_of

SLOTS = {
    "Bool": "bool_data",
    "Int8": "int_data",
    "Int16": "int_data",
    "Int32": "int_data",
    "Int64": "long_data",
    "Float": "float_data",
    "Double": "double_data",
    "VarChar": "string_data",
    "JSON": "json_data",
    "Geometry": "geometry_wkt_data",
    "Timestamptz": "string_data",
}
BYTE_VECTORS = {
    "BinaryVector": "binary_vector",
    "Float16Vector": "float16_vector",
    "BFloat16Vector": "bfloat16_vector",
    "Int8Vector": "int8_vector",
}
PACKED = {"float_data": (schema.FloatArray, "<f4"), "double_data": (schema.DoubleArray, "<f8")}


def varint(number):
    """A protobuf varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def packed(message, array, form):
    """A FloatArray or DoubleArray from a numpy array, bit by bit."""
    raw = np.ascontiguousarray(array, dtype=form).tobytes()
    return message.FromString(b"\x0a" + varint(len(raw)) + raw) if raw else message()


def column(made, values):
    """The FieldData of one field for these rows."""
    data = schema.FieldData(field_name=made.name, type=made.data_type)
    if made.nullable:
        data.valid_data.extend(value is not None for value in values)
        values = [value for value in values if value is not None]
    kind = kind_of(made)
    if kind == "Array":
        fill_arrays(data.scalars.array_data, made, values)
    elif kind in SLOTS:
        fill_scalars(data.scalars, SLOTS[kind], values)
    else:
        fill_vectors(data.vectors, made, kind, values)
    return data


def fill_scalars(scalars, slot, values):
    """One scalar per row."""
    getattr(scalars, slot).SetInParent()
    if slot in PACKED:
        getattr(scalars, slot).CopyFrom(packed(PACKED[slot][0], values, PACKED[slot][1]))
    else:
        getattr(scalars, slot).data.extend(values.tolist() if isinstance(values, np.ndarray) else values)


def fill_arrays(arrays, made, rows):
    """One list per row."""
    arrays.element_type = made.element_type
    slot = SLOTS[DataType.Name(made.element_type)]
    for row in rows:
        fill_scalars(arrays.data.add(), slot, row)


def fill_vectors(vectors, made, kind, rows):
    """One vector per row: an array for float vectors, bytes for all others."""
    if kind == "SparseFloatVector":
        vectors.sparse_float_vector.contents.extend(rows)
        vectors.dim = vectors.sparse_float_vector.dim = max((sparse_dim(row) for row in rows), default=0)
        return
    vectors.dim = dim_of(made)
    if kind == "FloatVector":
        flat = np.asarray(rows, dtype="<f4") if len(rows) else np.empty(0, "<f4")
        vectors.float_vector.CopyFrom(packed(schema.FloatArray, flat, "<f4"))
    else:
        whole = rows.tobytes() if isinstance(rows, np.ndarray) else b"".join(rows)
        setattr(vectors, BYTE_VECTORS[kind], whole)


def sparse(entries):
    """A sparse vector's bytes from {index: value}: sorted pairs of u32 and f32."""
    row = np.array(sorted(entries.items()), dtype=[("index", "<u4"), ("value", "<f4")])
    return row.tobytes()


def sparse_dim(row):
    """One more than the highest index."""
    return int(np.frombuffer(row, "<u4")[-2]) + 1 if row else 0


def dynamic(values):
    """The column of dynamic fields: one JSON object (bytes) per row."""
    data = schema.FieldData(field_name="$meta", type=DataType.Value("JSON"), is_dynamic=True)
    data.scalars.json_data.data.extend(values)
    return data
