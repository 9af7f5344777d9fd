"""The message queue that a real 2.3.5 keeps its log in: its own (rocksmq, natsmq), or Kafka.

No Kafka can be had here: what stands in is the mock cluster of librdkafka, Kafka's C client, in a process of its own. Its log is in
memory, so that process outlives a kill of the server, and ends with the server's stop.
"""

import json
import sys
import time
from pathlib import Path

from . import places, processes, settings

ROCKSMQ, NATSMQ, KAFKA = KINDS = ("rocksmq", "natsmq", "kafka")
MOCK = "kafka"
MOCK_PATIENCE_SECONDS = 20


def provide(mq, kind, root, port, die_with):
    """What a server is told of its queue, and the queue's host and port where it has one."""
    if mq == ROCKSMQ:
        return {"keys": {}, "address": None}
    if kind != "2.3.5":
        raise SystemExit(f"testbed: {kind} is served with {ROCKSMQ} only")
    if mq == NATSMQ:
        return {"keys": {"mq.type": NATSMQ}, "address": f"127.0.0.1:{port + settings.PORTS['natsmq.server.port']}"}
    address = mock(root, die_with)
    empty = ("saslUsername", "saslPassword", "saslMechanisms", "securityProtocol")
    keys = {"mq.type": KAFKA, "kafka.brokerList": address, **{f"kafka.{key}": "" for key in empty}}
    return {"keys": keys, "address": address}


def mock(root, die_with):
    """The host and port of the folder's mock of Kafka, started if it does not run."""
    folder = Path(root) / MOCK
    folder.mkdir(exist_ok=True)
    running = processes.read_record(folder)
    if running:
        return running["address"]
    told = folder / "address"
    told.unlink(missing_ok=True)
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [places.python(), "-m", "testbed.queues", told]
    process = processes.spawn(command, folder, environment, folder / "out.log")
    until = time.monotonic() + MOCK_PATIENCE_SECONDS
    while not told.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"testbed: the mock of Kafka does not start: see {folder}/out.log")
        time.sleep(0.05)
    record = processes.write_record(folder, process.pid, address=json.loads(told.read_text()))
    if die_with:
        processes.end_with(die_with, process.pid)
    return record["address"]


def end(root):
    """End the folder's mock of Kafka, if there is one."""
    record = processes.read_record(Path(root) / MOCK)
    if record:
        processes.end(record["pid"], record["ticks"], patience_seconds=3)


def hold_mock(told):
    """Be a mock of Kafka until this process is ended; `told` is where its host and port are written."""
    from confluent_kafka import Producer  # only this process needs it

    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    part = Path(told).with_suffix(".part")
    part.write_text(json.dumps(f"{broker.host}:{broker.port}"))
    part.replace(told)
    while True:
        cluster.poll(60)


if __name__ == "__main__":
    hold_mock(sys.argv[1])
