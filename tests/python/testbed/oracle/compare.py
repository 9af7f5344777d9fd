"""The oracle's own order of work: which collections, then shape, then rows."""
import contextlib
import fnmatch

from ..raw import Refused, milvus
from . import rows, shape
from .report import Report


def full_name(db, name):
    """How a collection is named in reports."""
    return name if db == "default" else f"{db}.{name}"


def split_name(name):
    """db and collection of a full name."""
    db, _, collection = name.rpartition(".")
    return db or "default", collection


def selected(server, patterns):
    """(db, collection) of every collection whose full name matches a pattern; without patterns, all."""
    every = [(db, name) for db in server.databases() for name in server.collections(db)]
    return [(db, name) for db, name in every
            if not patterns or any(fnmatch.fnmatchcase(full_name(db, name), pattern) for pattern in patterns)]


def renamed(db, name, renames):
    """Where a collection is expected on the target; a rename is of one collection or of a whole database (`a.*` to `b.*`)."""
    for source, target in renames.items():
        if source == full_name(db, name):
            return split_name(target)
        if source.endswith(".*") and source[:-2] == db:
            return (target[:-2] if target.endswith(".*") else target), name
    return db, name


@contextlib.contextmanager
def readable(server, db, name, note):
    """Load what is not loaded, and put it back afterwards; yields whether rows can be read."""
    if server.load_state(db, name) == "loaded":
        yield True
        return
    try:
        server.load(db, name)
    except Refused as error:
        note(str(error))
        yield False
        return
    try:
        yield True
    finally:
        server.call("ReleaseCollection", milvus.ReleaseCollectionRequest(collection_name=name), db)


def compare_collection(report, source, target):
    """One pair. Sides are (server, db, collection)."""
    name = full_name(*source[1:])
    left = source[0].describe(*source[1:])
    try:
        right = target[0].describe(*target[1:])
    except Refused as error:
        report.add(name, "collection_missing", f"{full_name(*target[1:])} on the target: {error.reason}")
        return
    partitions = shape.compare(report, name, source, target, left, right)
    note = lambda why: report.cannot_read(name, why)
    with readable(*source, note) as first, readable(*target, note) as second:
        if first and second:
            rows.compare(report, name, rows.Side(*source, left), rows.Side(*target, right), partitions)
    report.collections += 1


def compare_databases(report, source, target, names):
    """Properties of the databases, where both servers tell them."""
    for left, right in sorted(names):
        sides = source.database_properties(left), target.database_properties(right) if right in target.databases() else {}
        if None not in sides:
            shape.compare_maps(report, left, "database_property", *sides)


def compare(source, target, patterns=(), renames=None, ignore=(), limit=1000):
    """The whole comparison; returns plain data."""
    report = Report(ignore, limit)
    pairs = [((source, db, name), (target, *renamed(db, name, renames or {}))) for db, name in selected(source, patterns)]
    compare_databases(report, source, target, {(left[1], right[1]) for left, right in pairs})
    for left, right in pairs:
        compare_collection(report, left, right)
    if patterns and not pairs:
        report.cannot_read(", ".join(patterns), "no collection of the source matches")
    return report.answer()
