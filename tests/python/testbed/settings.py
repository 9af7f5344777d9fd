"""What a real Milvus is told: every port from one base, every folder under one root.

Milvus takes any key of milvus.yaml from the environment too (upper case, dots as underscores), and that
wins over the file. So the file is the wheel's template with its defaults, and our settings are variables.
The wheel's embedded etcd needs a file of its own, or two servers fight for port 2380.
"""

import os
import re
from pathlib import Path

from . import places

PORTS = {
    "proxy.port": 0,
    "rootCoord.port": 2,
    "proxy.internalPort": 3,
    "queryCoord.port": 4,
    "queryNode.port": 5,
    "indexCoord.port": 6,
    "indexNode.port": 7,
    "dataCoord.port": 8,
    "dataNode.port": 9,
    "natsmq.server.port": 11,
}
ETCD_CLIENT, ETCD_PEER, HEALTH, BUCKET = 1, 10, 12, 13
BLOCK = 20
COMPONENTS = ("rootCoord", "proxy", "queryCoord", "queryNode", "dataCoord", "dataNode", "indexNode")


def fill_template(text):
    """The template with each {{ name: default }} replaced by its default."""
    return re.sub(r"\{\{(.*?)\}\}", lambda found: found.group(1).partition(":")[2].strip() or "unset", text)


def etcd_file(root, port):
    """The embedded etcd's own configuration."""
    client, peer = f"http://127.0.0.1:{port + ETCD_CLIENT}", f"http://127.0.0.1:{port + ETCD_PEER}"
    return (
        f"name: default\ndata-dir: {root}/etcd\nlog-level: warn\nlisten-client-urls: {client}\nadvertise-client-urls: {client}\n"
        f"listen-peer-urls: {peer}\ninitial-advertise-peer-urls: {peer}\ninitial-cluster: default={peer}\n"
    )


def keys(root, port, auth, tls):
    """The keys of milvus.yaml that make this instance its own."""
    values = {key: port + offset for key, offset in PORTS.items()}
    values.update({f"{component}.ip": "127.0.0.1" for component in COMPONENTS})
    values.update(
        {
            "etcd.endpoints": f"127.0.0.1:{port + ETCD_CLIENT}",
            "etcd.use.embed": "true",
            "etcd.data.dir": root / "etcd",
            "etcd.config.path": root / "conf" / "etcd.yaml",
            "indexCoord.address": f"127.0.0.1:{port + PORTS['indexCoord.port']}",
            "localStorage.path": root / "data",
            "rocksmq.path": root / "rocksmq",
            "natsmq.server.storeDir": root / "nats",
            "natsmq.server.monitor.logFile": root / "logs" / "nats.log",
            "log.file.rootPath": root / "logs",
            "log.level": "warn",
            "log.stdout": "false",
            "common.security.authorizationEnabled": str(bool(auth)).lower(),
        }
    )
    if tls:
        values.update(
            {
                "common.security.tlsMode": tls["mode"],
                "tls.serverPemPath": tls["cert"],
                "tls.serverKeyPath": tls["key"],
                "tls.caPemPath": tls.get("ca") or tls["cert"],
                "proxy.http.enabled": "false",
            }
        )
    return values


def environment(kind, root, port, values):
    """A small environment: nothing of the caller's leaks into the server, nor the other way."""
    variables = {key.replace(".", "_").upper(): str(value) for key, value in values.items()}
    variables.update(
        {
            "PATH": os.defpath,
            "HOME": str(root),
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(port + HEALTH),
            "MILVUSCONF": str(root / "conf"),
            "MILVUS_RUN_DIR": str(root / "run"),
            "LD_LIBRARY_PATH": str(places.distribution(kind) / "bin"),
        }
    )
    return variables


def write_files(kind, root, port):
    """milvus.yaml, glog.conf (without it the server exits in silence) and etcd.yaml."""
    template = places.distribution(kind)
    for name in ("conf", "logs", "run"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "conf" / "milvus.yaml").write_text(fill_template((template / "config.yaml.template").read_text()))
    glog = template / "glog.conf"
    (root / "conf" / "glog.conf").write_text(
        glog.read_text() if glog.exists() else "--logtostdout=false\n--log_dir=logs/\n"
    )
    (root / "conf" / "etcd.yaml").write_text(etcd_file(Path(root), port))
