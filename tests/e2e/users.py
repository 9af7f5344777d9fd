"""Users and rights on a Milvus that asks who calls: users.py URI TOKEN password USER OLD NEW | user USER PASSWORD."""

import base64
import sys

from testbed.raw import Server, milvus


def encoded(text):
    """As Milvus wants passwords."""
    return base64.b64encode(text.encode()).decode()


def main(uri, token, what, user, *passwords):
    """One command."""
    server = Server(uri, token)
    if what == "password":
        old, new = map(encoded, passwords)
        server.call("UpdateCredential", milvus.UpdateCredentialRequest(username=user, oldPassword=old, newPassword=new))
    else:
        server.call("CreateCredential", milvus.CreateCredentialRequest(username=user, password=encoded(passwords[0])))
    print("{}")


main(*sys.argv[1:])
