"""Makes the files in grouped/: forty known rows in the form that the sources of Milvus 2.6 give to files of several fields.

    python make_grouped.py    # with pyarrow

No server wrote them. But Arrow's C++ library did, by which Milvus writes such files, with the options that Milvus gives it
(`cpp/src/format/parquet/parquet_writer.cpp` of milvus-storage): so they are another's work than the reader's. Groups of rows are cut much
shorter than after 1 MiB, at other rows in each file.
"""

import struct
from pathlib import Path

import pyarrow
import pyarrow.parquet

HERE = Path(__file__).parent / "grouped"
ROWS = 40
TEXTS = ["", "a", "two words", "\u00fc\U0001f600", "line\nbreak \"quoted\" \\"]


def array(i):
    """A serialized schema.ScalarField of the numbers up to i % 4, as LongArray."""
    numbers = bytes(range(i % 4))
    inner = b"\x0a" + bytes([len(numbers)]) + numbers if numbers else b""
    return b"\x1a" + bytes([len(inner)]) + inner


def sparse(i):
    return struct.pack("<IfIf", i, 0.5, i + 100, -float(i))


def dense(i, code, many):
    return struct.pack(f"<{many}{code}", *(i + j for j in range(many)))


# Of each group its rows in a group of rows, and of each field its id, name, type, whether it may be null, and its values.
GROUPS = {
    0: (16, [
        (0, "RowID", pyarrow.int64(), False, lambda i: 1000 + i),
        (1, "Timestamp", pyarrow.int64(), False, lambda i: (470 << 50) + i // 3),
        (100, "id", pyarrow.int64(), False, lambda i: 7 * i - 100),
    ]),
    1: (7, [
        (101, "a_bool", pyarrow.bool_(), False, lambda i: i % 3 == 0),
        (102, "an_int8", pyarrow.int8(), False, lambda i: (i * 37) % 256 - 128),
        (103, "an_int16", pyarrow.int16(), False, lambda i: (i * 9973) % 65536 - 32768),
        (104, "an_int32", pyarrow.int32(), False, lambda i: (-1) ** i * i * 50_000_000),
        (105, "a_float", pyarrow.float32(), False, lambda i: i / 4),
        (106, "a_double", pyarrow.float64(), True, lambda i: None if i % 5 == 4 else -i / 3),
        (107, "a_text", pyarrow.string(), False, lambda i: TEXTS[i % 5]),
        (108, "a_text_or_null", pyarrow.string(), True, lambda i: None if i % 2 else f"text {i}"),
        (109, "a_document", pyarrow.binary(), False, lambda i: b'{"i":%d}' % i),
        (110, "an_array", pyarrow.binary(), False, array),
        (111, "nothing", pyarrow.int64(), True, lambda i: None),
    ]),
    112: (10, [(112, "floats", pyarrow.binary(16), False, lambda i: dense(i, "f", 4))]),
    113: (40, [(113, "halves", pyarrow.binary(4), False, lambda i: dense(i, "e", 2))]),
    114: (13, [(114, "bytes", pyarrow.binary(3), False, lambda i: bytes([i, 255 - i, 7]))]),
    115: (11, [(115, "sparse", pyarrow.binary(), False, sparse)]),
    116: (9, [(116, "floats_or_null", pyarrow.binary(), True, lambda i: None if i % 4 == 1 else dense(i, "f", 2))]),
    117: (40, [(117, "lists", pyarrow.list_(pyarrow.binary(8)), False, lambda i: [dense(i, "f", 2)] * (i % 3))]),
}

# Groups whose pages and dictionaries are cut short too, as they are after 1 MiB: behind a full dictionary values are plain.
SHORT_PAGES = {1, 114}


def main():
    every = ";".join(",".join(str(field[0]) for field in fields) for _, fields in GROUPS.values())
    for log, (group, (long, fields)) in enumerate(GROUPS.items(), 1):
        columns, values = [], []
        for number, name, kind, nullable, value in fields:
            columns.append(pyarrow.field(name, kind, nullable=nullable, metadata={"PARQUET:field_id": str(number)}))
            values.append(pyarrow.array([value(i) for i in range(ROWS)], kind))
        schema = pyarrow.schema(columns)
        table = pyarrow.Table.from_arrays(values, schema=schema)
        is_numeric = lambda kind: not (pyarrow.types.is_binary(kind) or pyarrow.types.is_fixed_size_binary(kind))
        told = [field.name for field in schema if is_numeric(field.type) and not pyarrow.types.is_list(field.type)]
        folder = HERE / str(group)
        folder.mkdir(parents=True, exist_ok=True)
        options = {"compression": "zstd", "compression_level": 3, "store_schema": False, "write_statistics": told}
        if group in SHORT_PAGES:
            options |= {"data_page_size": 16, "dictionary_pagesize_limit": 16, "write_batch_size": 2}
        with pyarrow.parquet.ParquetWriter(folder / str(log), schema, **options) as writer:
            cuts = []
            for first in range(0, ROWS, long):
                rows = table.slice(first, long)
                writer.write_table(rows, row_group_size=long)
                cuts.append(f"{rows.nbytes}|{rows.num_rows}|{first}")
            writer.add_key_value_metadata({"group_field_id_list": every, "row_group_metadata": ";".join(cuts), "storage_version": "1.0.0"})


main()
