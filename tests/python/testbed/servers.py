"""Start, find and stop one server of any kind. Data survive in its folder; kill -9 and start again is fine."""

import os
from pathlib import Path

from . import buckets, places, processes, queues, ready, settings

ATTEMPTS = 3
STOP_PATIENCE_SECONDS = 8


def command_for(kind, root, port, auth, tls, extra, own):
    """The command line and environment of a server."""
    if kind == "lite":
        if auth or tls or extra or own:
            raise SystemExit("testbed: Milvus Lite has no users, no TLS, no message queue, no bucket and no settings")
        command = [
            places.python(),
            "-m",
            "milvus_lite",
            "server",
            "--data-dir",
            root / "data",
            "--host",
            "127.0.0.1",
            "--port",
            port,
        ]
        return command, {"PATH": os.defpath, "HOME": str(root)}
    settings.write_files(kind, root, port)
    values = settings.keys(root, port, auth, tls)
    values.update(own)
    values.update(extra)
    return [places.distribution(kind) / "bin" / "milvus", "run", "standalone"], settings.environment(
        kind, root, port, values
    )


def serve(kind, folder, port, auth=False, tls=None, extra=None, die_with=None, mq=queues.ROCKSMQ, storage=buckets.LOCAL):
    """Start a server and wait until it serves calls; returns its record. A running one is left as it is."""
    root = Path(folder).resolve()
    root.mkdir(parents=True, exist_ok=True)
    running = processes.read_record(root)
    if running:
        return running
    queue = queues.provide(mq, kind, root, port, die_with)
    bucket = buckets.provide(storage, root, port, die_with)
    own = {**queue["keys"], **bucket["keys"]}
    command, environment = command_for(kind, root, port, auth, tls, extra or {}, own)
    health_port = None if kind == "lite" else port + settings.HEALTH
    uri = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    for _ in range(ATTEMPTS):  # a first start can fail: the embedded etcd changes its leader
        process = processes.spawn(command, root, environment, root / "out.log")
        record = processes.write_record(
            root,
            process.pid,
            kind=kind,
            uri=uri,
            port=port,
            dir=str(root),
            queue=queue["address"],
            bucket=bucket["address"],
        )
        if die_with:
            processes.end_with(die_with, process.pid)
        if ready.wait(process, port, health_port, tls):
            return record
        processes.end(record["pid"], record["ticks"], patience_seconds=3)
        process.wait()
    tail = (root / "out.log").read_bytes()[-2000:].decode(errors="replace")
    raise SystemExit(
        f"testbed: {kind} on port {port} did not become ready in {ATTEMPTS} attempts; end of {root}/out.log:\n{tail}"
    )


def stop(folder):
    """End a folder's server if it runs; says how it went."""
    root = Path(folder).resolve()
    record = processes.read_record(root)
    how = processes.end(record["pid"], record["ticks"], STOP_PATIENCE_SECONDS) if record else "gone"
    (root / processes.RECORD).unlink(missing_ok=True)
    queues.end(root)
    buckets.end(root)
    return {"dir": str(root), "ended_by": how}
