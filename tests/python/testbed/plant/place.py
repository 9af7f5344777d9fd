"""The collection in which something is planted, and its rows one at a time."""

import random
import struct

from ..columns import SLOTS
from ..raw import literal, milvus, schema
from ..schemas import DataType, kind_of, primary_key
from . import DoesNotApply
from .slices import cut

TRIES, BATCH = 1000, 200
LOWEST = -(1 << 63)
HIGHEST = (1 << 63) - 1


class Row:
    """One row: its key, its partition ("" where none may be named) and a FieldData of one value for each field."""

    def __init__(self, key, partition, columns):
        self.key, self.partition, self.columns = key, partition, columns

    def is_null(self, name):
        """Whether the value is null."""
        return list(self.columns[name].valid_data) == [False]

    def slot(self, name):
        """The message that holds a scalar's values."""
        scalars = self.columns[name].scalars
        return getattr(scalars, scalars.WhichOneof("data"))

    def scalar(self, name):
        """A scalar's value; None for null."""
        return None if self.is_null(name) else self.slot(name).data[0]

    def put(self, name, value):
        """Set a scalar; None makes it null."""
        column = self.columns[name]
        del self.slot(name).data[:]
        if value is not None:
            self.slot(name).data.append(value)
        if column.valid_data or value is None:
            column.valid_data[:] = [value is not None]


