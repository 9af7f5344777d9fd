"""When a server may be used: it answers a real call, not only its health page."""

import base64
import time
import urllib.request

import grpc

SERVICE = "/milvus.proto.milvus.MilvusService/"
UNSERVED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
AUTHORITY = "localhost"


def healthy(port):
    """The health page of a real server says OK."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as page:
            return b"OK" in page.read()
    except OSError:
        return False


def open_channel(port, tls=None):
    """A plain or TLS channel; the certificate must name localhost."""
    address = f"127.0.0.1:{port}"
    if not tls:
        return grpc.insecure_channel(address)
    read = lambda path: open(path, "rb").read() if path else None
    credentials = grpc.ssl_channel_credentials(
        read(tls["ca"]), read(tls.get("client_key")), read(tls.get("client_cert"))
    )
    return grpc.secure_channel(
        address, credentials, [("grpc.ssl_target_name_override", tls.get("server_name") or AUTHORITY)]
    )


def answers(channel):
    """ShowCollections, as raw bytes, is served. A refused password is an answer too."""
    call = channel.unary_unary(SERVICE + "ShowCollections", request_serializer=bytes, response_deserializer=bytes)
    token = base64.b64encode(b"root:Milvus").decode()
    try:
        reply = call(b"", timeout=5, metadata=(("authorization", token),))
    except grpc.RpcError as error:
        return error.code() not in UNSERVED
    return not refuses(reply)


def refuses(reply):
    """The reply's first field is a Status (1: length-delimited) whose error_code (1: varint) is not zero."""
    status = reply[2 : 2 + reply[1]] if reply[:1] == b"\x0a" else b""
    return status[:1] == b"\x08" and status[1:2] != b"\x00"


def wait(process, port, health_port=None, tls=None, seconds=90):
    """Whether the server became ready before it exited or time ran out."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if health_port is None or healthy(health_port):
            with open_channel(port, tls) as channel:
                if answers(channel):
                    return True
        time.sleep(0.1)
    return False
