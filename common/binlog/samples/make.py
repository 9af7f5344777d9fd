"""Makes the files of this folder: five known rows and two deletes, as a Milvus writes them.

    python make.py URI DATA VERSION    # DATA: the folder that holds the server's insert_log and delta_log
"""

import sys
import time
from pathlib import Path

import numpy
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, connections, utility

HERE = Path(__file__).parent
TEXTS = ["", "a", "two words", "\u00fc\U0001f600", "line\nbreak \"quoted\" \\"]


def fields(version):
    """The types that a version holds beside its vector."""
    found = {
        "a_bool": (DataType.BOOL, lambda i: i % 2 == 0, {}),
        "an_int8": (DataType.INT8, lambda i: [-128, -1, 0, 1, 127][i], {}),
        "an_int16": (DataType.INT16, lambda i: [-32768, -1, 0, 1, 32767][i], {}),
        "an_int32": (DataType.INT32, lambda i: [-(2**31), -1, 0, 1, 2**31 - 1][i], {}),
        "an_int64": (DataType.INT64, lambda i: [-(2**63), -1, 0, 1, 2**63 - 1][i], {}),
        "a_float": (DataType.FLOAT, lambda i: numpy.float32([-0.0, 0.5, 1e-45, 3e38, -1.25][i]), {}),
        "a_double": (DataType.DOUBLE, lambda i: [-0.0, 0.5, 5e-324, 1e308, -1.25][i], {}),
        "a_text": (DataType.VARCHAR, lambda i: TEXTS[i], {"max_length": 64}),
        "a_document": (DataType.JSON, lambda i: {"i": i}, {}),
    }
    if version.startswith("2.3"):
        array = {"element_type": DataType.INT64, "max_capacity": 8}
        found["an_array"] = (DataType.ARRAY, lambda i: list(range(i)), array)
    return found


def make(version, data, name, key_type, vector_type, dim, more):
    """One collection of five rows, of which those of the keys 1 and 3 are deleted; before the flush, for 2.2 keeps later deletes back."""
    schema = [FieldSchema("id", key_type, is_primary=True, max_length=64)]
    schema += [FieldSchema(field, kind, **extra) for field, (kind, _, extra) in more.items()]
    schema.append(FieldSchema("vector", vector_type, dim=dim))
    utility.drop_collection(name)
    collection = Collection(name, CollectionSchema(schema), num_shards=1)
    keys = list(range(5)) if key_type == DataType.INT64 else [f"key {i}" for i in range(5)]
    vectors = [[i + j / 4 for j in range(dim)] for i in range(5)]
    if vector_type == DataType.BINARY_VECTOR:
        vectors = [bytes([i, 255 - i]) for i in range(5)]
    collection.insert([keys, *([value(i) for i in range(5)] for _, value, _ in more.values()), vectors])
    index = {"index_type": "FLAT", "metric_type": "L2"}
    if vector_type == DataType.BINARY_VECTOR:
        index = {"index_type": "BIN_FLAT", "metric_type": "HAMMING"}
    collection.create_index("vector", {**index, "params": {}})
    collection.load()
    collection.delete(f"id in {[keys[1], keys[3]]!r}".replace("'", '"'))
    collection.flush()
    described = collection.describe()
    for field in [{"field_id": 0, "name": "row_id"}, {"field_id": 1, "name": "time"}, *described["fields"]]:
        files = list(data.glob(f"insert_log/{described['collection_id']}/*/*/{field['field_id']}/*"))
        assert len(files) == 1, files
        (HERE / f"{version}-{name}-{field['name']}").write_bytes(files[0].read_bytes())
    for _ in range(60):
        files = list(data.glob(f"delta_log/{described['collection_id']}/*/*/*"))
        if files:
            (HERE / f"{version}-{name}-deletes").write_bytes(files[0].read_bytes())
            return
        time.sleep(1)
    raise SystemExit("no deletes were written")


def main(uri, data, version):
    connections.connect(uri=uri)
    data = Path(data)
    make(version, data, "numbers", DataType.INT64, DataType.FLOAT_VECTOR, 4, fields(version))
    make(version, data, "texts", DataType.VARCHAR, DataType.BINARY_VECTOR, 16, {})


main(*sys.argv[1:])
