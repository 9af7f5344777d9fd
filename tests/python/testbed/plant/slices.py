"""One row out of many: a FieldData of a whole answer cut into FieldData of a single value."""

from ..raw import schema


def value_position(column, at, rows, held):
    """Where a row's value lies: its own place in a full column, its place among the values that are there in a compact one."""
    if held == rows or not column.valid_data:
        return at
    return sum(column.valid_data[:at]) if column.valid_data[at] else None


def cut_scalars(column, at, rows, one):
    """One scalar or list."""
    slot = column.scalars.WhichOneof("data")
    if slot is None:
        return
    whole = getattr(column.scalars, slot)
    target = getattr(one.scalars, slot)
    target.SetInParent()
    position = value_position(column, at, rows, len(whole.data))
    if slot == "array_data":
        target.element_type = whole.element_type
        (target.data.add() if position is None else target.data.add().CopyFrom(whole.data[position]))
    elif position is not None:
        target.data.append(whole.data[position])


def cut_vectors(column, at, rows, one):
    """One vector."""
    slot, one.vectors.dim = column.vectors.WhichOneof("data"), column.vectors.dim
    if slot is None:
        return
    whole = getattr(column.vectors, slot)
    if slot == "sparse_float_vector":
        position = value_position(column, at, rows, len(whole.contents))
        one.vectors.sparse_float_vector.contents.extend([] if position is None else [whole.contents[position]])
        one.vectors.sparse_float_vector.dim = whole.dim
        return
    values = whole.data if slot == "float_vector" else whole
    width = {"float_vector": 1, "int8_vector": 1, "float16_vector": 2, "bfloat16_vector": 2}.get(slot, 1 / 8)
    each = int(column.vectors.dim * width)
    position = value_position(column, at, rows, len(values) // each)
    part = values[position * each : (position + 1) * each] if position is not None else values[:0]
    if slot == "float_vector":
        one.vectors.float_vector.SetInParent()
        one.vectors.float_vector.data.extend(part)
    else:
        setattr(one.vectors, slot, part)


def cut(column, at, rows):
    """The FieldData of one row."""
    one = schema.FieldData(field_name=column.field_name, type=column.type, is_dynamic=column.is_dynamic)
    if column.valid_data:
        one.valid_data.append(column.valid_data[at])
    (cut_vectors if column.WhichOneof("field") == "vectors" else cut_scalars)(column, at, rows, one)
    return one
