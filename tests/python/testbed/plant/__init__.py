"""Planted differences: each has a name, says where it fits, changes one thing on a target, and tells what must be found."""

from dataclasses import dataclass
from typing import Callable

REAL, LITE = ("2.3.5", "2.2.16"), ("lite",)
ANYWHERE = REAL + LITE


class DoesNotApply(Exception):
    """The collection or the server has nothing that this kind could change."""


@dataclass
class Kind:
    """A kind of planted difference. `plant(place)` answers the differences that must be found; none for a harmless change."""

    name: str
    what: str
    plant: Callable
    needs: str = "any collection"
    servers: tuple = ANYWHERE


def found(kind, key=None, field=None, aspect=None):
    """One difference that must be found, in the oracle's words."""
    entry = {"kind": kind, "key": key, "field": field, "aspect": aspect}
    return {name: value for name, value in entry.items() if value is not None}
