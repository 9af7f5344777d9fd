"""Processes that outlive the command that started them, and are ended by their own identity.

A pid alone is not an identity: it may be used again. A record also holds the process's start time in
clock ticks since boot, so nothing is ever signalled that we did not start. Linux only where it matters;
elsewhere the start time is unknown and only the pid is compared.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

RECORD = "server.json"


def start_ticks(pid):
    """When a live process started; None for one that is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] in "ZX" else int(after_name[19])


def alive(pid, ticks):
    """Whether exactly that process still runs."""
    if Path("/proc/self/stat").exists():
        return start_ticks(pid) == ticks
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def write_record(folder, pid, **facts):
    """Leave the identity of a server in its folder."""
    record = dict(pid=pid, ticks=start_ticks(pid), **facts)
    part = Path(folder) / (RECORD + ".part")
    part.write_text(json.dumps(record))
    part.replace(Path(folder) / RECORD)
    return record


def read_record(folder):
    """The record of a folder's server if it runs, else None."""
    try:
        record = json.loads((Path(folder) / RECORD).read_text())
    except FileNotFoundError:
        return None
    return record if alive(record["pid"], record["ticks"]) else None


def end(pid, ticks, patience_seconds):
    """SIGTERM, then SIGKILL when patience is over. Says which of them did it."""
    for name, seconds in (("SIGTERM", patience_seconds), ("SIGKILL", 10)):
        if not alive(pid, ticks):
            return "gone"
        os.kill(pid, getattr(signal, name))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not alive(pid, ticks):
                return name
            time.sleep(0.05)
    raise SystemExit(f"testbed: process {pid} does not end, not even by SIGKILL")


def spawn(command, folder, environment, log):
    """Start in its own session, output appended to a log file; returns the Popen."""
    with open(log, "ab") as out:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end_with(owner, pid):
    """Leave a small watcher behind that ends `pid` when `owner` is gone. It costs no CPU."""
    command = [sys.executable, "-m", "testbed.processes", owner, start_ticks(owner) or 0, pid, start_ticks(pid)]
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parents[1]))
    spawn(command, "/", environment, os.devnull)


def watch(owner, owner_ticks, pid, ticks):
    """Wait until either process is gone; end the second one if it was the first that went."""
    poll = select.poll()
    for watched, since in ((owner, owner_ticks), (pid, ticks)):
        try:
            handle = os.pidfd_open(watched)
        except ProcessLookupError:
            continue
        if start_ticks(watched) == since:
            poll.register(handle, select.POLLIN)
    while alive(owner, owner_ticks) and alive(pid, ticks):
        poll.poll(60_000)
    end(pid, ticks, patience_seconds=3)


if __name__ == "__main__":
    watch(*map(int, sys.argv[1:]))
