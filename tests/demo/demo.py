#!/usr/bin/env python3
"""A migration from beginning to end on this machine: two Milvus, two agents, one verified job.

    python3 tests/demo/demo.py [--keep] [--lite]

On Linux on x86-64 it moves a real Milvus 2.3.5 that is written to throughout to another one. Elsewhere, and with --lite,
it copies a Milvus Lite that rests to another one. Installs them into target/testbed, builds the two agents, and works in
target/demo, whose last contents it replaces. Listens on loopback alone. Everything that it starts is stopped again, also
on Ctrl-C and after a failure; with --keep only on Ctrl-C. The exit code is 0 only if the target was proven to be equal.
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
from dataclasses import dataclass
from pathlib import Path

import live
import still
from pair import agents_for
from running import PYTHON_SIDE, REPOSITORY, TESTBED, Agent, Failed, run, servers, started, testbed

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


@dataclass
class Stage:
    """Where the job runs."""

    folder: Path
    steps: Steps
    uris: dict
    source: Agent
    mode: dict

    def job_file(self):
        """The job's file, written and shown."""
        file = self.folder / "job.yaml"
        file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in {**JOB, **self.mode}.items()))
        print("".join(f"    {line}\n" for line in file.read_text().splitlines()), flush=True)
        return file

    def status(self):
        """The job as it is now; None before it was created."""
        return self.source.told("job", "show", JOB["name"])

    def report(self):
        """The job's report on the terminal and in a file; whether it is equal."""
        report = self.source.tell("job", "report", JOB["name"], "--output", "json", stdout=subprocess.PIPE)
        (self.folder / "report.json").write_text(report.stdout)
        return self.source.tell("job", "report", JOB["name"]).returncode == 0


def judged_equal(uris):
    """What the tests' oracle says, which shares no code with the agents."""
    places = ("--source-uri", uris["source"], "--target-uri", uris["target"])
    verdict = testbed("oracle", *places, "--rename", "shop.*=globex_shop.*")
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


def installed(steps, lite):
    """Installs the servers of the form that this machine can show: its module."""
    provision = (sys.executable, PYTHON_SIDE / "provision.py", "--home", TESTBED)
    why = "--lite was given" if lite else live.hindrance()
    if why is None:
        steps.next("Installing Milvus 2.3.5 (pinned, in target/testbed)")
        run(*provision, "--server", live.KIND)
        why = live.trouble()
    if why is None:
        return live
    steps.next("Installing Milvus Lite (pinned, in target/testbed)")
    print(f"    No real Milvus 2.3.5 here, for {why}.", flush=True)
    print("    What follows is the copy of a source that rests, from one Milvus Lite to another: no changes are followed.", flush=True)
    run(*provision, "--lite-only")
    return still


def demonstrate(folder, flags):
    """All steps; whether the target was proven to be equal."""
    steps = Steps()
    form = installed(steps, flags.lite)
    steps.next("Building the two agents")
    run("cargo", "build", "--package", "agent-source", "--package", "agent-target", cwd=REPOSITORY)
    with contextlib.ExitStack() as stack:
        steps.next(f"Starting two {form.SHOWN}, one for each side")
        folders = {side: folder / f"milvus-{side}" for side in ("source", "target")}
        uris = stack.enter_context(servers(form.KIND, folders))
        print(f"    source {uris['source']}, target {uris['target']}", flush=True)
        steps.next("Filling the source: articles, photos and a shop, in two databases")
        seeded = testbed("seed", "demo", "--uri", uris["source"])
        print(f"    {seeded['rows']} rows in {', '.join(seeded['collections'])}", flush=True)
        steps.next("Making a CA and a certificate for each agent")
        source, target = agents_for(folder, uris, form.log_of(folders["source"]))
        steps.next("Starting agent-source and agent-target")
        stack.enter_context(started(target))
        stack.enter_context(started(source))
        is_equal = form.move(Stage(folder, steps, uris, source, form.MODE))
        steps.next("A second opinion, from the tests' own oracle")
        is_equal = judged_equal(uris) and is_equal
        if flags.keep:
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
    parser.add_argument("--lite", action="store_true", help="copy between two Milvus Lite, as where no real Milvus runs")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    try:
        flags = parser.parse_args()
        is_equal = demonstrate(fresh_folder(), flags)
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
