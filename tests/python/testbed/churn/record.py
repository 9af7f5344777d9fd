"""What the server has acknowledged, key by key.

A row's state is its partition and the digest of its values; a key without a row is GONE. A key has one state, or several:
those that a request without an answer leaves possible. Rows whose keys the server was to make in such a request are kept
apart, as states that may be there under any key.
"""

import json
import os
from collections import Counter
from pathlib import Path

GONE = None
DIGEST = 32


class Record:
    """States by key. A state is one bytes object (the partition's number, then the digest): rows are many."""

    def __init__(self, fields=()):
        self.fields = list(fields)
        self.partitions = []
        self.keys = []
        self.unknown = Counter()
        self._names, self._numbers, self._states = [], {}, {}

    def state(self, partition, digest):
        """A row's state."""
        if partition not in self._numbers:
            self._numbers[partition] = len(self._names)
            self._names.append(partition)
        return self._numbers[partition].to_bytes(2, "big") + digest

    def partition_of(self, state):
        """Where a row of this state lies."""
        return self._names[int.from_bytes(state[:-DIGEST], "big")]

    def digest_of(self, state):
        """The digest of a row of this state."""
        return state[-DIGEST:]

    def __contains__(self, key):
        """Whether the key was ever written."""
        return key in self._states

    def states(self, key):
        """The states in which a key may be."""
        state = self._states.get(key, GONE)
        return state if isinstance(state, tuple) else (state,)

    def home(self, key):
        """The partition of the row that a key has or may have, which is never one of two; None if it certainly has none."""
        return next((self.partition_of(state) for state in self.states(key) if state is not GONE), None)

    def is_gone(self, key):
        """Whether a key certainly has no row."""
        return self.states(key) == (GONE,)

    def put(self, key, state, acknowledged):
        """A row was written."""
        if key not in self._states:
            self.keys.append(key)
        self._set(key, lambda _: state, acknowledged)

    def put_unknown(self, state):
        """A row may have been written, under a key that the server makes."""
        self.unknown[state] += 1

    def take(self, key, partition, acknowledged):
        """A key was deleted, in one partition or (None) in all."""
        if key in self._states:
            self._set(key, lambda state: GONE if self._lies_in(state, partition) else state, acknowledged)

    def drop_partition(self, partition):
        """A partition is gone with all its rows. Answers how many."""
        self.partitions.remove(partition)
        inside = [key for key in self.keys if any(self._lies_in(state, partition) for state in self.states(key))]
        for key in inside:
            self.take(key, partition, True)
        for state in [state for state in self.unknown if self._lies_in(state, partition)]:
            del self.unknown[state]
        return len(inside)

    def _lies_in(self, state, partition):
        return state is not GONE and partition in (None, self.partition_of(state))

    def _set(self, key, change, acknowledged):
        before = self.states(key)
        after = tuple(map(change, before)) if acknowledged else before + tuple(map(change, before))
        after = tuple(dict.fromkeys(after))
        self._states[key] = after if len(after) > 1 else after[0]

    def save(self, file):
        """Write it whole or not at all: a line about the collection, then a line per key."""
        part = Path(f"{file}.part")
        shown = lambda state: state and [int.from_bytes(state[:-DIGEST], "big"), state[-DIGEST:].hex()]
        head = {
            "fields": self.fields,
            "partitions": self.partitions,
            "names": self._names,
            "unknown": [[shown(state), times] for state, times in self.unknown.items()],
        }
        with open(part, "w") as out:
            out.write(json.dumps(head) + "\n")
            for key in self.keys:
                out.write(json.dumps([key, *map(shown, self.states(key))]) + "\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)

    @classmethod
    def load(cls, file):
        """Read a saved one."""
        with open(file) as lines:
            head = json.loads(next(lines))
            made = cls(head["fields"])
            made.partitions = head["partitions"]
            restored = lambda shown: shown and made.state(head["names"][shown[0]], bytes.fromhex(shown[1]))
            made.unknown.update({restored(state): times for state, times in head["unknown"]})
            for line in lines:
                key, *states = json.loads(line)
                made.keys.append(key)
                made._states[key] = tuple(map(restored, states)) if len(states) > 1 else restored(states[0])
        return made
