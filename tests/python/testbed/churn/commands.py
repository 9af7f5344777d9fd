"""The commands churn and churn-check, and their flags."""

import json
from pathlib import Path

from ..endpoint import add_endpoint, connect


def churn(flags):
    """Make a collection, then change it at a steady rate until told to stop, and record what was acknowledged."""
    from . import sender, writer

    plan = writer.Plan(
        flags.db,
        flags.collection,
        flags.seed,
        flags.rate,
        flags.base,
        flags.record,
        flags.stop_file,
        flags.seconds,
        {"int": "Int64", "varchar": "VarChar"}[flags.keys],
        flags.auto_id,
        flags.partitions,
        flags.dim,
        flags.partition_changes,
    )
    tell = lambda **facts: print(json.dumps(facts), flush=True)
    ready = lambda: tell(ready=True, rows=plan.base)
    rests = lambda last_ack_unix_ms: tell(rests=True, last_ack_unix_ms=last_ack_unix_ms)
    try:
        return writer.run(lambda: connect(flags), plan, ready, rests)
    except sender.Failed as why:
        raise SystemExit(f"testbed churn: {why}") from why


def churn_check(flags):
    """Hold a collection against the record of a churn; exit code 0 if equal, 3 if not."""
    from . import check

    return check.check(connect(flags), flags.db, flags.collection, flags.record)


def churn_selfcheck(flags):
    """Test the check itself: what was churned is equal, and each planted difference is found."""
    from . import selfcheck

    return selfcheck.run(flags.kind, flags.port)


def add_place(parser):
    """Flags that name a collection and its record."""
    add_endpoint(parser)
    parser.add_argument("--db", default="default")
    parser.add_argument("--collection", required=True)
    parser.add_argument("--record", required=True, type=Path, metavar="FILE", help="what was acknowledged")


def add_all(commands):
    """Flags of the commands."""
    parser = commands.add_parser("churn", help=churn.__doc__)
    parser.set_defaults(run=churn)
    add_place(parser)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="rows written and keys deleted, per second")
    parser.add_argument("--base", type=int, required=True, help="rows before the changes begin")
    parser.add_argument("--stop-file", required=True, type=Path, metavar="FILE", help="ends the changes once it exists")
    parser.add_argument("--seconds", type=float, help="ends them after this time")
    parser.add_argument("--keys", choices=("int", "varchar"), default="int")
    parser.add_argument("--auto-id", action="store_true", help="the server makes the keys")
    parser.add_argument("--partitions", type=int, default=0, help="partitions beside the default one")
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--no-partition-changes", dest="partition_changes", action="store_false")
    parser = commands.add_parser("churn-check", help=churn_check.__doc__)
    parser.set_defaults(run=churn_check)
    add_place(parser)
    parser = commands.add_parser("churn-selfcheck", help=churn_selfcheck.__doc__)
    parser.set_defaults(run=churn_selfcheck)
    parser.add_argument("--kind", required=True, choices=("2.3.5", "lite"))
    parser.add_argument("--port", type=int, default=20900, help="first of 20 ports")
