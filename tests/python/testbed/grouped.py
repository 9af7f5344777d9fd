"""Files of several fields, as the sources of Milvus 2.6 say that it writes them, made of the files of a real server: no later one is at hand.

The rows are the server's. The files are written by Arrow's C++ library, by which Milvus 2.6 writes them, with the options that it gives it
(`cpp/src/format/parquet/parquet_writer.cpp` of milvus-storage). All files of a segment become one for each group, as compaction makes them,
and groups of rows are cut much shorter than after 1 MiB, at other rows in each group.
"""

import shutil
import struct
from pathlib import Path

import pyarrow
import pyarrow.parquet

ROWS, DELETES = "insert_log", "delta_log"

# The fields that a server adds, and the group that has them with the keys; that of the other fields but vectors.
SYSTEM, KEYS, OTHERS = (0, 1), 0, 1

# Of which group how many rows are in a group of rows; for vectors the last. Whoever takes each for 1 MiB reads five hundred rows in several runs.
CUTS = {KEYS: 700, OTHERS: 300}
CUT_OF_VECTORS = 8


def payloads(file):
    """The Parquet of each event of a file of one field."""
    at = 4 + struct.unpack_from("<i", file, 4 + 9)[0]
    while at < len(file):
        (length,) = struct.unpack_from("<i", file, at + 9)
        yield file[at + 17 + 16 : at + length]
        at += length


def table_of(source):
    """What a Parquet file holds, read by no other thread: Arrow's may still have hold of a Python object when the interpreter ends, which
    then aborts (https://github.com/apache/arrow/issues/34314)."""
    return pyarrow.parquet.ParquetFile(source, pre_buffer=False).read(use_threads=False)


def values(files):
    """The values of a field, in the order of its files."""
    ordered = sorted(files, key=lambda file: int(file.name))
    columns = [
        table_of(pyarrow.BufferReader(payload)).column(0)
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


# Milvus's numbers of these types.
INT64, JSON = 5, 23


def enveloped(parquet, ids, data_type):
    """A file of one field: its Parquet in the envelope of earlier versions."""
    notes = b'{"original_size":"1"}'
    descriptor = struct.pack("<4q2Qi", *ids, 1, 1, data_type) + bytes([52] + 7 * [16]) + struct.pack("<i", len(notes)) + notes
    file = struct.pack("<I", 0xFFFABC)
    for kind, body in ((0, descriptor), (1, struct.pack("<2Q", 1, 1) + parquet)):
        file += struct.pack("<Qbii", 1, kind, 17 + len(body), len(file) + 17 + len(body)) + body
    return file


def undo(server, db, collection, source, target):
    """Make files of one field of files of several, below `target`, for a server that knows no others."""
    described = server.describe(db, collection)
    types = {field.fieldID: field.data_type for field in described.schema.fields}
    made = 0
    for file in sorted(Path(source).glob("*/*/*")):
        segment_id, log = int(file.parent.parent.name), file.name
        table = table_of(file)
        for field, column in zip(table.schema, table.columns):
            number = int(field.metadata[b"PARQUET:field_id"])
            schema = pyarrow.schema([pyarrow.field("val", field.type, nullable=False)])
            payload = pyarrow.BufferOutputStream()
            alone = pyarrow.Table.from_arrays([column], schema=schema)
            pyarrow.parquet.write_table(alone, payload, compression="zstd", store_schema=False)
            # The dynamic field is not described.
            data_type = INT64 if number in SYSTEM else types.get(number, JSON)
            ids = (described.collectionID, 0, segment_id, number)
            there = Path(target) / str(segment_id) / str(number) / log
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(enveloped(payload.getvalue().to_pybytes(), ids, data_type))
            made += 1
    return {"files": made}


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
