#!/usr/bin/env python3
"""A migration from beginning to end on this machine: two Milvus Lite, two agents, one verified job.

    python3 tests/demo/demo.py [--keep]

Installs Milvus Lite into target/testbed, builds the two agents, and works in target/demo, whose last contents it
replaces. Listens on loopback alone. Everything that it starts is stopped again, also on Ctrl-C and after a failure;
with --keep only on Ctrl-C. The exit code is 0 only if the target was proven to be equal to the source.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from running import Agent, Failed, free_port, run, started

REPOSITORY = Path(__file__).resolve().parents[2]
PROVISION = REPOSITORY / "tests" / "python" / "provision.py"
TESTBED = Path(os.environ.get("TESTBED_HOME") or REPOSITORY / "target" / "testbed")
BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target").resolve() / "debug"
DOMAIN = "demo.passage.test"
JOB = {"name": "demo", "collections": ["*", "shop.*"], "rename": {"shop.*": "globex_shop.*"}, "unloaded": "load"}
DIFFERS, INTERRUPTED = 3, 130


class Steps:
    """Headings, each with the time that the step before took."""

    def __init__(self):
        self.number, self.since = 0, time.monotonic()

    def next(self, text):
        """Begin a step."""
        now = time.monotonic()
        if self.number:
            print(f"    ({now - self.since:.1f} s)", flush=True)
        self.number, self.since = self.number + 1, now
        print(f"\n[{self.number}] {text}", flush=True)


def testbed(*words):
    """A command of the Python side of the tests; what it answered."""
    python = TESTBED / "venv" / "bin" / "python"
    done = subprocess.run(
        [str(word) for word in (python, "-m", "testbed", *words)],
        env={**os.environ, "PYTHONPATH": str(PROVISION.parent), "TESTBED_HOME": str(TESTBED)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if not done.stdout:
        raise Failed(f"testbed {words[0]} ended with exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def milvus(folder):
    """A Milvus Lite; its address."""
    try:
        yield testbed("serve", "--kind", "lite", "--dir", folder, "--port", free_port(), "--die-with", os.getpid())["uri"]
    finally:
        testbed("stop", "--dir", folder)


def config_of(agent, uri, certs, channel):
    """The configuration of one agent, as deploy/examples explains it."""
    peer = {"source": "target", "target": "source"}[agent.side]
    return {
        "agent": {"name": f"demo-{agent.side}", "state_dir": str(agent.folder / "state")},
        "milvus": {"uri": uri},
        "channel": {
            **channel,
            "tls": {
                "cert": str(certs / f"agent-{agent.side}.pem"),
                "key": str(certs / f"agent-{agent.side}.key"),
                "peer_ca": str(certs / "ca.pem"),
            },
            "peers": [{"name": f"demo-{peer}", "id": f"spiffe://{DOMAIN}/passage/{peer}"}],
        },
        "admin": {"listen": f"unix:{agent.folder / 'admin.sock'}"},
        "metrics": {"listen": f"127.0.0.1:{free_port()}"},
        "scope": {"allow": ["*.*"]},
    }


def agents_for(folder, uris):
    """Both agents, configured; the source's dials the target's."""
    certs, port = folder / "certs", free_port()
    run(BUILT / "agent-source", "certs", "pair", "--dir", certs, "--domain", DOMAIN)
    ways = {"source": {"dial": f"127.0.0.1:{port}"}, "target": {"listen": f"127.0.0.1:{port}"}}
    agents = {side: Agent(side, BUILT / f"agent-{side}", folder / side) for side in ways}
    for side, agent in agents.items():
        agent.configure(config_of(agent, uris[side], certs, ways[side]))
    return agents["source"], agents["target"]


def migrate(folder, source):
    """The job, with its progress on the terminal, and the report; whether all is proven to be equal."""
    job = folder / "job.yaml"
    job.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in JOB.items()))
    print("".join(f"    {line}\n" for line in job.read_text().splitlines()), flush=True)
    ended = source.tell("job", "create", "--file", job, "--watch")
    if ended.returncode not in (0, DIFFERS):
        raise Failed(f"the job did not complete: exit code {ended.returncode}")
    report = source.tell("job", "report", JOB["name"], "--output", "json", stdout=subprocess.PIPE)
    (folder / "report.json").write_text(report.stdout)
    return ended.returncode == 0 and report.returncode == 0


def judged_equal(uris):
    """What the tests' oracle says, which shares no code with the agents."""
    verdict = testbed("oracle", "--source-uri", uris["source"], "--target-uri", uris["target"], "--rename", "shop.*=globex_shop.*")
    print(f"    {verdict['collections']} collections, {verdict['rows']} rows, {verdict['found']} differences", flush=True)
    return verdict["equal"]


