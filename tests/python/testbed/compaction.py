"""Compaction on demand: a collection's segments become others, as they do by themselves sooner or later."""

import time

from .raw import common, milvus

LIMIT_SECONDS = 300
EVERY_SECONDS = 0.2


def force(server, db, collection):
    """Compact a collection, and wait until it is done: which segments it had, and which it has."""
    before = segments(server, db, collection)
    collection_id = server.describe(db, collection).collectionID
    ordered = server.call("ManualCompaction", milvus.ManualCompactionRequest(collectionID=collection_id), db)
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        asked = milvus.GetCompactionStateRequest(compactionID=ordered.compactionID)
        state = server.call("GetCompactionState", asked, db)
        if state.state == common.Completed and not state.executingPlanNo:
            after = segments(server, db, collection)
            return {"before": sorted(before), "after": sorted(after), "failed_plans": state.failedPlanNo + state.timeoutPlanNo}
        time.sleep(EVERY_SECONDS)
    raise SystemExit(f"testbed compact: {collection} is not compacted after {LIMIT_SECONDS} s")


def segments(server, db, collection):
    """The ids of the segments that are in files."""
    asked = milvus.GetPersistentSegmentInfoRequest(collectionName=collection)
    return {info.segmentID for info in server.call("GetPersistentSegmentInfo", asked, db).infos if info.state == common.Flushed}
