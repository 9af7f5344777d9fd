"""All primary keys of a partition, sorted here, and the expressions that cut pages out of them."""

import grpc
import numpy as np

from ..raw import Refused, literal

INT_HIGH = (1 << 63) - 1
STEP = 16384


def between(field, low, high):
    """Rows with low <= key <= high; None leaves a side open."""
    sides = []
    if low is not None:
        sides.append(f"{field} >= {literal(low)}")
    if high is not None:
        sides.append(f"{field} <= {literal(high)}")
    return " and ".join(sides)


def whole(text):
    """A range that holds every key."""
    return ("", None) if text else (None, INT_HIGH)


def too_large(error):
    """Whether an answer did not fit into a message or the server's own limit."""
    if isinstance(error, grpc.RpcError):
        return error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    return "maxOutputSize" in error.reason or "larger than max" in error.reason or "exceed" in error.reason


class Keys:
    """Reads keys of one collection."""

    def __init__(self, server, db, name, field, text):
        self.server, self.db, self.name, self.field, self.text = server, db, name, field, text

    def all(self, partition=None):
        """Every key of a partition (of the collection with None), sorted; a repeated key appears as often as Query tells it."""
        partitions = [partition] if partition else []
        try:
            found = self._read(between(self.field, *whole(self.text)), partitions)
        except (Refused, grpc.RpcError) as error:
            if not too_large(error):
                raise
            found = self._read_in_steps(partitions)
        return sorted(found) if self.text else np.sort(np.array(found, np.int64))

    def _read(self, expression, partitions, **parameters):
        columns = self.server.query(self.db, self.name, expression, [self.field], partitions, **parameters)
        scalars = columns[self.field].scalars if self.field in columns else None
        if scalars is None:
            return []
        return list(scalars.string_data.data) if self.text else list(scalars.long_data.data)

    def _read_in_steps(self, partitions):
        """More keys than one answer holds: steps of the smallest keys above the last one. Out of order is an error."""
        found, expression = [], between(self.field, *whole(self.text))
        while True:
            step = self._read(expression, partitions, limit=STEP, iterator="True")
            if not step:
                return found
            if step != sorted(step) or (found and step[0] <= found[-1]):
                raise ValueError(f"{self.name}: the server answers keys out of order; its keys cannot be listed")
            found += step
            expression = f"{self.field} > {literal(found[-1])}"


def pages(keys, size):
    """Runs of at most `size` neighbouring keys."""
    for first in range(0, len(keys), size):
        yield keys[first : first + size]
