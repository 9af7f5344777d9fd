"""Reads every row of a collection and holds it against a record.

Partitions are read one by one, so that each row's place is known; count(*) finds what a Query shows only once.
"""

from collections import Counter

from ..oracle.borrow import readable
from ..oracle.keys import pages
from ..oracle.report import shown
from ..oracle.rows import Side, page_size, repeated
from . import digest
from .record import GONE, Record

EXAMPLES = 20
KINDS = ("lost", "extra", "duplicated", "differing", "misplaced")


class Unstable(Exception):
    """The collection changed, or could not be read alike twice, while it was read."""


def read_partition(side, partition, record, found):
    """Add the states of a partition's rows to {key: [state, …]}; a key that lies there twice has two."""
    keys = list(dict.fromkeys(side.all_keys(partition)))
    for page in pages(keys, page_size(side)):
        told, columns = side.page(page[0], page[-1], record.fields, [partition])
        told = [key if isinstance(key, str) else int(key) for key in told]
        if set(told) != set(page):
            raise Unstable(f"the rows between {shown(page[0])} and {shown(page[-1])} changed while they were read")
        for key, one in zip(told, digest.of_columns(columns, len(told)), strict=True):
            found.setdefault(key, []).append(record.state(partition, one))
    total = side.count(None, None, [partition])
    if total is not None and total != len(keys):
        times = repeated(side, keys, [partition])
        if sum(times.values()) - len(times) != total - len(keys):
            raise Unstable(f"{partition}: count(*) is {total}, but {len(keys)} keys are told, {len(times)} of them repeated")
        for key, count in times.items():
            here = [state for state in found[key] if record.partition_of(state) == partition]
            found[key] += here[:1] * (count - len(here))


def judge(record, key, found, unknown):
    """What is wrong with a key whose rows have these states: [(kind, detail)]. What `unknown` explains is taken from it."""
    allowed = record.states(key)
    if not found:
        return [] if GONE in allowed else [("lost", f"acknowledged in {places(record, allowed)}")]
    if len(found) > 1:
        return [("duplicated", f"{len(found)} rows in {places(record, found)}")]
    (state,) = found
    if state in allowed:
        return []
    rows = [one for one in allowed if one is not GONE]
    if not rows and unknown[state] > 0:
        unknown[state] -= 1
        return []
    if not rows:
        return [("extra", f"in {places(record, found)}; {'deleted' if key in record else 'never written'}")]
    wrong = []
    if all(record.digest_of(one) != record.digest_of(state) for one in rows):
        wrong.append(("differing", f"its values are not those acknowledged last, in {places(record, found)}"))
    if all(record.partition_of(one) != record.partition_of(state) for one in rows):
        wrong.append(("misplaced", f"{places(record, rows)} → {places(record, found)}"))
    return wrong or [("differing", "its values and its partition are of two different writes")]


def places(record, states):
    """The partitions of states, for a person."""
    return ", ".join(sorted({record.partition_of(state) for state in states if state is not GONE}))


def judge_all(record, found):
    """How many keys are wrong in which way, and the first examples."""
    counts, examples, unknown = Counter(dict.fromkeys(KINDS, 0)), [], Counter(record.unknown)
    for key in dict.fromkeys([*record.keys, *found]):
        for kind, detail in judge(record, key, found.get(key, []), unknown):
            counts[kind] += 1
            if len(examples) < EXAMPLES:
                examples.append({"key": key, "what": kind, "detail": detail})
    return counts, examples


def check(server, db, name, file):
    """The verdict on one collection; exit code 0 if equal, 3 if not."""
    record, found = Record.load(file), {}
    partitions = server.partitions(db, name)
    with readable(server, db, name):
        side = Side(server, db, name, server.describe(db, name))
        for partition in partitions:
            read_partition(side, partition, record, found)
    counts, examples = judge_all(record, found)
    missing = sorted(set(record.partitions) - set(partitions))
    extra = sorted(set(partitions) - set(record.partitions))
    equal = not (sum(counts.values()) or missing or extra)
    return {
        "equal": equal,
        "rows": sum(map(len, found.values())),
        **counts,
        "partitions_missing": missing,
        "partitions_extra": extra,
        "examples": examples,
        "exit_code": 0 if equal else 3,
    }
