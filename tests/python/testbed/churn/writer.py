"""The writer's order of work: make the collection, fill it, say so, change it at a steady rate, leave the record."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .. import schemas
from . import content
from .mix import Mix
from .record import Record
from .requests import Write
from .sender import Failed, Sender

BASE_BATCH = 5000
LOOK_SECONDS = 0.05
CAUGHT_UP_SECONDS = 2.0


@dataclass
class Plan:
    """What to write, where, and until when."""

    db: str
    collection: str
    seed: int
    rate: float
    base: int
    record: Path
    stop_file: Path
    seconds: Optional[float] = None
    keys: str = "Int64"
    automatic: bool = False
    partitions: int = 0
    dim: int = 16
    partition_changes: bool = True


class Pace:
    """So many changes per second by the clock. What was missed is made up for, but no more than CAUGHT_UP_SECONDS of it."""

    def __init__(self, rate):
        self._rate, self._due = rate, time.monotonic()

    def spend(self, changes):
        """Changes were made."""
        self._due = max(self._due + changes / self._rate, time.monotonic() - CAUGHT_UP_SECONDS)

    def pause_seconds(self):
        """How long to wait before the next ones."""
        return self._due - time.monotonic()


def create(server, plan, made):
    """The collection with its partitions and index, loaded; answers its partitions."""
    if plan.db not in server.databases():
        server.create_database(plan.db)
    schemas.create(server, plan.db, schemas.collection(plan.collection, made, enable_dynamic_field=True), shards=2)
    names = [f"part_{number}" for number in range(plan.partitions)]
    for name in names:
        server.create_partition(plan.db, plan.collection, name)
    index = {"index_type": "FLAT", "metric_type": "L2"}
    server.create_index(plan.db, plan.collection, content.VECTOR, index, wait=False)
    server.load(plan.db, plan.collection)
    return ["_default"] + names


def fill(sender, plan, partitions):
    """The base rows, dealt out over the partitions in large batches."""
    step = max(1, min(BASE_BATCH, -(-plan.base // len(partitions))))
    for turn, first in enumerate(range(0, plan.base, step)):
        count = min(step, plan.base - first)
        keys = None if plan.automatic else [content.key(plan.keys, number) for number in range(first, first + count)]
        if sender.send(Write("Insert", partitions[turn % len(partitions)], count, keys)) is None:
            raise Failed("the server went away while the base rows were written")


def change(sender, mix, plan):
    """Changes until the stop file is there or the time is over. Answers how long it took, in seconds."""
    started = time.monotonic()
    pace = Pace(plan.rate)
    while not plan.stop_file.exists() and (plan.seconds is None or time.monotonic() < started + plan.seconds):
        pause = pace.pause_seconds()
        if pause > 0:
            time.sleep(min(pause, LOOK_SECONDS))
            continue
        before = sender.changes()
        make_move(sender, mix.next())
        pace.spend(sender.changes() - before)
    return time.monotonic() - started


def make_move(sender, move):
    """Send each request of a move, and tell it what became of it."""
    outcome = None
    while True:
        try:
            request = move.send(outcome)
        except StopIteration:
            return
        outcome = sender.send(request)


def run(connect, plan, ready, rests=lambda last_ack_unix_ms: None):
    """The whole work; answers what was done.

    `connect` opens the endpoint, and again after an outage; `ready` is called when the base rows are there, `rests` when
    nothing more is written and the record is still to be saved.
    """
    server, made = connect(), content.fields(plan.keys, plan.automatic, plan.dim)
    record = Record([one.name for one in made if one.name != content.KEY] + ["$meta"])
    record.partitions = create(server, plan, made)
    sender = Sender(connect, plan.db, plan.collection, content.Rows(made, plan.seed), record)
    fill(sender, plan, record.partitions)
    if plan.base:
        server.flush(plan.db, plan.collection)  # so that there are sealed segments under the changes, and growing ones
    ready()
    sender.counts["inserted"] = 0
    mix = Mix(record, plan.seed, plan.keys, plan.automatic, plan.partition_changes, first_number=plan.base)
    seconds = change(sender, mix, plan)
    sender.tidy()
    rests(sender.last_ack_unix_ms)
    record.save(plan.record)
    return {
        **sender.counts,
        "changes": sender.changes(),
        "seconds": round(seconds, 3),
        "outage_seconds": round(sender.outage_seconds(), 3),
        "per_second": round(sender.changes() / max(seconds, 1e-9), 1),
        "last_ack_unix_ms": sender.last_ack_unix_ms,
        "record": str(plan.record),
    }
