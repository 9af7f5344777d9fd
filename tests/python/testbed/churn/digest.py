"""A row's values, without its key, as one SHA-256 over a canonical form: bits of numbers and vectors, JSON by value."""

import hashlib

from ..oracle import cells
from ..oracle.keyless import cell_bytes


def of_columns(columns, rows):
    """One digest per row of {field: oracle column}; fields count by name, not by order."""
    names, found = sorted(columns), []
    for row in range(rows):
        digest = hashlib.sha256()
        for name in names:
            cell = cell_bytes(columns[name], row)
            digest.update(b"%s:%d:" % (name.encode(), len(cell)) + cell)
        found.append(digest.digest())
    return found


def of_request(data, key, rows):
    """The same of what a request carries."""
    decoded = {one.field_name: cells.decode(one, rows) for one in data if one.field_name != key}
    return of_columns(decoded, rows)
