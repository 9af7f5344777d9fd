"""A sample that looks like somebody's production: articles, photos and orders in two databases.

It works on Milvus Lite as on a real server. The vectors are clustered, as embeddings are: each row lies near the centre
of its topic. Where binary vectors are not held (Milvus Lite), a sparse vector of word weights takes their place.
"""

import json
import random
import zlib

import numpy as np

from . import columns, english
from .full_fields import index
from .schemas import field
from .seeding import Plan, make_all

DIM, BITS = 96, 256
ROWS = {"articles": 9000, "photos": 6000, "products": 3000, "orders": 2000}
CAMERAS = ("Nikon Z6", "Canon R8", "Leica Q3", "phone")
DATABASE = "shop"


def topics(count, chance):
    """A topic per row; some are more frequent than others."""
    return chance.choices(english.TOPICS, weights=range(1, len(english.TOPICS) + 1), k=count)


def near(names, dim, spread=0.25):
    """Unit vectors around the centre of each name."""
    numbers = np.random.default_rng(zlib.crc32(repr(names[:50]).encode()))
    centres = {name: np.random.default_rng(zlib.crc32(name.encode())).standard_normal(dim) for name in set(names)}
    rows = np.array([centres[name] for name in names]) + spread * numbers.standard_normal((len(names), dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def bits_near(names):
    """Binary vectors: on which side of many planes a row lies."""
    return np.packbits(near(names, BITS) > 0, axis=1)


def words_near(names):
    """Sparse vectors: weights of the words of each topic, and a few of other ones."""
    chance = random.Random(zlib.crc32(repr(names[:50]).encode()))
    first = {name: zlib.crc32(name.encode()) % 20_000 for name in set(names)}
    return [
        columns.sparse(
            {
                **{first[name] + chance.randrange(40): chance.random() + 0.1 for _ in range(8)},
                chance.randrange(30_000): chance.random() + 0.01,
            }
        )
        for name in names
    ]


def listed(make, fewest, most):
    """A column of lists."""
    return lambda count, chance: [[make(chance) for _ in range(chance.randint(fewest, most))] for _ in range(count)]


def documents(make):
    """A column of JSON."""
    return lambda count, chance: [
        json.dumps(make(number, chance), ensure_ascii=False).encode() for number in range(count)
    ]


def articles(kinds):
    """Text with an embedding, by topic; partitions by language."""
    names = topics(ROWS["articles"], random.Random("articles"))
    made = [
        field("id", "Int64", is_primary_key=True),
        field("title", "VarChar", params={"max_length": 200}),
        field("body", "VarChar", params={"max_length": 4000}),
        field("topic", "VarChar", params={"max_length": 32}),
        field("about", "JSON"),
        field("tags", "Array", "VarChar", params={"max_capacity": 8, "max_length": 40}),
        field("embedding", "FloatVector", params={"dim": DIM}),
    ]
    about = lambda number, chance: {
        "author": {"name": chance.choice(english.PEOPLE), "posts": chance.randrange(90)},
        "published": f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
        "words": chance.randrange(80, 900),
        "related": [chance.randrange(ROWS["articles"]) for _ in range(3)],
    }
    return Plan(
        "articles",
        made,
        rows=len(names),
        description="news and essays",
        dynamic=True,
        partitions=("en", "de", "fr"),
        shards=2,
        indexes={"embedding": index("IVF_FLAT", "COSINE" if kinds["newer"] else "L2", nlist=64)},
        aliases=("articles_live", "reading"),
        values={
            "title": lambda count, chance: [english.title(chance) for _ in range(count)],
            "body": lambda count, chance: [english.paragraph(chance, chance.randint(2, 6)) for _ in range(count)],
            "topic": lambda count, chance: names,
            "about": documents(about),
            "tags": listed(lambda chance: chance.choice(english.TOPICS), 0, 4),
            "embedding": lambda count, chance: near(names, DIM),
        },
    )


def photos(kinds):
    """Pictures under text keys with the second kind of vectors."""
    names = topics(ROWS["photos"], random.Random("photos"))
    vector = (
        field("hash", "BinaryVector", params={"dim": BITS}) if kinds["binary"] else field("words", "SparseFloatVector")
    )
    found = {"hash": lambda count, chance: bits_near(names), "words": lambda count, chance: words_near(names)}
    made = [
        field("path", "VarChar", is_primary_key=True, params={"max_length": 128}),
        field("caption", "VarChar", params={"max_length": 500}),
        field("width", "Int32"),
        field("height", "Int32"),
        field("exif", "JSON"),
        field("favourite", "Bool"),
        vector,
    ]
    exif = lambda number, chance: {
        "camera": chance.choice(CAMERAS),
        "iso": 100 << chance.randrange(7),
        "f": chance.choice([1.8, 2.8, 5.6]),
    }
    params = index("BIN_IVF_FLAT", "HAMMING", nlist=32) if kinds["binary"] else index("SPARSE_INVERTED_INDEX", "IP")
    return Plan(
        "photos",
        made,
        rows=len(names),
        indexes={vector.name: params},
        aliases=("album",),
        consistency="Session",
        values={
            "path": lambda count, chance: [
                f"/archive/{2018 + number % 9}/{name}/img_{number:05}.jpg" for number, name in enumerate(names)
            ],
            "caption": lambda count, chance: [english.sentence(chance) for _ in range(count)],
            "exif": documents(exif),
            "width": lambda count, chance: [chance.choice([4000, 6000]) for _ in range(count)],
            "height": lambda count, chance: [chance.choice([3000, 4000]) for _ in range(count)],
            vector.name: found[vector.name],
        },
    )


def products(kinds):
    """A catalogue in a database of its own."""
    chosen = random.Random("products")
    names = [english.product(chosen) for _ in range(ROWS["products"])]
    made = [
        field("sku", "VarChar", is_primary_key=True, params={"max_length": 32}),
        field("name", "VarChar", params={"max_length": 120}),
        field("price", "Double"),
        field("stock", "Int16"),
        field("ratings", "Array", "Float", params={"max_capacity": 12}),
        field("embedding", "FloatVector", params={"dim": 32}),
    ]
    return Plan(
        "products",
        made,
        db=DATABASE,
        rows=len(names),
        dynamic=True,
        indexes={"embedding": index("HNSW", "IP", M=12, efConstruction=100)},
        aliases=("catalogue",),
        values={
            "sku": lambda count, chance: [f"SKU-{number * 7919 % 100_000:05}-{number}" for number in range(count)],
            "name": lambda count, chance: names,
            "price": lambda count, chance: [round(chance.uniform(3, 900), 2) for _ in range(count)],
            "stock": lambda count, chance: [chance.randrange(500) for _ in range(count)],
            "ratings": listed(lambda chance: chance.randrange(2, 11) / 2, 0, 12),
            "embedding": lambda count, chance: near([name.split()[-1] for name in names], 32),
        },
    )


def orders():
    """Orders, spread by a partition key; not loaded."""
    chosen = random.Random("orders")
    customers = [f"customer-{chosen.randrange(200)}" for _ in range(ROWS["orders"])]
    made = [
        field("id", "Int64", is_primary_key=True),
        field("customer", "VarChar", is_partition_key=True, params={"max_length": 32}),
        field("placed", "Int64"),
        field("basket", "JSON"),
        field("taste", "FloatVector", params={"dim": 16}),
    ]
    basket = lambda number, chance: {
        "items": [{"name": english.product(chance), "count": chance.randint(1, 4)} for _ in range(chance.randint(1, 3))]
    }
    return Plan(
        "orders",
        made,
        db=DATABASE,
        rows=len(customers),
        num_partitions=8,
        indexes={"taste": index("FLAT", "L2")},
        load=False,
        values={
            "customer": lambda count, chance: customers,
            "placed": lambda count, chance: [1_760_000_000 + chance.randrange(30_000_000) for _ in range(count)],
            "basket": documents(basket),
            "taste": lambda count, chance: near(customers, 16),
        },
    )


def fill(server):
    """Make the sample."""
    kinds = {"binary": not server.is_lite(), "newer": "2.2." not in server.version() or server.is_lite()}
    plans = [articles(kinds), photos(kinds), products(kinds), orders()]
    if not kinds["newer"]:  # 2.2 has no lists
        for plan in plans:
            plan.fields = [made for made in plan.fields if made.data_type != 22]
    return make_all(server, {DATABASE: {}}, plans, "demo")