def where_to_look(folder, source):
    """What remains, and what one would read next."""
    shown = lambda path: os.path.relpath(path)
    print(f"""
Where to look next
    {shown(folder / "report.json")}    the report, for programs
    {shown(folder / "source" / "agent.log")}, {shown(folder / "target" / "agent.log")}    what each agent logged
    {shown(folder / "source" / "agent.yaml")}, {shown(folder / "job.yaml")}    what was configured and asked for
    {shown(REPOSITORY / "deploy" / "examples")}/    every key of those files, explained
    {shown(REPOSITORY / "deploy" / "docs" / "operating.md")}    how to run a pair of your own
    {shown(source.program)} --help""", flush=True)


def wait_for_interrupt(source):
    """Everything stays as it is until Ctrl-C."""
    print(f"\nEverything still runs. Try, in another terminal:\n    {source.program} job show demo --config {source.config}", flush=True)
    print("Ctrl-C stops it all.", flush=True)
    signal.pause()


def demonstrate(folder, keep):
    """All steps; whether the target was proven to be equal."""
    steps = Steps()
    with contextlib.ExitStack() as stack:
        steps.next("Installing Milvus Lite (pinned, in target/testbed)")
        run(sys.executable, PROVISION, "--home", TESTBED, "--lite-only")
        steps.next("Building the two agents")
        run("cargo", "build", "--package", "agent-source", "--package", "agent-target", cwd=REPOSITORY)
        steps.next("Starting two Milvus Lite, one for each side")
        uris = {side: stack.enter_context(milvus(folder / f"milvus-{side}")) for side in ("source", "target")}
        print(f"    source {uris['source']}, target {uris['target']}", flush=True)
        steps.next("Filling the source: articles, photos and a shop, in two databases")
        seeded = testbed("seed", "demo", "--uri", uris["source"])
        print(f"    {seeded['rows']} rows in {', '.join(seeded['collections'])}", flush=True)
        steps.next("Making a CA and a certificate for each agent")
        source, target = agents_for(folder, uris)
        steps.next("Starting agent-source and agent-target")
        stack.enter_context(started(target))
        stack.enter_context(started(source))
        steps.next("Creating the job, and watching it to its end")
        is_equal = migrate(folder, source)
        steps.next("The report: every row compared by content")
        source.tell("job", "report", JOB["name"])
        steps.next("A second opinion, from the tests' own oracle")
        is_equal = judged_equal(uris) and is_equal
        if keep:
            wait_for_interrupt(source)
        steps.next("Stopping what was started")
    where_to_look(folder, source)
    return is_equal


def fresh_folder():
    """The demo's folder, empty. A unix socket's path is short, so with a long way to here it lies elsewhere."""
    folder = REPOSITORY / "target" / "demo"
    if len(str(folder)) > 80:
        folder = Path("/tmp") / f"passage-demo-{os.getuid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main():
    """Run, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    try:
        is_equal = demonstrate(fresh_folder(), parser.parse_args().keep)
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything is stopped", file=sys.stderr)
        return INTERRUPTED
    except Failed as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1
    print(f"\n{'Equal' if is_equal else 'NOT EQUAL'}, after {time.monotonic() - began:.0f} s in all.")
    return 0 if is_equal else DIFFERS


if __name__ == "__main__":
    sys.exit(main())
