"""Is the oracle any good? Two servers of a kind, filled alike, must be equal; each planted difference must be found, and no other."""

import sys
import tempfile
from pathlib import Path

import grpc

from . import full_lite, full_real, raw, seeding, servers
from .oracle import compare
from .plant import DoesNotApply, catalogue, remade, shapes


def say(text):
    """Progress goes to stderr."""
    print(f"selfcheck: {text}", file=sys.stderr, flush=True)


def fill(record, kind):
    """Seed one server; answers the endpoint."""
    server = raw.Server(record["uri"])
    databases, plans = full_lite.plans() if kind == "lite" else full_real.plans(kind)
    seeding.make_all(server, databases, plans, "1")
    return server


def order_of(kind):
    """Remade collections first (they put rows back), then rows, then what surrounds them; a collection disappears last."""
    return (kind.name == "renamed", kind.name in {one.name for one in shapes.KINDS}, kind not in remade.KINDS)


def group_of(kind):
    """Of these, a collection takes one kind only; rows take any number."""
    named = next((group for group, names in shapes.GROUPS.items() if kind.name in names), None)
    return named or ("remade" if kind in remade.KINDS else "renamed" if kind.name == "renamed" else None)


def plant_somewhere(server, kind, places, taken, used):
    """Plant a kind in the first collection that takes it; None where none does."""
    group = group_of(kind)
    for place in reversed(places) if group == "remade" else places:  # the last ones are small
        if (group and (place, group) in taken) or (group == "renamed" and any(place == other for other, _ in taken)):
            continue
        if kind.name == "index_dropped" and used.get(place):  # its rows can't be read any more
            continue
        try:
            done = catalogue.plant(server, *place, kind.name, used=used.setdefault(place, set()))
        except DoesNotApply:
            continue
        except (raw.Refused, grpc.RpcError) as error:
            say(f"{kind.name} in {place}: {raw.reason_of(error)}")
            continue
        taken.add((place, group))
        return done
    return None


def plant_everywhere(server, kind):
    """Plant each kind once, where it fits."""
    planted, skipped, used, taken = [], [], {}, set()
    places = [
        (db, name) for db in server.databases() for name in server.collections(db) if not name.startswith("auto_")
    ]
    for one in sorted(catalogue.KINDS.values(), key=order_of):
        if kind in one.servers:
            done = plant_somewhere(server, one, places, taken, used)
            (planted if done else skipped).append(done or one.name)
    return planted, skipped


def matches(expected, difference):
    """Whether a found difference is the expected one."""
    return all(difference.get(name) == value for name, value in expected.items())


def judge(planted, report):
    """Which planted differences were not found, and which found ones were not planted."""
    wanted = [entry for one in planted for entry in one["expected"]]
    lost = [entry for entry in wanted if not any(matches(entry, difference) for difference in report["differences"])]
    surplus = [
        difference for difference in report["differences"] if not any(matches(entry, difference) for entry in wanted)
    ]
    return lost, surplus


def run(kind, port, folder=None):
    """The whole check; servers are ended afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(folder or temporary)
        sides = [root / "source", root / "target"]
        try:
            source, target = (fill(servers.serve(kind, side, port + 20 * at), kind) for at, side in enumerate(sides))
            before = compare.compare(source, target, keyless=["auto_*"])
            say(f"untouched: equal {before['equal']}, {before['rows']} rows")
            planted, skipped = plant_everywhere(target, kind)
            say(f"planted {len(planted)} kinds; did not fit anywhere: {skipped}")
            after = compare.compare(source, target, keyless=["auto_*"])
        finally:
            for side in sides:
                servers.stop(side)
    lost, surplus = judge(planted, after)
    good = before["equal"] and not lost and not surplus
    return {
        "kind": kind,
        "good": good,
        "rows": before["rows"],
        "before": before["differences"][:20],
        "unread": before["unread"],
        "planted": [one["planted"] for one in planted],
        "skipped": skipped,
        "not_found": lost,
        "not_planted": surplus[:50],
        "exit_code": 0 if good else 3,
    }
