"""Rows that come to a collection by an import of a file, and so not through its log."""

import json
import random
import time
from pathlib import Path

from . import schemas
from .bulk import KEY, VECTOR
from .raw import common, milvus

LIMIT_SECONDS = 300
EVERY_SECONDS = 0.1


def carry_out(server, db, collection, first, rows, folder):
    """Import rows of new keys, from `first` on, into a collection that `bulk` made; wait until Milvus calls that completed."""
    vector = next(field for field in server.describe(db, collection).schema.fields if field.name == VECTOR)
    dim, numbers = schemas.dim_of(vector), random.Random(first)
    made = [{KEY: first + row, VECTOR: [numbers.random() for _ in range(dim)]} for row in range(rows)]
    file = Path(folder) / f"{collection}-{first}.json"
    file.write_text(json.dumps({"rows": made}))
    ordered = server.call("Import", milvus.ImportRequest(collection_name=collection, files=[str(file)]), db)
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        state = server.call("GetImportState", milvus.GetImportStateRequest(task=ordered.tasks[0]), db)
        if state.state == common.ImportCompleted:
            return {"rows": state.row_count}
        if state.state in (common.ImportFailed, common.ImportFailedAndCleaned):
            raise SystemExit(f"testbed import: {dict((info.key, info.value) for info in state.infos)}")
        time.sleep(EVERY_SECONDS)
    raise SystemExit(f"testbed import: {file} is not imported after {LIMIT_SECONDS} s")