class Place:
    """A collection on a server. Keys in `used` are left alone, so that several plants do not meet in one row."""

    def __init__(self, server, db, name, seed=1, used=None):
        self.server, self.db, self.name = server, db, name
        self.random, self.used = random.Random(f"{seed} {db} {name}"), set() if used is None else used
        self.described = server.describe(db, name)
        self.schema = self.described.schema
        self.key_field = primary_key(self.schema)
        self.text = kind_of(self.key_field) == "VarChar"
        self.keyed = any(made.is_partition_key for made in self.schema.fields)
        self.automatic = self.schema.autoID or self.key_field.autoID

    def full(self, name):
        """A collection of the same database, as reports name it."""
        return name if self.db == "default" else f"{self.db}.{name}"

    def fields(self, kind=None):
        """Fields that may be changed: neither keys nor function outputs."""
        outputs = {name for function in self.schema.functions for name in function.output_field_names}
        return [
            made
            for made in self.schema.fields
            if not made.is_primary_key
            and not made.is_partition_key
            and made.name not in outputs
            and (kind is None or kind_of(made) == kind)
        ]

    def readable_names(self):
        """Names for a Query of whole rows."""
        keys = [made.name for made in self.schema.fields if made.is_primary_key or made.is_partition_key]
        return keys + [made.name for made in self.fields()] + (["$meta"] if self.schema.enable_dynamic_field else [])

    def partitions(self):
        """Partitions that may be named."""
        return [""] if self.keyed else self.server.partitions(self.db, self.name)

    def keys(self):
        """(key, partition) of every row that nothing was planted in, in the random order of this place."""
        every = f'{self.key_field.name} >= ""' if self.text else f"{self.key_field.name} <= {HIGHEST}"
        rows = []
        for partition in self.partitions():
            data = self.server.query(self.db, self.name, every, [self.key_field.name], [partition] if partition else [])
            scalars = data[self.key_field.name].scalars
            rows += [
                (key, partition) for key in sorted(scalars.string_data.data if self.text else scalars.long_data.data)
            ]
        free = [row for row in rows if row[0] not in self.used]
        return self.random.sample(free, len(free))

    def read(self, keys, partition):
        """Whole rows of these keys, in their order. One Query: at strong consistency each takes its time."""
        name = self.key_field.name
        expression = f"{name} in [{', '.join(literal(key) for key in keys if key != LOWEST)}]"
        if LOWEST in keys:  # it has no literal in a list
            expression += f" or {name} < {LOWEST + 1}"
        columns = self.server.query(
            self.db, self.name, expression, self.readable_names(), [partition] if partition else []
        )
        for name, column in columns.items():
            column.field_name, column.is_dynamic = name, name == "$meta"
            complete_lists(column, next((made for made in self.schema.fields if made.name == name), None))
        data = columns[self.key_field.name].scalars
        found = list(data.string_data.data if self.text else data.long_data.data)
        places = {key: at for at, key in enumerate(found)}
        cut_row = lambda at: {name: cut(column, at, len(found)) for name, column in columns.items()}
        return [Row(key, partition, cut_row(places[key])) for key in keys if key in places]

    def candidates(self):
        """Rows that nothing was planted in, in the random order of this place, read in batches."""
        free = self.keys()[:TRIES]
        for first in range(0, len(free), BATCH):
            batch = free[first : first + BATCH]
            rows = {}
            for partition in {partition for _, partition in batch}:
                read = self.read([key for key, where in batch if where == partition], partition)
                rows.update({(row.key, partition): row for row in read})
            yield from (rows[entry] for entry in batch if entry in rows)

    def pick(self, suits=lambda row: True):
        """A row that suits; it counts as used from now on."""
        if self.server.load_state(self.db, self.name) != "loaded":
            raise DoesNotApply("the collection is not loaded")
        for row in self.candidates():
            if suits(row):
                self.used.add(row.key)
                return row
        raise DoesNotApply("no row suits")

    def prepared(self, row):
        """A row's columns as an Insert takes them: a null is an absent value, and a nullable column has its flag."""
        nullable = {made.name for made in self.schema.fields if made.nullable}
        columns = []
        for name, column in row.columns.items():
            sent = schema.FieldData()
            sent.CopyFrom(column)
            if name in nullable:
                sent.valid_data[:] = [not row.is_null(name)]
            if row.is_null(name):
                empty(sent)
            columns.append(sent)
        return columns

    def insert(self, row):
        """Insert a row."""
        self.server.insert(self.db, self.name, self.prepared(row), 1, row.partition)

    def delete(self, row):
        """Delete a row by its key."""
        self.server.delete(self.db, self.name, f"{self.key_field.name} in [{literal(row.key)}]", row.partition)

    def replace(self, row):
        """Put a changed row in its old one's place."""
        if self.automatic:
            raise DoesNotApply("a row of an automatic key cannot be put back")
        self.delete(row)
        self.insert(row)

    def alter(self, method, request):
        """Any other call on this collection."""
        return self.server.call(method, request, self.db)

    def release(self):
        """Release the collection if it is loaded; answers whether it was."""
        loaded = self.server.load_state(self.db, self.name) == "loaded"
        if loaded:
            self.alter("ReleaseCollection", milvus.ReleaseCollectionRequest(collection_name=self.name))
        return loaded


def complete_lists(column, made):
    """Give every empty list its slot: Milvus 2.3.5 answers it without one, and dies when it is inserted so."""
    if made is None or kind_of(made) != "Array":
        return
    column.scalars.array_data.element_type = made.element_type
    for row in column.scalars.array_data.data:
        if row.WhichOneof("data") is None:
            getattr(row, SLOTS[DataType.Name(made.element_type)]).SetInParent()


def empty(column):
    """Take the placeholder of a null away. The slot stays, empty."""
    if column.WhichOneof("field") == "scalars":
        slot = column.scalars.WhichOneof("data")
        getattr(column.scalars, slot).ClearField("data")
        getattr(column.scalars, slot).SetInParent()
    else:
        slot, vectors = column.vectors.WhichOneof("data"), column.vectors
        if slot in ("float_vector", "sparse_float_vector"):
            getattr(vectors, slot).Clear()
            getattr(vectors, slot).SetInParent()
        else:
            setattr(vectors, slot, b"")


def float_bits(value, form="<f"):
    """A float's bits."""
    return int.from_bytes(struct.pack(form, value), "little")


def from_bits(bits, form="<f"):
    """A float of these bits."""
    return struct.unpack(form, bits.to_bytes(struct.calcsize(form), "little"))[0]
