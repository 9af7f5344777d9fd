"""Clients that must not get in: clients.py ADDRESS plain | old CA CERT KEY. Prints whether anything but an end came back."""

import json
import socket
import ssl
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
SECONDS = 10


def plain(stream):
    """HTTP/2 without TLS; what came back."""
    stream.sendall(PREFACE)
    return stream.recv(4096)


def old(stream, ca, cert, key):
    """TLS 1.2 with the right certificates; the protocol that was agreed on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.load_verify_locations(ca)
    context.load_cert_chain(cert, key)
    with context.wrap_socket(stream) as secured:
        return secured.version().encode()


def main(address, what, *files):
    """One client."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), SECONDS) as stream:
        try:
            answer = plain(stream) if what == "plain" else old(stream, *files)
        except (ssl.SSLError, ConnectionError) as error:
            print(json.dumps({"let_in": False, "why": str(error)}))
            return
    # A TLS server answers a plain client with an alert (content type 21) at most.
    print(json.dumps({"let_in": bool(answer) and answer[0] != 21, "why": answer.hex()}))


main(*sys.argv[1:])
