"""The oracle's own order of work: which collections, then shape, then rows."""

import contextlib
import fnmatch
from concurrent.futures import ThreadPoolExecutor

from ..raw import Refused
from . import keyless as keyless_rows
from . import rows, shape
from .borrow import readable
from .report import Report

AT_ONCE = 3


def full_name(db, name):
    """How a collection is named in reports."""
    return name if db == "default" else f"{db}.{name}"


def split_name(name):
    """db and collection of a full name."""
    db, _, collection = name.rpartition(".")
    return db or "default", collection


def matches(name, patterns):
    """Whether a full name matches one of the patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def selected(server, patterns, excluded=()):
    """(db, collection) of every collection whose full name matches a pattern (without patterns, all), and none of those excluded."""
    every = [(db, name) for db in server.databases() for name in server.collections(db)]
    return [
        (db, name)
        for db, name in every
        if (not patterns or matches(full_name(db, name), patterns)) and not matches(full_name(db, name), excluded)
    ]


def renamed(db, name, renames):
    """Where a collection is expected on the target; a rename is of one collection or of a whole database (`a.*` to `b.*`)."""
    for source, target in renames.items():
        if source == full_name(db, name):
            return split_name(target)
        if source.endswith(".*") and source[:-2] == db:
            return (target[:-2] if target.endswith(".*") else target), name
    return db, name


def compare_rows(report, name, sides, described, partitions, keyless):
    """The rows of one pair, both sides loaded for the reading."""
    with contextlib.ExitStack() as stack:
        try:
            list(rows.both(lambda side: stack.enter_context(readable(*side)), *sides))
        except (Refused, TimeoutError) as error:
            report.cannot_read(name, str(error))
            return
        readers = [rows.Side(*side, one) for side, one in zip(sides, described)]
        (keyless_rows.compare if keyless else rows.compare)(report, name, *readers, partitions)


def compare_collection(report, source, target, keyless):
    """One pair. Sides are (server, db, collection)."""
    name = full_name(*source[1:])
    left = source[0].describe(*source[1:])
    try:
        right = target[0].describe(*target[1:])
    except Refused as error:
        report.add(name, "collection_missing", f"{full_name(*target[1:])} on the target: {error.reason}")
        return
    partitions = shape.compare(report, name, source, target, left, right)
    compare_rows(report, name, (source, target), (left, right), partitions, keyless)
    report.collections += 1


def compare_databases(report, source, target, names):
    """Properties of the databases, where both servers tell them."""
    for left, right in sorted(names):
        sides = source.database_properties(left), (
            target.database_properties(right) if right in target.databases() else {}
        )
        if None not in sides:
            shape.compare_maps(report, left, "database_property", *sides)


def compare(source, target, patterns=(), renames=None, ignore=(), keyless=(), limit=1000, excluded=()):
    """The whole comparison; returns plain data. Rows of collections that match `keyless` are compared without their keys."""
    whole = Report(ignore, limit)
    pairs = [
        ((source, db, name), (target, *renamed(db, name, renames or {})))
        for db, name in selected(source, patterns, excluded)
    ]
    compare_databases(whole, source, target, {(left[1], right[1]) for left, right in pairs})

    def one(pair):
        report, name = Report(ignore, limit), full_name(*pair[0][1:])
        compare_collection(report, *pair, matches(name, keyless))
        return report

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for report in pool.map(one, pairs):
            whole.merge(report)
    if patterns and not pairs:
        whole.cannot_read(", ".join(patterns), "no collection of the source matches")
    return whole.answer()
