"""The commands churn and storm, their checks, and their flags."""

import json
from pathlib import Path

from ..endpoint import add_collection, add_endpoint, connect


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
    try:
        return writer.run(lambda: connect(flags), plan, tell_ready, tell_rest)
    except sender.Failed as why:
        raise SystemExit(f"testbed churn: {why}") from why


def tell_ready():
    """Changes begin."""
    print(json.dumps({"ready": True}), flush=True)


def tell_rest(last_ack_unix_ms):
    """Nothing more is written."""
    print(json.dumps({"rests": True, "last_ack_unix_ms": last_ack_unix_ms}), flush=True)


def churn_check(flags):
    """Hold a collection against the record of a churn; exit code 0 if equal, 3 if not."""
    from . import check

    return check.check(connect(flags), flags.db, flags.collection, flags.record)


def storm(flags):
    """Make, fill, name and drop collections until told to stop, and record what was acknowledged."""
    from . import sender
    from . import storm as storms

    try:
        return storms.run(lambda: connect(flags), flags, tell_ready, tell_rest)
    except sender.Failed as why:
        raise SystemExit(f"testbed storm: {why}") from why


def storm_check(flags):
    """Hold a server against the record of a storm; exit code 0 if equal, 3 if not."""
    from . import storm as storms

    return storms.judge(connect(flags), flags.record)


def churn_selfcheck(flags):
    """Test the check itself: what was churned is equal, and each planted difference is found."""
    from . import selfcheck

    return selfcheck.run(flags.kind, flags.port)


def add_place(parser):
    """Flags that name a collection and its record."""
    add_collection(parser)
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
    parser = commands.add_parser("storm", help=storm.__doc__)
    parser.set_defaults(run=storm)
    add_endpoint(parser)
    parser.add_argument("--db", default="default")
    parser.add_argument("--prefix", required=True, help="what the names of its collections and aliases begin with")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two acts, at least")
    parser.add_argument("--record", required=True, type=Path, metavar="FOLDER", help="what was acknowledged")
    parser.add_argument("--stop-file", required=True, type=Path, metavar="FILE", help="ends it once it exists")
    parser = commands.add_parser("storm-check", help=storm_check.__doc__)
    parser.set_defaults(run=storm_check)
    add_endpoint(parser)
    parser.add_argument("--record", required=True, type=Path, metavar="FOLDER")
    parser = commands.add_parser("churn-selfcheck", help=churn_selfcheck.__doc__)
    parser.set_defaults(run=churn_selfcheck)
    parser.add_argument("--kind", required=True, choices=("2.3.5", "lite"))
    parser.add_argument("--port", type=int, default=20900, help="first of 20 ports")
