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

PYTHON_SIDE = Path(__file__).resolve().parents[1] / "python"
REPOSITORY = Path(__file__).resolve().parents[2]
TESTBED = Path(os.environ.get("TESTBED_HOME") or REPOSITORY / "target" / "testbed")
START_SECONDS, STOP_SECONDS = 30, 15
PORTS, BLOCK = range(20000, 31980, 20), 20


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


def begun(*words, **more):
    """A command of the Python side of the tests, under way. Its signals come from here, not from the terminal."""
    process = subprocess.Popen(
        [str(word) for word in (TESTBED / "venv" / "bin" / "python", "-m", "testbed", *words)],
        env={**os.environ, "PYTHONPATH": str(PYTHON_SIDE), "TESTBED_HOME": str(TESTBED)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )
    processes.end_with(os.getpid(), process.pid)
    return process


def answer(process):
    """What such a command answers in the end."""
    try:
        out = process.communicate()[0]
    except BaseException:
        stop(process)
        raise
    if not out:
        raise Failed(f"testbed {process.args[3]} ended with exit code {process.returncode}")
    return json.loads(out.splitlines()[-1])


def testbed(*words):
    """A command of the Python side of the tests; what it answered."""
    return answer(begun(*words))


def free_port():
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bound(port):
    """A socket that holds a port; None where it is in use."""
    holder = socket.socket()
    try:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        return holder
    except OSError:
        holder.close()
        return None


@contextlib.contextmanager
def ports():
    """The first of a block of free ports. The last one is held meanwhile: by that, other runs know."""
    for first in PORTS:
        held = bound(first + BLOCK - 1)
        if held is None:
            continue
        with held:
            probes = [bound(port) for port in range(first, first + BLOCK - 1)]
            for probe in filter(None, probes):
                probe.close()
            if all(probes):
                yield first
                return
    raise Failed(f"no {BLOCK} free ports in a row from {PORTS.start} on")


@contextlib.contextmanager
def servers(kind, folders):
    """A Milvus in each folder, all started and stopped at once; the address of each, by the folder's key."""
    with contextlib.ExitStack() as stack:
        flags = {key: ("--dir", folder, "--port", stack.enter_context(ports())) for key, folder in folders.items()}
        asked = []
        try:
            asked += [begun("serve", "--kind", kind, "--die-with", os.getpid(), *words) for words in flags.values()]
            yield {key: answer(process)["uri"] for key, process in zip(flags, asked)}
        finally:
            for process in asked:
                stop(process)
            for ending in [begun("stop", "--dir", folder) for folder in folders.values()]:
                answer(ending)


class Agent:
    """One agent and its folder."""

    def __init__(self, side, program, folder):
        self.side, self.program, self.folder = side, program, folder
        self.config, self.log = folder / "agent.yaml", folder / "agent.log"
        folder.mkdir()

    def configure(self, settings):
        """Write its configuration. JSON is YAML, too."""
        self.config.write_text(json.dumps(settings, indent=2) + "\n")

    def words(self, *words):
        """The command line of a command to the running agent."""
        return [str(word) for word in (self.program, *words, "--config", self.config)]

    def tell(self, *words, **more):
        """A command to the running agent, on the demo's terminal."""
        return subprocess.run(self.words(*words), text=True, **more)

    def told(self, *words):
        """What such a command answers to a program; None where it refuses."""
        done = self.tell(*words, "--output", "json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None


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
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
