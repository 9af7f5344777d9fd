"""Collections that come and go: made, filled, changed, given aliases that wander, dropped, and made again under the same name.

As with a churn, every choice follows from the seed, and what the server acknowledged is recorded: which collections there are,
which aliases they have, and what each key holds.
"""

import json
import random
import time
from collections import Counter

from ..raw import milvus
from . import check, content
from .mix import Mix
from .record import Record
from .sender import Sender
from .writer import Plan, create, fill, make_move

RECORD = "storm.json"
MOST, LEAST = 4, 1
ROWS, MOVES, AGAIN_CHANCE = (50, 400), (1, 12), 0.5
WEIGHTS = {"make": 3, "write": 10, "drop": 2, "alias": 3, "wander": 3, "forget_alias": 1}


class Storm:
    """What there is, and what may happen to it next."""

    def __init__(self, connect, db, prefix, seed):
        self._connect, self._server, self._db, self._prefix, self._seed = connect, connect(), db, prefix, seed
        self._chance = random.Random(f"{seed} storm")
        self._made, self._dropped, self._aliased = 0, [], 0
        self.there, self.aliases, self.counts = {}, {}, Counter(dict.fromkeys(WEIGHTS, 0))

    def act(self):
        """Do one thing."""
        chosen = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if len(self.there) <= LEAST and chosen == "drop" or not self.there:
            chosen = "make"
        if len(self.there) >= MOST and chosen == "make":
            chosen = "drop"
        if not self.aliases and chosen in ("wander", "forget_alias"):
            chosen = "alias"
        getattr(self, f"_{chosen}")()
        self.counts[chosen] += 1

    def _pick(self, some):
        return self._chance.choice(sorted(some))

    def _make(self):
        again = self._dropped and self._chance.random() < AGAIN_CHANCE
        name = self._dropped.pop() if again else f"{self._prefix}_{self._made}"
        keys = self._chance.choice(("Int64", "VarChar"))
        seed, self._made = f"{self._seed} {self._made}", self._made + 1
        plan = Plan(self._db, name, seed, 0, self._chance.randint(*ROWS), None, None, keys=keys, partitions=1, dim=8)
        made = content.fields(keys, False, plan.dim)
        record = Record([one.name for one in made if one.name != content.KEY] + ["$meta"])
        record.partitions = create(self._server, plan, made)
        sender = Sender(self._connect, self._db, name, content.Rows(made, seed), record)
        fill(sender, plan, record.partitions)
        self.there[name] = sender, Mix(record, seed, keys, False, True, plan.base), record

    def _write(self):
        sender, mix, _ = self.there[self._pick(self.there)]
        for _ in range(self._chance.randint(*MOVES)):
            make_move(sender, mix.next())

    def _drop(self):
        name = self._pick(self.there)
        for alias in [alias for alias, of in self.aliases.items() if of == name]:
            self._end_alias(alias)
        self._server.call("DropCollection", milvus.DropCollectionRequest(collection_name=name), self._db)
        del self.there[name]
        self._dropped.append(name)

    def _alias(self):
        alias, name = f"{self._prefix}_alias_{self._aliased}", self._pick(self.there)
        self._server.call("CreateAlias", milvus.CreateAliasRequest(collection_name=name, alias=alias), self._db)
        self._aliased += 1
        self.aliases[alias] = name

    def _wander(self):
        alias, name = self._pick(self.aliases), self._pick(self.there)
        self._server.call("AlterAlias", milvus.AlterAliasRequest(collection_name=name, alias=alias), self._db)
        self.aliases[alias] = name

    def _forget_alias(self):
        self._end_alias(self._pick(self.aliases))

    def _end_alias(self, alias):
        self._server.call("DropAlias", milvus.DropAliasRequest(alias=alias), self._db)
        del self.aliases[alias]

    def save(self, folder):
        """Leave the records: one of what there is, and one of each collection's rows."""
        folder.mkdir(parents=True)
        for name, (_, _, record) in self.there.items():
            record.save(folder / name)
        told = {"db": self._db, "prefix": self._prefix, "collections": sorted(self.there), "aliases": self.aliases}
        (folder / RECORD).write_text(json.dumps(told))


def run(connect, flags, ready, rests):
    """One thing after another, `every` seconds apart at least, until the stop file is there; answers what was done."""
    storm = Storm(connect, flags.db, flags.prefix, flags.seed)
    storm.act()
    ready()
    while not flags.stop_file.exists():
        storm.act()
        time.sleep(flags.every)
    rests(time.time_ns() // 1_000_000)
    storm.save(flags.record)
    return {"acts": dict(storm.counts), "collections": sorted(storm.there), "record": str(flags.record)}


def judge(server, folder):
    """The verdict on a server that should hold what a storm left; exit code 0 if equal, 3 if not."""
    told = json.loads((folder / RECORD).read_text())
    db, wanted = told["db"], told["collections"]
    there = [name for name in server.collections(db) if name.startswith(f"{told['prefix']}_")]
    aliases = {alias: name for name in there for alias in server.aliases(db, name)}
    verdicts = {name: check.check(server, db, name, folder / name) for name in wanted if name in there}
    equal = there == wanted and aliases == told["aliases"] and all(one["equal"] for one in verdicts.values())
    return {
        "equal": equal,
        "collections": {"wanted": wanted, "there": there},
        "aliases": {"wanted": told["aliases"], "there": aliases},
        "rows": sum(one["rows"] for one in verdicts.values()),
        "differing": {name: one for name, one in verdicts.items() if not one["equal"]},
        "exit_code": 0 if equal else 3,
    }
