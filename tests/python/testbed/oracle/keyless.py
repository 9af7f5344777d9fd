"""Rows whose keys were made anew by the target: compared as a bag of contents, one hash per row."""

import hashlib
from collections import Counter

import numpy as np

from . import rows
from .cells import canonical_json
from .keys import pages


def cell_bytes(column, row):
    """A cell in one canonical spelling."""
    if not column.valid[row]:
        return b"\x00null"
    cell = column.cells[row]
    if isinstance(cell, (np.ndarray, np.generic)):
        return cell.tobytes()
    if column.kind == "json":
        return canonical_json(cell).encode()
    return repr(cell).encode()


def contents(side, partition):
    """{hash of a row without its key: [keys that have it]} of a partition."""
    found, keys = {}, side.all_keys(partition)
    fields = [name for name in side.fields() if name != side.key]
    for page in pages(keys, rows.page_size(side)):
        page_keys, columns = side.page(page[0], page[-1], fields, [partition] if partition else [])
        for row, key in enumerate(page_keys):
            digest = hashlib.blake2b(digest_size=16)
            for name in fields:
                cell = cell_bytes(columns[name], row)
                digest.update(b"%d:" % len(cell) + cell)
            found.setdefault(digest.digest(), []).append(key if isinstance(key, str) else int(key))
    return found


def compare(report, name, source, target, partitions):
    """What one side holds more often than the other; a changed row is one missing and one extra."""
    for partition in partitions:
        left, right = rows.both(lambda side: contents(side, partition), source, target)
        counts = [Counter({digest: len(keys) for digest, keys in side.items()}) for side in (left, right)]
        report.rows += sum(counts[0].values())
        for digest in counts[0] - counts[1]:
            report.add(name, "row_missing", "no row of the target has this content", left[digest][0])
        for digest in counts[1] - counts[0]:
            report.add(name, "row_extra", "no row of the source has this content", right[digest][0])
