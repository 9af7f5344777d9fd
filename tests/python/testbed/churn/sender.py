"""Sends requests one after another, and records what the server said to each.

A request that gets no answer leaves its keys in several possible states. Then the connection is made anew, for OUTAGE_SECONDS
at most; until a request is acknowledged again, what a starting server refuses counts as unanswered too. Any other refusal
ends the writing: a writer that skips is no witness.
"""

import time

import grpc

from ..raw import Refused, literal, reason_of
from . import content, digest
from .requests import CreatePartition, Delete, DropPartition, Write, shown

OUTAGE_SECONDS, PAUSE_SECONDS, UNSEEN_SECONDS = 120, 0.2, 120
UNANSWERED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
NOT_SERVING = (1, 2)  # merr of 2.3: service not ready, service unavailable
NO_PARTITION = 200
OTHER_PARTITION = "other"


class Failed(Exception):
    """The server refused a request, or did not come back."""


def is_outage(error):
    """Whether a failure says that the server is not there, rather than that it does not want this."""
    return error.code() in UNANSWERED if isinstance(error, grpc.RpcError) else error.code in NOT_SERVING


class Sender:
    """One connection to one collection, and its record."""

    def __init__(self, connect, db, name, rows, record):
        self._connect, self._server = connect, connect()
        self._db, self._name, self._rows, self._record = db, name, rows, record
        self._outage_since = None
        self._outage_seconds = 0.0
        self._is_untidy = False
        self.last_ack_unix_ms = None
        self.counts = dict.fromkeys(
            ("inserted", "upserted", "deleted", "partitions_created", "partitions_dropped", "failed_requests"), 0
        )

    def changes(self):
        """Rows inserted and upserted, and keys deleted, as far as acknowledged."""
        return sum(self.counts[kind] for kind in ("inserted", "upserted", "deleted"))

    def outage_seconds(self):
        """For how long nothing was acknowledged after a request without an answer; one that still lasts counts too."""
        lasting = 0.0 if self._outage_since is None else time.monotonic() - self._outage_since
        return self._outage_seconds + lasting

    def send(self, request):
        """Send one request; answers the keys (True for a partition), or None if there was no answer."""
        if isinstance(request, Write):
            return self._write(request)
        return self._delete(request) if isinstance(request, Delete) else self._change_partition(request)

    def _write(self, request):
        data = self._rows.columns(request.keys, request.count)
        digests = digest.of_request(data, content.KEY, request.count)
        states = [self._record.state(request.partition, one) for one in digests]
        method = "insert" if request.method == "Insert" else "upsert"
        call = lambda: getattr(self._server, method)(self._db, self._name, data, request.count, request.partition)
        reply = self._attempt(request, lambda: self._in_partition(request.partition, call))
        if reply is None and request.keys is None:
            for state in states:
                self._record.put_unknown(state)
            return None
        if reply is not None:
            self._check_count(request, reply)
        keys = self._keys_of(reply) if request.keys is None else request.keys
        for key, state in zip(keys, states, strict=True):
            self._record.put(key, state, reply is not None)
        return None if reply is None else keys

    def _in_partition(self, partition, call):
        """A call about a partition that there is, though the server may not find it at first."""
        until = time.monotonic() + UNSEEN_SECONDS
        while True:
            try:
                return call()
            except Refused as error:
                if error.code != NO_PARTITION or partition not in self._record.partitions or time.monotonic() > until:
                    raise
            time.sleep(PAUSE_SECONDS)
            self._uncover(partition)

    def _uncover(self, partition):
        """2.3.5 may clear away a partition that it was making when it was killed: then it had no row, for none could be written.

        And it overlooks one for good that was made soon after a restart, while it was asked for rows: it lists it, but does not find
        it until another partition comes or goes.
        """
        if partition not in self._server.partitions(self._db, self._name):
            self._server.create_partition(self._db, self._name, partition)
            return
        self._is_untidy = True
        self._server.create_partition(self._db, self._name, OTHER_PARTITION)
        self.tidy()

    def tidy(self):
        """Take away what was made beside the recorded partitions."""
        if self._is_untidy:
            if OTHER_PARTITION in self._server.partitions(self._db, self._name):
                self._server.drop_partition(self._db, self._name, OTHER_PARTITION)
            self._is_untidy = False

    def _check_count(self, request, reply):
        kind = "inserted" if request.method == "Insert" else "upserted"
        told = reply.insert_cnt if kind == "inserted" else reply.upsert_cnt
        if told != request.count:
            raise Failed(f"{shown(request)}: the server acknowledged {told} of {request.count} rows")
        self.counts[kind] += told

    def _keys_of(self, reply):
        return list(getattr(reply.IDs, reply.IDs.WhichOneof("id_field")).data)

    def _delete(self, request):
        expression = f"{content.KEY} in [{', '.join(map(literal, request.keys))}]"
        call = lambda: self._server.delete(self._db, self._name, expression, request.partition or "")
        reply = self._attempt(request, lambda: self._in_partition(request.partition, call))
        homes = [self._record.home(key) for key in request.keys]
        for key in request.keys:
            self._record.take(key, request.partition, reply is not None)
        if reply is None:
            return None
        self.counts["deleted"] += sum(home is not None and request.partition in (None, home) for home in homes)
        return request.keys

    def _change_partition(self, request):
        """Repeated until the server has acknowledged it: then it is known what the partition holds."""
        created = isinstance(request, CreatePartition)
        while self._attempt(request, lambda: self._create(request) if created else self._drop(request)) is None:
            pass
        if created:
            self._record.partitions.append(request.name)
        else:
            self._record.drop_partition(request.name)
        self.counts["partitions_created" if created else "partitions_dropped"] += 1
        return True

    def _create(self, request):
        if request.name not in self._server.partitions(self._db, self._name):
            self._server.create_partition(self._db, self._name, request.name)
        return True

    def _drop(self, request):
        if request.name in self._server.partitions(self._db, self._name):
            self._server.drop_partition(self._db, self._name, request.name)
        return True

    def _attempt(self, request, call):
        """The answer to a call; None where there was none, and then the server is there again."""
        began = time.monotonic()
        try:
            answer = call()
        except (Refused, grpc.RpcError) as error:
            if self._outage_since is None and not is_outage(error):
                raise Failed(f"{shown(request)}: {reason_of(error)}") from error
            self.counts["failed_requests"] += 1
            self._outage_since = self._outage_since or began
            self._connect_again(request, error)
            return None
        if self._outage_since is not None:
            self._outage_seconds += time.monotonic() - self._outage_since
            self._outage_since = None
        self.last_ack_unix_ms = time.time_ns() // 1_000_000
        return answer

    def _connect_again(self, request, error):
        while True:
            time.sleep(PAUSE_SECONDS)
            if time.monotonic() > self._outage_since + OUTAGE_SECONDS:
                raise Failed(f"{shown(request)}: {reason_of(error)}; nothing acknowledged for {OUTAGE_SECONDS} s")
            try:
                self._server = self._connect()
                self._server.describe(self._db, self._name)
                return
            except (Refused, grpc.RpcError) as still:
                error = still
