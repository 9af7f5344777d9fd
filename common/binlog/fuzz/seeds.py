"""Makes the seeds in corpus/ from the real files in ../samples, and by hand what no server at hand writes.

    python seeds.py    # with pyarrow
"""

import io
import struct
from pathlib import Path

import pyarrow
import pyarrow.parquet

HERE = Path(__file__).parent
ROWS, TEXTS, COLUMNS, BARE = range(4)


def put(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def payload_of(file):
    """The Parquet in a real file of one event."""
    (length,) = struct.unpack_from("<i", file, 13)
    return file[4 + length + 17 + 16 :]


def unframed(form, parquet):
    """An input of the target payloads: the Parquet without what its frame adds."""
    (footer,) = struct.unpack_from("<i", parquet, len(parquet) - 8)
    return struct.pack("<BH", form, footer) + parquet[4:-8]


def written(columns, nullable=False, **options):
    """Parquet as Arrow's other implementation writes it, without its copy of the schema."""
    fields = [pyarrow.field(name, values.type, nullable=nullable) for name, values in columns]
    table = pyarrow.Table.from_arrays([values for _, values in columns], schema=pyarrow.schema(fields))
    file = io.BytesIO()
    options = {"compression": "zstd", "store_schema": False, **options}
    pyarrow.parquet.write_table(table, file, **options)
    return file.getvalue()


def enveloped(parquet, notes):
    """A file of deletes in columns, as Milvus's source tells."""
    descriptor = struct.pack("<4q2Qi", 1, 2, 3, -1, 70, 80, 20) + bytes([52] + 7 * [16]) + struct.pack("<i", len(notes)) + notes
    event = lambda kind, body: struct.pack("<Qbii", 70, kind, 17 + len(body), 0) + body
    return struct.pack("<I", 0xFFFABC) + event(0, descriptor) + event(2, struct.pack("<2Q", 70, 80) + parquet)


def page(kind, values, data):
    """A page of an input of the target pages."""
    return struct.pack("<BIH", kind, values, len(data)) + data


def framed():
    """What is kept of real files: their Parquet. As files they lie in ../samples."""
    for name in ("numbers-a_bool", "numbers-an_int8", "numbers-a_text", "numbers-an_array", "numbers-vector", "texts-vector"):
        put("payloads", name, unframed(ROWS, payload_of((HERE / f"../samples/2.3.5-{name}").read_bytes())))
    for name in ("numbers-deletes", "texts-deletes"):
        put("payloads", name, unframed(TEXTS, payload_of((HERE / f"../samples/2.3.5-{name}").read_bytes())))


def grouped():
    """The files of ../samples/grouped, without what their frame adds; and as they are, for what looks at the frame."""
    for file in sorted((HERE / "../samples/grouped").glob("*/*")):
        parquet = file.read_bytes()
        (footer,) = struct.unpack_from("<i", parquet, len(parquet) - 8)
        put("grouped", file.parent.name, struct.pack("<H", footer) + parquet[4:-8])
    keys = (HERE / "../samples/grouped/0/1").read_bytes()
    put("grouped_files", "keys", keys)
    put("grouped_files", "encrypted", keys[:-4] + b"PARE")
    put("grouped_files", "a-footer-of-2-GiB", keys[:-8] + b"\xff\xff\xff\x7fPAR1")


def by_arrow():
    """What no server at hand writes: nulls, dictionaries that are used, pages of the second kind, deletes in columns."""
    numbers = pyarrow.array([7, None, -8, None], pyarrow.int64())
    put("payloads", "nulls", unframed(ROWS, written([("val", numbers)], nullable=True)))
    texts = pyarrow.array(["a", "b", "a"] * 10, pyarrow.string())
    put("payloads", "dictionary", unframed(ROWS, written([("val", texts)])))
    put("payloads", "dictionary-plain", unframed(ROWS, written([("val", texts)], compression="none")))
    put("payloads", "second-kind-of-page", unframed(ROWS, written([("val", numbers)], nullable=True, data_page_version="2.0")))
    floats = pyarrow.array([0.5, None, -0.0], pyarrow.float32())
    put("payloads", "groups-of-rows", unframed(ROWS, written([("val", floats)], nullable=True, row_group_size=1)))
    keys, times = pyarrow.array([7, -8], pyarrow.int64()), pyarrow.array([70, 80], pyarrow.int64())
    of_numbers = written([("pk", keys), ("ts", times)])
    of_texts = written([("0", pyarrow.array(["x", ""], pyarrow.string())), ("1", times)])
    put("payloads", "deletes-in-columns", unframed(COLUMNS, of_numbers))
    put("payloads", "deletes-in-bare-columns", unframed(BARE, of_texts))
    put("delta_logs", "in-columns", enveloped(of_numbers, b'{"original_size":"9","version":"MULTI_FIELD"}'))
    put("delta_logs", "in-bare-columns", of_texts)
    old = written([("val", pyarrow.array(["7,70", "-8,80"], pyarrow.string()))])
    put("delta_logs", "before-2.1", enveloped(old, b"{}"))


def by_hand():
    """Files of few plain pages, and deletes."""
    plain, dictionary, by_index, second = 0, 2, 4, 3
    for name, kind, width, pages in (
        ("bools", 0, 0, page(plain, 5, b"\x15")),
        ("bools-in-runs", 0, 0, page(8, 5, b"\x02\0\0\0\x0a\x01")),
        ("ints", 1, 0, page(plain, 2, struct.pack("<2i", 7, -8)) * 2),
        ("longs", 2, 0, page(plain, 2, struct.pack("<2q", 7, -8))),
        ("floats", 4, 0, page(plain, 2, struct.pack("<2f", 0.5, -0.0))),
        ("doubles", 5, 0, page(plain, 2, struct.pack("<2d", 0.5, -0.0))),
        ("texts", 6, 0, page(plain, 2, b"\x01\0\0\0a\0\0\0\0")),
        ("vectors", 7, 4, page(plain, 2, b"abcdefgh")),
        ("nulls", 2 | 8, 0, page(plain, 2, b"\x02\0\0\0\x03\x01" + bytes(8))),
        ("nulls-second-kind", 2 | 8, 0, page(second | 2 << 5, 4, b"\x03\x05" + bytes(16))),
        ("2-billion-nulls", 2 | 8, 0, page(plain, 2**31 - 1, b"\x06\0\0\0\xfe\xff\xff\xff\x0f\0")),
        ("dictionary", 6, 0, page(dictionary, 2, b"\x01\0\0\0a\x01\0\0\0b") + page(by_index, 8, b"\x01\x03\x55")),
        ("a-run-of-a-dictionary", 6, 0, page(dictionary, 1, b"\x01\0\0\0a") + page(by_index, 1000, b"\x01\xd0\x0f\0")),
    ):
        put("pages", name, bytes([ROWS, kind, width]) + pages)
    text = b'{"pk":7,"ts":70,"pkType":5}'
    put("pages", "deletes", bytes([TEXTS, 6, 0]) + page(plain, 1, struct.pack("<I", len(text)) + text))
    columns = page(plain, 1, b"\x01\0\0\0x") + page(plain, 1, struct.pack("<q", 70))
    put("pages", "deletes-in-columns", bytes([COLUMNS, 6, 0]) + columns)
    rows = (HERE / "../samples/2.3.5-numbers-id").read_bytes()
    numbers = (HERE / "../samples/2.3.5-numbers-an_int64").read_bytes()
    at = numbers.index(b"PAR1\x15") + 4
    # The second field of the first page's head: the bytes that it unpacks to.
    assert numbers[at + 2] == 0x15 and numbers[at + 3] < 0x80, numbers[at : at + 8]
    put("insert_logs", "a-page-of-2-GiB", numbers[: at + 3] + b"\xfe\xff\xff\xff\x0f" + numbers[at + 4 : -4] + b"PAR1")
    put("insert_logs", "no-event", rows[: 4 + struct.unpack_from("<i", rows, 13)[0]])
    delete = lambda kind, key: struct.pack("<BQ", kind | len(key) << 1, 70) + key
    put("round_trip", "numbers", delete(0, b"") + delete(0, b"1234"))
    put("round_trip", "texts", delete(1, b"") + delete(1, b'"\n\\') + delete(1, "\u00fc\U0001f600".encode()))


framed()
grouped()
by_arrow()
by_hand()
