"""Every value of every row, page by page, the two sides in step."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np

from ..raw import Refused
from . import cells
from .keys import Keys, between, pages, too_large, whole
from .report import shown

PAGE_BYTES, PAGE_ROWS = 8 << 20, 10_000


class Side:
    """One endpoint's collection, opened for reading."""

    def __init__(self, server, db, name, described):
        self.server, self.db, self.name = server, db, name
        self.schema = described.schema
        primary = next(made for made in self.schema.fields if made.is_primary_key)
        self.key, self.text = primary.name, cells.DataType.Name(primary.data_type) == "VarChar"
        self.keys = Keys(server, db, name, self.key, self.text)

    def fields(self):
        """What can be asked for: all but function outputs, and the dynamic column."""
        outputs = {name for function in self.schema.functions for name in function.output_field_names}
        names = [made.name for made in self.schema.fields if made.name not in outputs]
        names += [made.name for made in self.schema.struct_array_fields]
        return names + (["$meta"] if self.schema.enable_dynamic_field else [])

    def page(self, low, high, fields, partitions):
        """The rows between two keys, sorted by key: (keys, {field: Column})."""
        answer = self.server.query(self.db, self.name, between(self.key, low, high), fields, partitions)
        if self.key not in answer:
            return [], {}
        data = answer[self.key].scalars
        keys = list(data.string_data.data) if self.text else np.array(data.long_data.data, np.int64)
        order = (
            np.array(sorted(range(len(keys)), key=keys.__getitem__), int)
            if self.text
            else np.argsort(keys, kind="stable")
        )
        columns = {
            name: cells.decode(answer[name], len(keys)).take(order)
            for name in fields
            if name in answer and name != self.key
        }
        return [keys[row] for row in order] if self.text else keys[order], columns

    def all_keys(self, partition):
        """Every key of a partition, as a sorted list."""
        keys = self.keys.all(partition)
        return keys if self.text else keys.tolist()

    def count(self, low, high, partitions):
        """count(*) of a key range, the whole one without a border; None where the server has none (before 2.3)."""
        borders = whole(self.text) if low is None and high is None else (low, high)
        try:
            return self.server.count(self.db, self.name, between(self.key, *borders), partitions)
        except (Refused, KeyError):  # 2.2 takes it for a dynamic field's name, and answers without it
            return None


def both(read, source, target):
    """Do the same on both sides at once."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(read, (source, target)))


def page_size(side):
    """Rows of one page, guessed from the dimensions."""
    row = 200
    for made in side.schema.fields:
        row += 4 * int({pair.key: pair.value for pair in made.type_params}.get("dim", 16))
    return max(1, min(PAGE_ROWS, PAGE_BYTES // row))


def compare_keys(report, name, source, target, partitions):
    """Missing and extra rows, and rows that lie in another partition. Returns the keys that both hold, by partition."""
    common, elsewhere = {}, {}
    for partition in partitions:
        left, right = both(lambda side: Counter(side.all_keys(partition)), source, target)
        common[partition] = sorted(left.keys() & right.keys())
        report.rows += len(left)
        compare_counts(
            report, name, source, target, common[partition], (len(left), len(right)), [partition] if partition else []
        )
        for side, extra in ((0, left - right), (1, right - left)):
            for key in extra:
                elsewhere.setdefault(key, ([], []))[side].append(partition)
    for key, (left, right) in sorted(elsewhere.items()):
        if left and right:
            report.add(name, "row_partition", f"{left} → {right}", key, aspect="partition")
        elif left:
            report.add(name, "row_missing", f"only on the source, in partition {left}", key)
        else:
            report.add(name, "row_extra", f"only on the target, in partition {right}", key)
    return common


def compare_counts(report, name, source, target, common, distinct, partitions):
    """What count(*) counts beyond the keys that Query tells: rows under one key, or rows that no Query answers."""
    totals = both(lambda side: side.count(None, None, partitions), source, target)
    beyond = [None if total is None else total - keys for total, keys in zip(totals, distinct)]
    if not any(beyond):
        return
    left, right = both(lambda side: repeated(side, common, partitions), source, target)
    uneven = [key for key in sorted(left.keys() | right.keys()) if left.get(key, 1) != right.get(key, 1)]
    for key in uneven:
        report.add(name, "row_duplicated", f"{left.get(key, 1)} → {right.get(key, 1)} rows with this key", key)
    if not uneven and None not in beyond and beyond[0] != beyond[1]:
        report.add(name, "row_count", f"count(*) is {beyond[0]} → {beyond[1]} more than the keys a Query answers")


def compare_page(report, name, source, target, keys, fields, partitions):
    """The values of one page; halved where an answer would be too large."""
    try:
        sides = both(lambda side: side.page(keys[0], keys[-1], fields, partitions), source, target)
    except (Refused, grpc.RpcError) as error:
        if not too_large(error) or len(keys) == 1:
            raise
        middle = len(keys) // 2
        for half in (keys[:middle], keys[middle:]):
            compare_page(report, name, source, target, half, fields, partitions)
        return
    (left_keys, left), (right_keys, right) = (restrict(*side, keys) for side in sides)
    if list(left_keys) != list(keys) or list(right_keys) != list(keys):
        report.add(
            name, "unstable", f"between {shown(keys[0])} and {shown(keys[-1])} the rows changed while they were read"
        )
        return
    for field in fields:
        compare_field(report, name, field, keys, left.get(field), right.get(field), source.key)


def compare_field(report, name, field, keys, left, right, key_field):
    """One column of one page."""
    if field == key_field:
        return
    if left is None or right is None:
        report.add(
            name,
            "field_unreadable",
            f"{'source' if left is None else 'target'} does not answer this field",
            field=field,
        )
        return
    for row in cells.differing(left, right):
        report.add(name, "value", f"{shown(left.show(row))} → {shown(right.show(row))}", keys[row], field)


def restrict(found, columns, keys):
    """Only the rows of these keys; the others (missing, extra) were reported before."""
    if len(found) == len(keys):
        return found, columns
    wanted = set(keys)
    order = np.array(
        [row for row, key in enumerate(found) if (key if isinstance(key, str) else int(key)) in wanted], int
    )
    return [found[row] if isinstance(found[row], str) else int(found[row]) for row in order], {
        name: column.take(order) for name, column in columns.items()
    }


def repeated(side, keys, partitions):
    """Keys that lie there more often than once: {key: how often}. Found by counting ranges, halved down to one key."""
    found, ranges = {}, [keys] if keys else []
    while ranges:
        part = ranges.pop()
        counted = side.count(part[0], part[-1], partitions)
        if counted is None:
            return {}
        if counted > len(part):
            if len(part) == 1:
                found[part[0]] = counted
            else:
                ranges += [part[: len(part) // 2], part[len(part) // 2 :]]
    return found


def compare(report, name, source, target, partitions):
    """All rows. `partitions` are the common ones; [None] where a partition key places the rows."""
    common = compare_keys(report, name, source, target, partitions)
    wanted = [field for field in source.fields() if field in target.fields()]
    for partition, keys in common.items():
        chosen = [partition] if partition else []
        for page in pages(keys, page_size(source)):
            compare_page(report, name, source, target, page, wanted, chosen)
