"""What the writer may ask of a server; each is one change of rows or of partitions."""

from dataclasses import dataclass
from typing import Optional


@dataclass
class Write:
    """Insert or Upsert of new values into a partition. `keys` is None where the server makes them."""

    method: str
    partition: str
    count: int
    keys: Optional[list] = None


@dataclass
class Delete:
    """Delete by keys, in one partition or in all (None)."""

    keys: list
    partition: Optional[str] = None


@dataclass
class CreatePartition:
    """A new partition, loaded as its collection is."""

    name: str


@dataclass
class DropPartition:
    """A partition goes with all its rows; it is released before."""

    name: str


def shown(request):
    """A request for a person, its many keys left out."""
    keys = getattr(request, "keys", None) or []
    method = request.method if isinstance(request, Write) else type(request).__name__
    where = request.name if isinstance(request, (CreatePartition, DropPartition)) else request.partition
    count = len(keys) or getattr(request, "count", 1)
    return f"{method} of {count} in {where or 'all partitions'}, first keys {keys[:3]!r}"
