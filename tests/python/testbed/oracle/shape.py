"""Everything of a collection but its rows: schema, properties, partitions, indexes, aliases, load state."""

import json

from ..raw import Refused, mapping

IDENTITIES = {"fieldID", "id", "input_field_ids", "output_field_ids", "version", "dbName", "name"}


def plain(message):
    """A message as plain data without ids: key-value lists become mappings, enums names, floats their bits."""
    out = {}
    for descriptor, value in message.ListFields():
        if descriptor.name in IDENTITIES:
            continue
        if descriptor.message_type and descriptor.message_type.name == "KeyValuePair":
            out[descriptor.name] = mapping(value)
        elif descriptor.message_type and descriptor.is_repeated:
            out[descriptor.name] = {getattr(one, "name", str(at)): plain(one) for at, one in enumerate(value)}
        elif descriptor.message_type:
            out[descriptor.name] = plain(value) or True
        elif descriptor.enum_type and not descriptor.is_repeated:
            out[descriptor.name] = descriptor.enum_type.values_by_number[value].name
        elif isinstance(value, float):
            out[descriptor.name] = value.hex()
        else:
            out[descriptor.name] = list(value) if descriptor.is_repeated else value
    return out


def flat(data, prefix=""):
    """Nested data as {dotted path: value}."""
    out = {}
    for key, value in data.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        out.update(flat(value, path) if isinstance(value, dict) else {path: value})
    return out


def index_params(index):
    """An index's parameters; the JSON under `params` is opened, so its spelling does not count."""
    params = mapping(index.params)
    try:
        inner = json.loads(params.pop("params", "{}") or "{}")
    except ValueError:
        inner = {}
    params.update({f"params.{key}": str(value) for key, value in inner.items()})
    return params


def compare_maps(report, name, kind, left, right, field=None):
    """Two mappings, entry by entry; the entry's key is the aspect."""
    for key in sorted(left.keys() | right.keys()):
        if left.get(key) != right.get(key):
            report.add(
                name, kind, f"{left.get(key, 'absent')!r} → {right.get(key, 'absent')!r}", field=field, aspect=key
            )


def compare_names(report, name, kind, left, right):
    """Two sets of names."""
    for missing in sorted(set(left) - set(right)):
        report.add(name, f"{kind}_missing", f"{missing} is not on the target", field=missing)
    for extra in sorted(set(right) - set(left)):
        report.add(name, f"{kind}_extra", f"{extra} is only on the target", field=extra)


def attributes(field):
    """A field's attributes by path. The limit of a list's texts has a path of its own: Milvus Lite forgets it."""
    found = flat(field)
    if field.get("data_type") == "Array" and "type_params.max_length" in found:
        found["type_params.element_max_length"] = found.pop("type_params.max_length")
    return found


def compare_fields(report, name, left, right):
    """Fields of a schema, in order and with every attribute."""
    compare_names(report, name, "field", left, right)
    if sorted(left) == sorted(right) and list(left) != list(right):
        report.add(name, "field_order", f"{list(left)} → {list(right)}")
    for field in left.keys() & right.keys():
        compare_maps(report, name, "schema", attributes(left[field]), attributes(right[field]), field)


def compare_schema(report, name, left, right):
    """Two schemas."""
    one, other = plain(left), plain(right)
    descriptions = [side.pop("description", "") for side in (one, other)]
    if descriptions[0] != descriptions[1]:
        report.add(name, "description", " → ".join(map(repr, descriptions)), aspect="collection")
    for part in ("fields", "struct_array_fields"):
        compare_fields(report, name, one.pop(part, {}), other.pop(part, {}))
    functions = [side.pop("functions", {}) for side in (one, other)]
    compare_names(report, name, "function", *functions)
    for function in functions[0].keys() & functions[1].keys():
        compare_maps(report, name, "function", flat(functions[0][function]), flat(functions[1][function]), function)
    compare_maps(report, name, "schema", flat(one), flat(other))


def compare_partitions(report, name, left, right, keyed):
    """Partitions by name; those of a partition key are the server's own, so only their number counts."""
    if not keyed:
        compare_names(report, name, "partition", left, right)
    elif len(left) != len(right):
        report.add(name, "partition_count", f"{len(left)} → {len(right)} partitions of the partition key")


def compare_indexes(report, name, left, right):
    """Indexes by field; then their names and parameters."""
    one, other = ({index.field_name: index for index in side} for side in (left, right))
    compare_names(report, name, "index", one, other)
    for field in sorted(one.keys() & other.keys()):
        if one[field].index_name != other[field].index_name:
            report.add(name, "index_name", f"{one[field].index_name!r} → {other[field].index_name!r}", field=field)
        compare_maps(report, name, "index_params", index_params(one[field]), index_params(other[field]), field)


def load_states(server, db, name, partitions):
    """The load state of the collection and of each partition, where the server tells it."""
    states = {"": server.load_state(db, name)}
    for partition in partitions:
        try:
            states[partition] = server.load_state(db, name, [partition])
        except Refused:
            states[partition] = "unknown"
    return states


def compare_load(report, name, left, right, replicas):
    """Load states and replica numbers; partitions only where the collections agree."""
    for partition in sorted(left.keys() & right.keys()):
        if left[partition] != right[partition]:
            report.add(name, "load_state", f"{left[partition]} → {right[partition]}", aspect=partition or "collection")
            if not partition:
                break
    if None not in replicas and replicas[0] != replicas[1]:
        report.add(name, "load_replicas", f"{replicas[0]} → {replicas[1]}")


def consistency(described):
    """The level's name."""
    return (
        described.DESCRIPTOR.fields_by_name["consistency_level"]
        .enum_type.values_by_number[described.consistency_level]
        .name
    )


def compare(report, name, source, target, left, right):
    """All of it. `source` and `target` are (server, db, collection), `left` and `right` their descriptions."""
    compare_schema(report, name, left.schema, right.schema)
    if left.shards_num != right.shards_num:
        report.add(name, "shards", f"{left.shards_num} → {right.shards_num}")
    if consistency(left) != consistency(right):
        report.add(name, "consistency", f"{consistency(left)} → {consistency(right)}")
    compare_maps(report, name, "property", mapping(left.properties), mapping(right.properties))
    partitions = [server.partitions(db, collection) for server, db, collection in (source, target)]
    keyed = any(made.is_partition_key for made in left.schema.fields)
    compare_partitions(report, name, *partitions, keyed)
    compare_names(
        report, name, "alias", *(server.aliases(db, collection) for server, db, collection in (source, target))
    )
    compare_indexes(report, name, *(server.indexes(db, collection) for server, db, collection in (source, target)))
    states = [load_states(*side, [] if keyed else names) for side, names in zip((source, target), partitions)]
    compare_load(report, name, *states, [side[0].replicas(*side[1:]) for side in (source, target)])
    return [None] if keyed else [partition for partition in partitions[0] if partition in partitions[1]]
