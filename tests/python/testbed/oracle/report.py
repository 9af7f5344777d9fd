"""What the oracle found: differences, each with a kind, and what it could not look at."""

import fnmatch

LITE = [
    "description",
    "consistency",
    "shards",
    "index_name",
    "load_replicas",
    "partition_count",
    "schema:description",
    "schema:is_clustering_key",
    "schema:type_params.element_max_length",
]
PRESETS = {"lite": LITE}


class Report:
    """Collects differences; those that match an ignore pattern are counted apart.

    A pattern is `kind` or `kind:aspect`, with shell wildcards; a preset's name stands for its patterns.
    """

    def __init__(self, ignore=(), limit=1000):
        self._ignore = [pattern for entry in ignore for pattern in PRESETS.get(entry, [entry])]
        self._limit = limit
        self.differences, self.found, self.ignored = [], 0, []
        self.unread, self.rows, self.collections = [], 0, 0

    def add(self, collection, kind, detail, key=None, field=None, aspect=None):
        """One difference. `aspect` refines the kind, for example which attribute of a schema."""
        difference = {"collection": collection, "kind": kind, "detail": detail}
        for name, value in (("key", key), ("field", field), ("aspect", aspect)):
            if value is not None:
                difference[name] = value
        if self.is_ignored(kind, aspect or field or ""):
            self.ignored.append(difference)
            return
        self.found += 1
        if len(self.differences) < self._limit:
            self.differences.append(difference)

    def merge(self, other):
        """Take another report's findings in."""
        self.differences = (self.differences + other.differences)[: self._limit]
        self.found += other.found
        self.ignored += other.ignored
        self.unread += other.unread
        self.rows += other.rows
        self.collections += other.collections

    def is_ignored(self, kind, aspect):
        """Whether a pattern takes this kind of difference out."""
        return any(
            fnmatch.fnmatchcase(kind, pattern) or fnmatch.fnmatchcase(f"{kind}:{aspect}", pattern)
            for pattern in self._ignore
        )

    def cannot_read(self, collection, why):
        """Something that was not compared."""
        self.unread.append({"collection": collection, "why": why})

    def answer(self):
        """The report as plain data; equal means: no difference, and nothing left unread."""
        equal = self.found == 0 and not self.unread
        return {
            "equal": equal,
            "collections": self.collections,
            "rows": self.rows,
            "found": self.found,
            "differences": self.differences,
            "ignored": self.ignored[: self._limit],
            "unread": self.unread,
            "exit_code": 0 if equal else 3,
        }


def shown(value, width=120):
    """A value, shortened for a person."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= width else f"{text[:width]}… ({len(text)} characters)"
