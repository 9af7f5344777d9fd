"""Commands and their flags. Each command is a function of the parsed flags and answers with something for JSON."""

import argparse
import json

from . import buckets, places, processes, queues, servers
from .churn import commands as churn
from .endpoint import add_collection, add_endpoint, connect


def serve(flags):
    """Start a server in the background and wait until it is ready."""
    tls = None
    if flags.tls_mode:
        tls = {
            "mode": flags.tls_mode,
            "cert": flags.tls_cert,
            "key": flags.tls_key,
            "ca": flags.tls_ca,
            "client_cert": flags.tls_client_cert,
            "client_key": flags.tls_client_key,
            "server_name": flags.tls_server_name,
        }
    extra = dict(entry.split("=", 1) for entry in flags.set)
    record = servers.serve(flags.kind, flags.dir, flags.port, flags.auth, tls, extra, flags.die_with, flags.mq, flags.storage)
    return {key: record[key] for key in ("pid", "uri", "dir", "kind", "queue", "bucket")}


def stop(flags):
    """End a server by its folder."""
    return servers.stop(flags.dir)


def status(flags):
    """The server of a folder, or null."""
    return processes.read_record(flags.dir)


def add_serve(commands):
    """Flags of serve."""
    parser = commands.add_parser("serve", help=serve.__doc__)
    parser.set_defaults(run=serve)
    parser.add_argument("--kind", required=True, choices=places.KINDS)
    parser.add_argument("--dir", required=True, help="the server's folder; data survive in it")
    parser.add_argument("--port", required=True, type=int, help="first of a block of 20 ports; gRPC is on this one")
    parser.add_argument("--auth", action="store_true", help="users and rights on; root's password is Milvus")
    parser.add_argument("--mq", choices=queues.KINDS, default=queues.ROCKSMQ, help="where 2.3.5 keeps its log")
    parser.add_argument("--storage", choices=buckets.KINDS, default=buckets.LOCAL, help="where a real server keeps its files")
    parser.add_argument("--tls-mode", type=int, choices=(1, 2), help="1: server certificate, 2: client certificate too")
    for name in ("cert", "key", "ca", "client-cert", "client-key", "server-name"):
        parser.add_argument(f"--tls-{name}")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key of milvus.yaml, with dots"
    )
    parser.add_argument("--die-with", type=int, metavar="PID", help="end the server when that process is gone")


def add_folder_commands(commands):
    """Flags of stop and status."""
    for run in (stop, status):
        parser = commands.add_parser(run.__name__, help=run.__doc__)
        parser.set_defaults(run=run)
        parser.add_argument("--dir", required=True)


def kind_of(server):
    """Which of the kinds that we serve a server is."""
    return "lite" if server.is_lite() else "2.2.16" if "2.2." in server.version() else "2.3.5"


def seed(flags):
    """Fill a server by a program: full (every type and attribute it holds) or demo (a realistic sample)."""
    from . import demo, full_lite, full_real, seeding

    server = connect(flags)
    version = server.version()
    if flags.program == "demo":
        return {"version": version, **demo.fill(server)}
    kind = kind_of(server)
    databases, plans = full_lite.plans() if kind == "lite" else full_real.plans(kind)
    chosen = [plan for plan in plans if not flags.collection or plan.name in flags.collection]
    return {"version": version, **seeding.make_all(server, databases, chosen, flags.seed)}


def add_seed(commands):
    """Flags of seed."""
    parser = commands.add_parser("seed", help=seed.__doc__)
    parser.set_defaults(run=seed)
    parser.add_argument("program", choices=("full", "demo"))
    add_endpoint(parser)
    parser.add_argument("--collection", action="append", default=[], help="only these of the program's collections")
    parser.add_argument("--seed", default="1")


def bulk(flags):
    """Make one large collection, indexed and loaded."""
    from . import bulk as program

    keys = {"int64": "Int64", "varchar": "VarChar"}[flags.keys]
    return program.seed(
        connect(flags),
        flags.db,
        flags.collection,
        flags.rows,
        flags.dim,
        flags.text,
        flags.json,
        keys,
        flags.partitions,
        flags.shards,
        flags.index,
        flags.seed,
    )


def add_bulk(commands):
    """Flags of bulk."""
    parser = commands.add_parser("bulk", help=bulk.__doc__)
    parser.set_defaults(run=bulk)
    add_collection(parser)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--text", action="store_true", help="a VarChar column of English text")
    parser.add_argument("--json", action="store_true", help="a JSON column")
    parser.add_argument("--keys", choices=("int64", "varchar"), default="int64")
    parser.add_argument("--partitions", type=int, default=0, help="explicit partitions; 0: only the default one")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--index", default="FLAT", help="index type of the vectors")
    parser.add_argument("--seed", type=int, default=1)


def compact(flags):
    """Compact a collection, and wait until it is done."""
    from . import compaction

    return compaction.force(connect(flags), flags.db, flags.collection)


def add_compact(commands):
    """Flags of compact."""
    parser = commands.add_parser("compact", help=compact.__doc__)
    parser.set_defaults(run=compact)
    add_collection(parser)


def import_rows(flags):
    """Import rows of new keys into a collection that bulk made, and wait until that is completed."""
    from . import imports

    return imports.carry_out(connect(flags), flags.db, flags.collection, flags.first, flags.rows, flags.folder)


