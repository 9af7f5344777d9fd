"""Where things lie: the folder that provision.py filled, and a server's own folder."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
KINDS = ("2.3.5", "2.2.16", "lite")


def home():
    """The provisioned folder: $TESTBED_HOME, or <repository>/target/testbed."""
    return Path(os.environ.get("TESTBED_HOME") or REPOSITORY / "target" / "testbed")


def distribution(kind):
    """The unpacked wheel of a real server (bin/, config.yaml.template, glog.conf)."""
    folder = home() / f"milvus-{kind}"
    if not (folder / "bin" / "milvus").exists():
        raise SystemExit(f"testbed: {folder} is missing; run tests/python/provision.py first")
    return folder


def python():
    """The interpreter that holds pymilvus and Milvus Lite."""
    return home() / "venv" / "bin" / "python"


def mock_of_s3():
    """The program that is a mock of S3."""
    program = home() / "venv-s3" / "bin" / "moto_server"
    if not program.exists():
        raise SystemExit(f"testbed: {program} is missing; run tests/python/provision.py first")
    return program
