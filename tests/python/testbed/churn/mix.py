"""The seeded mix of changes. Nothing here speaks to a server.

A move is a generator of requests: it is sent what became of each (the keys written or deleted, or None where there was no
answer), and goes by the record, which knows by then. The same seed and the same answers give the same moves.

Rules that Milvus sets: Insert takes only keys that certainly have no row; Upsert replaces only within the partition that
it names, so it goes to the one where the key's row is; there is no Upsert where the server makes the keys.
"""

import random

from . import content
from .requests import CreatePartition, Delete, DropPartition, Write

SMALL, LARGE, LARGE_CHANCE = (1, 20), (200, 400), 0.02
TRIES_PER_KEY = 40
MADE_PARTITIONS = 4

WEIGHTS = {
    "insert_new": 30,
    "replace": 25,
    "upsert_new": 8,
    "delete": 12,
    "delete_in_partition": 5,
    "insert_again": 8,
    "hot_key": 6,
    "move": 6,
    "new_partition": 0.6,
    "drop_partition": 0.5,
}
NEEDS_OWN_KEYS = {"upsert_new", "insert_again"}
PARTITION_CHANGES = {"new_partition", "drop_partition"}


class Mix:
    """Chooses what to do next."""

    def __init__(self, record, seed, keys, automatic, partition_changes, first_number):
        self._record, self._chance = record, random.Random(f"{seed} mix")
        self._keys, self._automatic, self._number = keys, automatic, first_number
        self._created = 0
        self._may_drop = [name for name in record.partitions if name != "_default"][::2]
        left_out = (NEEDS_OWN_KEYS if automatic else set()) | (set() if partition_changes else PARTITION_CHANGES)
        self._weights = {name: weight for name, weight in WEIGHTS.items() if name not in left_out}

    def next(self):
        """The next move."""
        name = self._chance.choices(list(self._weights), list(self._weights.values()))[0]
        return getattr(self, f"_{name}")()

    def _size(self):
        return self._chance.randint(*(LARGE if self._chance.random() < LARGE_CHANCE else SMALL))

    def _partition(self):
        return self._chance.choice(self._record.partitions)

    def _draw(self, count, suits):
        """Up to so many distinct keys that suit."""
        found, known = {}, self._record.keys
        for _ in range(TRIES_PER_KEY * count if known else 0):
            key = self._chance.choice(known)
            if suits(key):
                found[key] = True
                if len(found) == count:
                    break
        return list(found)

    def _together(self, count):
        """Keys that have rows in one partition, and that partition."""
        first = self._draw(1, lambda key: self._record.home(key) is not None)
        if not first:
            return [], None
        home = self._record.home(first[0])
        return self._draw(count, lambda key: self._record.home(key) == home) or first, home

    def _new_keys(self, count):
        self._number += count
        return [content.key(self._keys, number) for number in range(self._number - count, self._number)]

    def _insert_new(self):
        count = self._size()
        keys = None if self._automatic else self._new_keys(count)
        yield Write("Insert", self._partition(), count, keys)

    def _upsert_new(self):
        keys = self._new_keys(self._size())
        yield Write("Upsert", self._partition(), len(keys), keys)

    def _write_again(self, keys, partition):
        """New values for keys that have rows; under new keys where the server makes them."""
        if not self._automatic:
            yield Write("Upsert", partition, len(keys), keys)
        elif (yield Delete(keys)) is not None:
            yield Write("Insert", partition, len(keys))

    def _replace(self):
        keys, home = self._together(self._size())
        if keys:
            yield from self._write_again(keys, home)

    def _delete(self):
        keys = self._draw(self._size(), lambda key: self._record.home(key) is not None)
        ghosts = [content.ghost(self._keys, self._chance) for _ in range(self._chance.randint(0, 3))]
        if keys or ghosts:
            yield Delete(keys + ghosts)

    def _delete_in_partition(self):
        """Keys of other partitions are named too: their rows stay."""
        keys, home = self._together(self._size())
        others = self._draw(self._chance.randint(0, 3), lambda key: self._record.home(key) not in (home, None))
        if keys:
            yield Delete(keys + others, home)

    def _insert_again(self):
        keys = self._draw(self._size(), self._record.is_gone)
        if keys:
            yield Write("Insert", self._partition(), len(keys), keys)

    def _hot_key(self):
        """Several changes of one key without a pause; where the server makes the keys, of one row after another."""
        keys, home = self._together(1)
        for _ in range(self._chance.randint(3, 8) if keys else 0):
            if self._automatic:
                if (yield Delete(keys)) is None:
                    return
                keys = yield Write("Insert", home, 1)
                if keys is None:
                    return
            elif self._record.is_gone(keys[0]):
                yield Write(self._chance.choice(["Insert", "Upsert"]), home, 1, keys)
            elif self._chance.random() < 0.35:
                yield Delete(keys)
            else:
                yield Write("Upsert", home, 1, keys)

    def _move(self):
        """Rows go to another partition."""
        keys, home = self._together(self._size())
        others = [name for name in self._record.partitions if name != home]
        if not keys or not others or (yield Delete(keys)) is None:
            return
        yield Write("Insert", self._chance.choice(others), len(keys), None if self._automatic else keys)

    def _new_partition(self):
        made = [name for name in self._record.partitions if name.startswith("made_")]
        if len(made) >= MADE_PARTITIONS:
            yield from self._drop_partition()
            return
        self._created += 1
        name = f"made_{self._created}"
        yield CreatePartition(name)
        self._may_drop.append(name)
        count = self._size()
        yield Write("Insert", name, count, None if self._automatic else self._new_keys(count))

    def _drop_partition(self):
        """Every second of the first partitions may go, and each that was made here."""
        if self._may_drop:
            name = self._may_drop.pop(self._chance.randrange(len(self._may_drop)))
            yield DropPartition(name)
