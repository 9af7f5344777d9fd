"""What one would write without Passage: an iterator on the source, an insert into the target for each of its pages.

plain.py SOURCE_URI TARGET_URI COLLECTION. Tries page sizes on a part of the rows, copies all of them at the best one, and
prints {page, rows, seconds}.
"""

import json
import sys
import time

from pymilvus import Collection, connections

PAGES = (500, 1000, 2000, 4000, 8000)
TRIAL_ROWS = 16_000


def copy(source, target, fields, page, limit=-1):
    """Every row, or so many; how many it were."""
    rows = 0
    iterator = source.query_iterator(batch_size=page, limit=limit, expr="", output_fields=fields)
    while batch := iterator.next():
        target.insert(batch)
        rows += len(batch)
    iterator.close()
    return rows


def timed(action):
    """What it answered, and how many seconds it took."""
    begun = time.monotonic()
    return action(), time.monotonic() - begun


def main(source_uri, target_uri, name):
    """Trials, then the copy."""
    connections.connect("source", uri=source_uri)
    connections.connect("target", uri=target_uri)
    source = Collection(name, using="source")
    fields = [field.name for field in source.schema.fields]
    rates = {}
    for page in PAGES:
        trial = Collection(f"{name}_trial", schema=source.schema, using="target")
        try:
            rows, seconds = timed(lambda: copy(source, trial, fields, page, TRIAL_ROWS))
            rates[page] = rows / seconds
        except Exception as error:  # noqa: BLE001: a page that is too large for a message is no candidate
            print(f"{page} rows a page: {error}", file=sys.stderr)
        trial.drop()
    best = max(rates, key=rates.get)
    print({page: round(rate) for page, rate in rates.items()}, file=sys.stderr)
    target = Collection(name, schema=source.schema, using="target")
    rows, seconds = timed(lambda: copy(source, target, fields, best))
    print(json.dumps({"page": best, "rows": rows, "seconds": seconds}))


main(*sys.argv[1:])
