"""pymilvus's messages, and the small rules of speaking to a Milvus: channel, failures, pairs, literals."""

import time

import grpc
from pymilvus.grpc_gen import common_pb2 as common
from pymilvus.grpc_gen import milvus_pb2 as milvus  # noqa: F401  (others take them from here)
from pymilvus.grpc_gen import schema_pb2 as schema  # noqa: F401

LOWEST = -(1 << 63)
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Refused(Exception):
    """A call that the server answered with a failure. `code` is 0 before 2.3, `legacy` is the old number."""

    def __init__(self, method, status):
        super().__init__(f"{method}: code {status.code}, error_code {status.error_code}: {status.reason}")
        self.code, self.legacy, self.reason = status.code, status.error_code, status.reason


def pairs(mapping):
    """Key-value pairs of a request."""
    return [common.KeyValuePair(key=key, value=str(value)) for key, value in mapping.items()]


def mapping(key_values):
    """Key-value pairs of an answer."""
    return {pair.key: pair.value for pair in key_values}


def open_channel(uri, tls=None):
    """A channel to http://… or https://…; `tls` may name ca, client_cert, client_key, server_name."""
    scheme, _, address = uri.rstrip("/").partition("://")
    if scheme != "https":
        return grpc.insecure_channel(address, UNLIMITED)
    tls = tls or {}
    read = lambda key: open(tls[key], "rb").read() if tls.get(key) else None
    credentials = grpc.ssl_channel_credentials(read("ca"), read("client_key"), read("client_cert"))
    named = [("grpc.ssl_target_name_override", tls["server_name"])] if tls.get("server_name") else []
    return grpc.secure_channel(address, credentials, UNLIMITED + named)


def literal(key):
    """A key as an expression's literal. These four escapes are understood by every server; all else stays as it is.

    The lowest Int64 has no literal before 2.4, but it can be reckoned.
    """
    if isinstance(key, str):
        for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
            key = key.replace(plain, escaped)
        return f'"{key}"'
    return str(int(key)) if key > LOWEST else f"{LOWEST + 1} - 1"


def reason_of(error):
    """Why a call failed, in one line, whichever way it failed."""
    return error.details() if isinstance(error, grpc.RpcError) else str(error)


def is_unimplemented(error):
    """Whether the server does not know this call."""
    if isinstance(error, grpc.RpcError):
        return error.code() == grpc.StatusCode.UNIMPLEMENTED
    return error.code == 10 or "not implemented" in error.reason.lower() or "unimplemented" in error.reason.lower()


def wait_for(condition, what, seconds, pause=0.1):
    """Poll until the condition holds; a TimeoutError names what did not come."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(pause)
