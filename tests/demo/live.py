"""The move of a source that is written to throughout, between two real Milvus 2.3.5."""

import contextlib
import json
import platform
import signal
import subprocess
import time

from running import TESTBED, Failed, begun, stop, testbed

KIND = "2.3.5"
SHOWN = "Milvus 2.3.5"
MODE = {"mode": "live"}
SERVER = TESTBED / "milvus-2.3.5" / "bin"
OLDEST_GLIBC = (2, 17)
WRITTEN, WRITTEN_ON_TARGET = ("shop", "reviews"), ("globex_shop", "reviews")
RATE, BASE, SEED = 300, 5000, 7
SYNC_SECONDS, READY_SECONDS, SHOWN_SECONDS = 90, 30, 6
PROVEN = ("rechecking", "clean")
DIFFERS = 3
WRONG = ("lost", "extra", "duplicated", "differing", "misplaced")


def hindrance():
    """Why no real Milvus can run here; None where one can, as far as is known before it is installed."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        return f"it exists for Linux on x86-64, and this is {system} on {machine}"
    library, version = platform.libc_ver()
    if library != "glibc" or tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        return f"it needs glibc {'.'.join(map(str, OLDEST_GLIBC))} or newer, and here is {library or 'another C library'} {version}"
    return None


def trouble():
    """Why the real Milvus that was installed does not run; None where it does: without words, it tells its usage."""
    try:
        done = subprocess.run([SERVER / "milvus"], env={"LD_LIBRARY_PATH": str(SERVER)}, capture_output=True, text=True)
    except OSError as error:
        return f"it can't be started: {error.strerror}"
    return None if done.returncode == 0 else f"it can't be started: {done.stderr.strip() or done.returncode}"


def log_of(folder):
    """Where the source's agent finds the log of Milvus, and the library that reads it."""
    return {"log": {"kind": "rocksmq", "path": str(folder / "rocksmq"), "library": str(SERVER / "librocksdb.so.6")}}


class Writer:
    """An independent writer. It knows by its own record what Milvus acknowledged to it."""

    def __init__(self, folder, uri):
        self.record, self._stop_file = folder / "reviews.record", folder / "reviews.stop"
        database, collection = WRITTEN
        place = ("--uri", uri, "--db", database, "--collection", collection)
        self.process = begun(
            *("churn", *place, "--record", self.record, "--stop-file", self._stop_file),
            *("--seed", SEED, "--rate", RATE, "--base", BASE, "--partitions", 2, "--dim", 32),
        )

    def line(self):
        """What it says next."""
        told = self.process.stdout.readline()
        if not told:
            raise Failed(f"the writer ended with exit code {self.process.wait()}")
        return json.loads(told)

    def rest(self):
        """Has it stop: when its last change was acknowledged, in seconds since 1970."""
        self._stop_file.touch()
        return self.line()["last_ack_unix_ms"] / 1000


@contextlib.contextmanager
def writing(folder, uri):
    """The writer writes within this."""
    writer = Writer(folder, uri)
    try:
        writer.line()
        yield writer
    finally:
        stop(writer.process)


def watched(stage):
    """Creates the job, and shows its progress until the target follows the source and every row was compared once."""
    words = stage.source.words("job", "create", "--file", stage.job_file(), "--watch")
    # Whoever runs us in the background has us, and it, ignore what Ctrl-C sends.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    watch = subprocess.Popen(words, start_new_session=True, preexec_fn=heed)
    until = time.monotonic() + SYNC_SECONDS
    try:
        while not is_synced(stage.status()):
            if watch.poll() is not None:
                raise Failed(f"the job ended with exit code {watch.returncode}")
            if time.monotonic() > until:
                raise Failed(f"the target is not near within {SYNC_SECONDS} s")
            time.sleep(0.2)
    finally:
        # As Ctrl-C does: the watch ends, and the job goes on.
        watch.send_signal(signal.SIGINT)
        watch.wait()


def is_synced(status):
    """Whether the target is near, and every row was compared."""
    shown = status["collections"] if status else []
    proven = all(collection["verification"]["state"] in PROVEN for collection in shown)
    return bool(shown) and status["phase"] == "syncing" and proven


def show_lag(stage):
    """How far the target is behind, a line a second."""
    for _ in range(SHOWN_SECONDS):
        time.sleep(1)
        changes = [collection["changes"] for collection in stage.status()["collections"] if collection["changes"]]
        total = lambda key: sum(change[key] for change in changes)
        lags = [change["lag_ms"] for change in changes]
        lag = "not measured" if None in lags else f"{max(lags)} ms"
        print(
            f"    lag {lag}; {total('upserts'):,} rows upserted and {total('deletes'):,} keys deleted so far,"
            f" {total('unproven')} rows to be proven",
            flush=True,
        )


def wait_until_ready(source):
    """Until the job says that it could cut over."""
    until = time.monotonic() + READY_SECONDS
    print("    $ agent-source job cutover demo --dry-run", flush=True)
    while source.tell("job", "cutover", "demo", "--dry-run", capture_output=True).returncode != 0:
        if time.monotonic() > until:
            source.tell("job", "cutover", "demo", "--dry-run")
            raise Failed(f"the job can't cut over within {READY_SECONDS} s")
        time.sleep(0.2)
    print("    it could cut over now", flush=True)


def cut_over(stage, writer):
    """The writer is stopped, the last changes are applied and proven. What the writer did in all."""
    wait_until_ready(stage.source)
    last = writer.rest()
    print("    the writer is stopped\n    $ agent-source job cutover demo", flush=True)
    done = stage.source.tell("job", "cutover", "demo")
    pause = time.time() - last
    if done.returncode not in (0, DIFFERS):
        raise Failed(f"the job did not cut over: exit code {done.returncode}")
    print(f"\n    {pause:.2f} s from the last acknowledged write until the target has taken over", flush=True)
    return writer.line()


def agrees(stage, writer, written):
    """Holds the target against the writer's own record."""
    print(
        f"    the writer: {written['inserted']:,} rows inserted, {written['upserted']:,} upserted, {written['deleted']:,}"
        f" deleted; partitions: {written['partitions_created']} made, {written['partitions_dropped']} dropped",
        flush=True,
    )
    database, collection = WRITTEN_ON_TARGET
    place = ("--uri", stage.uris["target"], "--db", database, "--collection", collection)
    found = testbed("churn-check", *place, "--record", writer.record)
    counts = ", ".join(f"{found[kind]} {kind}" for kind in WRONG)
    print(f"    the target: {found['rows']:,} rows; {counts}", flush=True)
    return found["equal"]


def move(stage):
    """The live job from its creation to the cutover; whether everything is equal, also by the writer's record."""
    steps = stage.steps
    steps.next(f"An independent writer begins: {RATE} changes a second in shop.reviews, until the cutover")
    with writing(stage.folder, stage.uris["source"]) as writer:
        print(f"    {BASE:,} rows to begin with; then inserts, upserts, deletes, and partitions that come and go", flush=True)
        steps.next("Creating the job, and watching until the target follows the source")
        watched(stage)
        steps.next("The source is written to, and the target follows")
        show_lag(stage)
        steps.next("Cutover: is it ready? Then the writer is stopped, and the target takes over")
        written = cut_over(stage, writer)
    steps.next("The report: every row compared by content")
    is_equal = stage.report()
    steps.next("What the writer says: its own record of what was acknowledged, against the target")
    return agrees(stage, writer, written) and is_equal
