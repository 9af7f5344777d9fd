"""Files of several fields, as the sources of Milvus 2.6 say that it writes them, made of the files of a real server: no later one is at hand.

The rows are the server's. The files are written by Arrow's C++ library, by which Milvus 2.6 writes them, with the options that it gives it
(`cpp/src/format/parquet/parquet_writer.cpp` of milvus-storage). All files of a segment become one for each group, as compaction makes them,
and groups of rows are cut much shorter than after 1 MiB, at other rows in each group.
"""

import io
import shutil
import struct
from pathlib import Path

import pyarrow
import pyarrow.parquet

ROWS, DELETES = "insert_log", "delta_log"

# The fields that a server adds, and the group that has them with the keys; that of the other fields but vectors.
SYSTEM, KEYS, OTHERS = (0, 1), 0, 1

# Of which group how many rows are in a group of rows; for vectors the last.
CUTS = {KEYS: 1000, OTHERS: 300}
CUT_OF_VECTORS = 170


def payloads(file):
    """The Parquet of each event of a file of one field."""
    at = 4 + struct.unpack_from("<i", file, 4 + 9)[0]
    while at < len(file):
        (length,) = struct.unpack_from("<i", file, at + 9)
        yield file[at + 17 + 16 : at + length]
        at += length


def values(files):
    """The values of a field, in the order of its files."""
    ordered = sorted(files, key=lambda file: int(file.name))
    columns = [
        pyarrow.parquet.read_table(io.BytesIO(payload)).column(0)
        for file in ordered
        for payload in payloads(file.read_bytes())
    ]
    return pyarrow.chunked_array([chunk for column in columns for chunk in column.chunks])


def group_of(field, kind, key):
    """The group of a field, as Milvus's default policies have it."""
    if field in SYSTEM or field == key:
        return KEYS
    # Sparse vectors would be by themselves, too; a server of 2.3 has none.
    return field if pyarrow.types.is_fixed_size_binary(kind) else OTHERS


def write(columns, path, cut):
    """One file of these fields, by their ids."""
    fields = [
        pyarrow.field(f"field {field}", column.type, nullable=False, metadata={"PARQUET:field_id": str(field)})
        for field, column in columns.items()
    ]
    schema = pyarrow.schema(fields)
    is_run = lambda kind: pyarrow.types.is_binary(kind) or pyarrow.types.is_fixed_size_binary(kind)
    told = [field.name for field in fields if not is_run(field.type)]
    table = pyarrow.Table.from_arrays(list(columns.values()), schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"compression": "zstd", "compression_level": 3, "store_schema": False, "write_statistics": told}
    pyarrow.parquet.write_table(table, path, row_group_size=cut, **options)


def segment(folder, to, key):
    """One segment."""
    columns = {int(field.name): values(list(field.iterdir())) for field in folder.iterdir()}
    groups = {}
    for field, column in sorted(columns.items()):
        groups.setdefault(group_of(field, column.type, key), {})[field] = column
    for group, fields in groups.items():
        log = min(file.name for file in (folder / str(next(iter(fields)))).iterdir())
        write(fields, to / str(group) / log, CUTS.get(group, CUT_OF_VECTORS))


def make(source, target, collection, key, every):
    """Put a collection's files below `source` into `target`: the rows of one segment in so many by groups, and all else as it is."""
    source, target = Path(source), Path(target)
    made = 0
    folders = sorted((source / ROWS / collection).glob("*/*"))
    for place, folder in enumerate(folders):
        there = target / folder.relative_to(source)
        if place % every:
            shutil.copytree(folder, there)
        else:
            segment(folder, there, key)
            made += 1
    deletes = Path(DELETES) / collection
    if (source / deletes).exists():
        shutil.copytree(source / deletes, target / deletes)
    return {"grouped": made, "segments": len(folders)}
