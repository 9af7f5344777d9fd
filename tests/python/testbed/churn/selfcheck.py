"""Is the check any good? What was churned is equal to its record; each planted difference is found, and no other.

The states that a request without an answer leaves are tried on a record alone: no server has to die for that.
"""

import sys
import tempfile
from pathlib import Path

from .. import raw, servers
from ..plant import catalogue
from . import check, writer
from .record import GONE, Record

FOUND_AS = {
    "row_missing": "lost",
    "row_extra": "extra",
    "row_duplicated": "duplicated",
    "row_partition": "misplaced",
    "value": "differing",
}
PLANTED = (
    "row_missing",
    "row_extra",
    "row_duplicated",
    "row_partition",
    "float_vector_bit",
    "int64_off_by_one",
    "text_case",
    "json_value",
    "json_key_order",
    "dynamic_value",
)


def say(text):
    """Progress goes to stderr."""
    print(f"churn-selfcheck: {text}", file=sys.stderr, flush=True)


def wrong_rules(folder):
    """Which rules of what is allowed do not hold; none, it is hoped."""
    record = Record(["v"])
    old, new, moved, third = (record.state(place, bytes([byte]) * 32) for place, byte in zip("ppqp", (1, 2, 2, 3)))
    for key in ("unsure", "settled", "deleted?", "dropped"):
        record.put(key, old, True)
    record.put("unsure", new, False)
    record.put("settled", new, False)
    record.put("settled", third, True)
    record.take("deleted?", None, False)
    record.put("new?", old, False)
    record.put("elsewhere", moved, True)
    record.take("elsewhere", "p", True)
    record.put_unknown(old)
    record.save(folder / "rules")
    cases = [
        ("unsure", [old], []),
        ("unsure", [new], []),
        ("unsure", [third], ["differing"]),
        ("unsure", [], ["lost"]),
        ("unsure", [moved], ["misplaced"]),
        ("unsure", [old, new], ["duplicated"]),
        ("settled", [third], []),
        ("settled", [old], ["differing"]),
        ("settled", [new], ["differing"]),
        ("deleted?", [], []),
        ("deleted?", [old], []),
        ("deleted?", [new], ["differing"]),
        ("new?", [], []),
        ("new?", [old], []),
        ("elsewhere", [moved], []),
        ("elsewhere", [], ["lost"]),
        ("server-made", [old], []),
        ("server-made", [new], ["extra"]),
    ]
    wrong = []
    for made in (record, Record.load(folder / "rules")):
        for key, states, expected in cases:
            kinds = [kind for kind, _ in check.judge(made, key, states, made.unknown.copy())]
            wrong += [] if kinds == expected else [[key, len(states), expected, kinds]]
    twice = check.judge_all(record, {"one": [old], "other": [old]})[0]["extra"]
    record.partitions = ["p", "q"]
    record.drop_partition("p")
    left = [key for key in record.keys if record.states(key) != (GONE,)]
    return wrong + ([] if (twice, left) == (1, ["elsewhere"]) else [["unknown twice, drop", twice, left]])


def churned(server, kind, keys, folder):
    """A collection, its record beside it; answers its name.

    Milvus Lite gets the base rows only: its Upsert mixes old dynamic fields into the new ones, and a flushed row that is
    deleted and inserted into another partition is in both. The check would rightly find that.
    """
    plan = writer.Plan(
        "default",
        f"churned_{keys}".lower(),
        seed=7,
        rate=500,
        base=1000,
        record=folder / keys,
        stop_file=folder / "never",
        seconds=0 if kind == "lite" else 3,
        keys=keys,
        partitions=3,
    )
    done = writer.run(lambda: server, plan, lambda: None)
    say(f"{plan.collection}: {done['changes']} changes")
    return plan.collection


def plant(server, kind, name, file):
    """Plant every difference; answers what must be found, as (what, key)."""
    used, wanted = set(), set()
    for one in (one for one in PLANTED if kind in catalogue.KINDS[one].servers):
        for entry in catalogue.plant(server, "default", name, one, used=used)["expected"]:
            wanted.add((FOUND_AS[entry["kind"]], entry["key"]))
    server.create_partition("default", name, "planted")
    record = Record.load(file)
    record.partitions.append("forgotten")
    record.save(file)
    return wanted


def judge_planted(server, kind, name, file):
    """What is wrong with the check on one collection."""
    before = check.check(server, "default", name, file)
    wanted = plant(server, kind, name, file)
    after = check.check(server, "default", name, file)
    got = {(example["what"], example["key"]) for example in after["examples"]}
    counts = sum(after[what] for what in check.KINDS)
    partitions = (after["partitions_missing"], after["partitions_extra"]) == (["forgotten"], ["planted"])
    good = before["equal"] and not after["equal"] and got == wanted and counts == len(wanted) and partitions
    return {
        "collection": name,
        "good": good,
        "before": before["examples"],
        "not_found": sorted(map(list, wanted - got)),
        "not_planted": sorted(map(list, got - wanted)),
        "found": len(got & wanted),
        "partitions": partitions,
    }


def run(kind, port):
    """The whole self-check; the server is ended afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rules = wrong_rules(folder)
        say(f"rules that do not hold: {rules}")
        try:
            server = raw.Server(servers.serve(kind, folder / "server", port)["uri"])
            names = {keys: churned(server, kind, keys, folder) for keys in ("Int64", "VarChar")}
            collections = [judge_planted(server, kind, name, folder / keys) for keys, name in names.items()]
        finally:
            servers.stop(folder / "server")
    good = not rules and all(one["good"] for one in collections)
    return {"kind": kind, "good": good, "rules": rules, "collections": collections, "exit_code": 0 if good else 3}
