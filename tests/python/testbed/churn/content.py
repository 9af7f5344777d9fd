"""What is written: the collection's fields, its keys, and rows of which no two are alike."""

import random

from .. import columns, samples, schemas, seeding

KEY, VECTOR, SERIAL = "id", "embedding", "serial"
KEY_LENGTH, TITLE_LENGTH, POOL = 256, 512, 64
GHOSTS = 1 << 40


def fields(keys, automatic, dim):
    """The schema's fields; dynamic ones come on top."""
    limits = {"max_length": KEY_LENGTH} if keys == "VarChar" else {}
    return [
        schemas.field(KEY, keys, is_primary_key=True, autoID=automatic, params=limits),
        schemas.field(VECTOR, "FloatVector", params={"dim": dim}),
        schemas.field("title", "VarChar", params={"max_length": TITLE_LENGTH}),
        schemas.field("payload", "JSON"),
        schemas.field(SERIAL, "Int64"),
    ]


def key(kind, number):
    """The key of a number: distinct for distinct numbers. Texts take every awkward character, integers the whole range."""
    if kind == "VarChar":
        return f"{samples.TEXTS[number % len(samples.TEXTS)]}-{number}"
    return {3: -number, 7: (1 << 62) + number}.get(number % 10, number)


def ghost(kind, chance):
    """A key that no row ever has."""
    return key(kind, GHOSTS + chance.randrange(GHOSTS))


class Rows:
    """Makes rows. The serial number, the title and the vector tell each from all others, also from older ones of its key."""

    def __init__(self, made, seed):
        self._fields, self._chance = {one.name: one for one in made}, random.Random(f"{seed} rows")
        self._texts = samples.texts(self._fields["title"], 2 * POOL, self._chance)
        self._texts = [text for text in self._texts if len(text.encode()) < TITLE_LENGTH - 20]
        self._documents = samples.values(self._fields["payload"], POOL, self._chance)
        self._objects = seeding.dynamic_objects(POOL, self._chance)
        self._made = 0

    def columns(self, keys, count):
        """FieldData of new rows; without keys where the server makes them."""
        pick = lambda pool: [self._chance.choice(pool) for _ in range(count)]
        serials = list(range(self._made, self._made + count))
        self._made += count
        values = {
            VECTOR: samples.float_vectors(schemas.dim_of(self._fields[VECTOR]), count, self._chance),
            "title": [f"{text} ({serial})" for text, serial in zip(pick(self._texts), serials)],
            "payload": pick(self._documents),
            SERIAL: serials,
        }
        if keys is not None:
            values[KEY] = keys
        made = [columns.column(self._fields[name], values[name]) for name in self._fields if name in values]
        return made + [columns.dynamic(pick(self._objects))]