def add_import(commands):
    """Flags of import."""
    parser = commands.add_parser("import", help=import_rows.__doc__)
    parser.set_defaults(run=import_rows)
    add_collection(parser)
    parser.add_argument("--first", type=int, required=True, help="the first key")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--folder", required=True, help="where the file is put, which the server must be able to read")


def group(flags):
    """Make files of several fields, as Milvus 2.6 writes them, of a collection's files."""
    from . import grouped

    return grouped.make(flags.source, flags.target, flags.collection, flags.key, flags.every)


def add_group(commands):
    """Flags of group."""
    parser = commands.add_parser("group", help=group.__doc__)
    parser.set_defaults(run=group)
    parser.add_argument("--source", required=True, help="the folder with the server's insert_log and delta_log")
    parser.add_argument("--target", required=True, help="where such folders are made")
    parser.add_argument("--collection", required=True, help="the collection's id")
    parser.add_argument("--key", type=int, required=True, help="the id of the primary key's field")
    parser.add_argument("--every", type=int, default=1, help="of so many segments one is made so; the others are copied as they are")


def ungroup(flags):
    """Make files of one field each of shipped files of several, for a server that imports no others."""
    from . import grouped

    return grouped.undo(connect(flags), flags.db, flags.collection, flags.source, flags.target)


def add_ungroup(commands):
    """Flags of ungroup."""
    parser = commands.add_parser("ungroup", help=ungroup.__doc__)
    parser.set_defaults(run=ungroup)
    add_collection(parser)
    parser.add_argument("--source", required=True, help="the folder of segments with files of several fields")
    parser.add_argument("--target", required=True, help="where a folder of such segments is made")


def oracle(flags):
    """Compare a target with a source, by content; exit code 0 if equal, 3 if not."""
    from .oracle import compare

    renames = dict(entry.split("=", 1) for entry in flags.rename)
    return compare.compare(
        connect(flags, "source_"),
        connect(flags, "target_"),
        flags.collection,
        renames,
        flags.ignore,
        flags.keyless,
        flags.limit,
        flags.exclude,
    )


def add_oracle(commands):
    """Flags of oracle."""
    parser = commands.add_parser("oracle", help=oracle.__doc__)
    parser.set_defaults(run=oracle)
    add_endpoint(parser, "source-")
    add_endpoint(parser, "target-")
    parser.add_argument(
        "--collection", action="append", default=[], help="pattern of source names, db.collection; default: all"
    )
    parser.add_argument("--exclude", action="append", default=[], help="pattern of source names that are left out")
    parser.add_argument(
        "--rename", action="append", default=[], metavar="SOURCE=TARGET", help="db.name=db.name or db.*=db.*"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], help="kind, kind:aspect (wildcards), or the preset lite"
    )
    parser.add_argument(
        "--keyless", action="append", default=[], help="pattern: rows are compared without their (regenerated) keys"
    )
    parser.add_argument("--limit", type=int, default=1000, help="differences to list; all are counted")


def plant(flags):
    """Plant a difference and tell what must be found; exit code 4 where it does not fit. Or list the kinds."""
    from .oracle.compare import split_name
    from .plant import catalogue

    if flags.list:
        return catalogue.listing()
    if flags.everywhere:
        return plant_everywhere(connect(flags))
    if not (flags.uri and flags.collection and flags.kind):
        raise SystemExit("testbed: plant needs --kind, --uri and --collection, or --list")
    return catalogue.plant_or_say(connect(flags), *split_name(flags.collection), flags.kind, flags.seed)


def plant_everywhere(server):
    """Plant each kind that this server's collections can hold, once."""
    from . import selfcheck as program

    planted, skipped = program.plant_everywhere(server, kind_of(server))
    return {"planted": planted, "skipped": skipped}


def add_plant(commands):
    """Flags of plant."""
    parser = commands.add_parser("plant", help=plant.__doc__)
    parser.set_defaults(run=plant)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--everywhere", action="store_true", help="each kind once, where it fits; needs --uri only")
    parser.add_argument("--kind")
    add_endpoint(parser, required=False)
    parser.add_argument("--collection", help="db.collection")
    parser.add_argument("--seed", default="1", help="chooses the row")


def selfcheck(flags):
    """Test the oracle itself: equal servers are equal, and each planted difference is found."""
    from . import selfcheck as program

    return program.run(flags.kind, flags.port, flags.dir)


def add_selfcheck(commands):
    """Flags of selfcheck."""
    parser = commands.add_parser("selfcheck", help=selfcheck.__doc__)
    parser.set_defaults(run=selfcheck)
    parser.add_argument("--kind", required=True, choices=places.KINDS)
    parser.add_argument("--port", type=int, default=20900, help="first of 40 ports")
    parser.add_argument("--dir", help="keep the servers' folders here")


def main():
    """Parse, run, print. The exit code is 0 unless the answer says otherwise."""
    parser = argparse.ArgumentParser(prog="testbed", description="Real Milvus servers, seeds, faults and an oracle.")
    commands = parser.add_subparsers(required=True, metavar="command")
    add_serve(commands)
    add_folder_commands(commands)
    add_seed(commands)
    add_bulk(commands)
    add_compact(commands)
    add_group(commands)
    add_ungroup(commands)
    add_import(commands)
    add_oracle(commands)
    add_plant(commands)
    add_selfcheck(commands)
    churn.add_all(commands)
    flags = parser.parse_args()
    answer = flags.run(flags)
    print(json.dumps(answer, ensure_ascii=False))
    return answer.get("exit_code", 0) if isinstance(answer, dict) else 0
