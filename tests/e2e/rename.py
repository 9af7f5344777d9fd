"""Gives a collection another name: rename.py URI OLD NEW."""

import sys

from testbed.raw import Server, milvus


def main(uri, old, new):
    """One renaming."""
    Server(uri, "").call("RenameCollection", milvus.RenameCollectionRequest(oldName=old, newName=new))
    print("{}")


main(*sys.argv[1:])
