"""Where a real server keeps its files: on its own disk, or in a bucket.

No S3 can be had here: what stands in is moto, a mock that speaks its protocol, in a process of its own. Its objects are in memory, so that
process outlives a kill of the server, and ends with the server's stop.
"""

import os
import socket
import time
from pathlib import Path

from . import places, processes, settings

LOCAL, S3 = KINDS = ("local", "s3")
MOCK = "s3"
KEY = "test"
PATIENCE_SECONDS = 30


def provide(storage, root, port, die_with):
    """What a server is told of its storage, and the bucket's host and port where it has one."""
    if storage == LOCAL:
        return {"keys": {}, "address": None}
    at = port + settings.BUCKET
    mock(root, at, die_with)
    keys = {"address": "127.0.0.1", "port": at, "accessKeyID": KEY, "secretAccessKey": KEY, "useSSL": "false"}
    told = {f"minio.{key}": value for key, value in keys.items()}
    return {"keys": {"common.storageType": "minio", **told}, "address": f"127.0.0.1:{at}"}


def mock(root, port, die_with):
    """The folder's mock of S3, started if it does not run."""
    folder = Path(root) / MOCK
    folder.mkdir(exist_ok=True)
    if processes.read_record(folder):
        return
    command = [places.mock_of_s3(), "-H", "127.0.0.1", "-p", port]
    process = processes.spawn(command, folder, {"PATH": os.defpath, "HOME": str(folder)}, folder / "out.log")
    processes.write_record(folder, process.pid)
    if die_with:
        processes.end_with(die_with, process.pid)
    until = time.monotonic() + PATIENCE_SECONDS
    while not answers(port):
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"testbed: the mock of S3 does not start: see {folder}/out.log")
        time.sleep(0.1)


def answers(port):
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(root):
    """End the folder's mock of S3, if there is one."""
    record = processes.read_record(Path(root) / MOCK)
    if record:
        processes.end(record["pid"], record["ticks"], patience_seconds=3)
