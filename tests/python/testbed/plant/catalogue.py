"""All kinds by name, and the planting of one."""

from . import DoesNotApply, remade, rows, shapes, values
from .place import Place

KINDS = {kind.name: kind for kind in rows.KINDS + values.KINDS + shapes.KINDS + remade.KINDS}


def listing():
    """What there is, for programs."""
    return [
        {"kind": kind.name, "what": kind.what, "needs": kind.needs, "servers": kind.servers} for kind in KINDS.values()
    ]


def plant(server, db, name, kind, seed=1, used=None):
    """Plant one kind; raises DoesNotApply where it does not fit."""
    expected = KINDS[kind].plant(Place(server, db, name, f"{seed} {kind}", used))
    full = name if db == "default" else f"{db}.{name}"
    return {"planted": kind, "collection": full, "expected": [{"collection": full, **entry} for entry in expected]}


def plant_or_say(server, db, name, kind, seed):
    """For the command line: exit code 4 where it does not fit."""
    try:
        return plant(server, db, name, kind, seed)
    except DoesNotApply as why:
        return {"planted": None, "why": str(why), "exit_code": 4}
