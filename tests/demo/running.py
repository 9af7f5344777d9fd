"""Processes of the demo: run to their end, or started and stopped."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from testbed import processes  # noqa: E402: it lies beside us, and needs the standard library only

START_SECONDS, STOP_SECONDS = 30, 15


class Failed(Exception):
    """The demo can't go on; the text says why."""


def run(*words, **more):
    """A command whose output is the demo's own."""
    shown = " ".join(map(str, words))
    try:
        code = subprocess.run([str(word) for word in words], **more).returncode
    except FileNotFoundError as error:
        raise Failed(f"{shown}: {error.strerror}") from error
    if code != 0:
        raise Failed(f"{shown}: exit code {code}")


def free_port():
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Agent:
    """One agent and its folder."""

    def __init__(self, side, program, folder):
        self.side, self.program, self.folder = side, program, folder
        self.config, self.log = folder / "agent.yaml", folder / "agent.log"
        folder.mkdir()

    def configure(self, settings):
        """Write its configuration. JSON is YAML, too."""
        self.config.write_text(json.dumps(settings, indent=2) + "\n")

    def tell(self, *words, **more):
        """A command to the running agent, on the demo's terminal."""
        return subprocess.run([str(word) for word in (self.program, *words, "--config", self.config)], text=True, **more)


def wait_until_ready(agent, process, notified):
    """Until the agent says, as it says to systemd, that it is ready."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        ready, _, _ = select.select([notified], [], [], 0.1)
        if ready and b"READY=1" in notified.recv(4096).split(b"\n"):
            return
    how = "is not ready" if process.poll() is None else f"ended with exit code {process.returncode}"
    tail = agent.log.read_text(errors="replace")[-1500:]
    raise Failed(f"agent-{agent.side} {how}; end of {agent.log}:\n{tail}")


@contextlib.contextmanager
def started(agent):
    """The agent runs within this. Its signals come from here, not from the terminal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified, open(agent.log, "ab") as log:
        notified.bind(str(agent.folder / "notify.sock"))
        process = subprocess.Popen(
            [str(agent.program), "serve", "--config", str(agent.config)],
            env={**os.environ, "NOTIFY_SOCKET": str(agent.folder / "notify.sock")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        processes.end_with(os.getpid(), process.pid)
        try:
            wait_until_ready(agent, process, notified)
            yield
        finally:
            stop(process)


def stop(process):
    """Ask, then insist."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
