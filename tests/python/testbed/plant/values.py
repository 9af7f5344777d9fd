"""One scalar, list, document or null of one row changed."""

from ..samples import INTS
from ..schemas import DEFAULT_SLOTS, kind_of
from . import LITE, DoesNotApply, Kind, edits, found

DYNAMIC = "$meta"


def change(name, what, kind, edit, harmless=False, servers=None):
    """A kind that edits a value of a type. `edit(value, field)` answers the new value, or None where the value does not suit."""

    def plant(place):
        names = [DYNAMIC] if kind == DYNAMIC else [made.name for made in place.fields(kind)]
        by_name = {made.name: made for made in place.schema.fields}
        for field in names:
            if field == DYNAMIC and not place.schema.enable_dynamic_field:
                continue
            edited = lambda row: None if row.scalar(field) is None else edit(row.scalar(field), by_name.get(field))
            try:
                row = place.pick(lambda row: edited(row) is not None)
            except DoesNotApply:
                continue
            row.put(field, edited(row))
            place.replace(row)
            return [] if harmless else [found("value", row.key, field)]
        raise DoesNotApply(f"no field of type {kind} with a value that suits")

    return Kind(
        name,
        what,
        plant,
        f"a field of type {kind}" if kind != DYNAMIC else "dynamic fields",
        **({"servers": servers} if servers else {}),
    )


def null_kind(name, what, wanted, new, kinds=None):
    """A kind that turns null into a value or a value into null."""

    def plant(place):
        for made in place.fields():
            kind = kind_of(made)
            if (
                not made.nullable
                or kind not in DEFAULT_SLOTS
                or (kinds and kind not in kinds)
                or made.HasField("default_value")
            ):
                continue
            try:
                row = place.pick(lambda row: row.is_null(made.name) == wanted)
            except DoesNotApply:
                continue
            row.put(made.name, new(kind))
            place.replace(row)
            return [found("value", row.key, made.name)]
        raise DoesNotApply("no nullable field that suits")

    return Kind(name, what, plant, "a nullable field", LITE)


def default_for_value(place):
    """A given value becomes the field's default."""
    for made in place.fields():
        slot = made.default_value.WhichOneof("data")
        if slot:
            default = getattr(made.default_value, slot)
            row = place.pick(lambda row: row.scalar(made.name) not in (None, default))
            row.put(made.name, default)
            place.replace(row)
            return [found("value", row.key, made.name)]
    raise DoesNotApply("no field with a default")


TEXTS = [
    change(
        "text_truncated",
        "a VarChar lost its last character",
        "VarChar",
        lambda value, made: value[:-1] if len(value) > 1 else None,
    ),
    change(
        "text_trailing_space",
        "a space at a VarChar's end",
        "VarChar",
        lambda value, made: edits.fitting(value + " ", value, made),
    ),
    change(
        "text_unicode_form",
        "a VarChar in another Unicode normal form",
        "VarChar",
        lambda value, made: edits.fitting(edits.other_form(value), value, made),
    ),
    change(
        "text_case",
        "a VarChar in another case",
        "VarChar",
        lambda value, made: edits.fitting(value.swapcase(), value, made),
    ),
    change("text_emptied", "a VarChar became empty", "VarChar", lambda value, made: "" if value else None),
]
NUMBERS = (
    [change("bool_flipped", "a Bool is the other one", "Bool", lambda value, made: not value)]
    + [change(f"{kind.lower()}_off_by_one", f"an {kind} differs by one", kind, edits.off_by_one) for kind in INTS]
    + [
        change("float_last_bit", "a Float's last bit", "Float", edits.last_bit("<f")),
        change("double_last_bit", "a Double's last bit", "Double", edits.last_bit("<d")),
        change("float_zero_sign", "0.0 against -0.0 in a Float", "Float", edits.zero_sign("<f")),
        change("double_zero_sign", "0.0 against -0.0 in a Double", "Double", edits.zero_sign("<d")),
    ]
)
DOCUMENTS = [
    change("json_value", "a value in a JSON document", "JSON", edits.edit_object(edits.change_any)),
    change("json_nested_value", "a value deep in a JSON document", "JSON", edits.edit_object(edits.change_nested)),
    change("json_key_order", "a JSON document's key order and spaces: harmless", "JSON", edits.reorder, harmless=True),
    change("json_number_as_text", "a number in JSON became text", "JSON", edits.edit_object(edits.number_as_text)),
    change(
        "json_big_number", "an integer beyond 2**53 in JSON differs by one", "JSON", edits.edit_object(edits.big_number)
    ),
    change(
        "json_null_for_absent", "a JSON key with null that was absent", "JSON", edits.edit_object(edits.null_for_absent)
    ),
    change("dynamic_value", "a dynamic field's value", DYNAMIC, edits.edit_object(edits.change_any)),
    change(
        "dynamic_key_removed",
        "a dynamic field is gone",
        DYNAMIC,
        edits.edit_object(lambda document: bool(document) and document.popitem()),
    ),
    change(
        "dynamic_key_added",
        "a dynamic field too many",
        DYNAMIC,
        edits.edit_object(lambda document: document.update(planted=1) or True),
    ),
    change("dynamic_key_order", "the order of dynamic fields: harmless", DYNAMIC, edits.reorder, harmless=True),
]
LISTS = [
    change("list_element", "an element of a list", "Array", edits.list_edit(edits.other_element)),
    change(
        "list_shortened",
        "a list lost its last element",
        "Array",
        edits.list_edit(lambda values: values[:-1] if values else None),
    ),
    change("list_emptied", "a list became empty", "Array", edits.list_edit(lambda values: [] if values else None)),
    change(
        "list_order",
        "a list in another order",
        "Array",
        edits.list_edit(lambda values: values[::-1] if values != values[::-1] else None),
    ),
]
NEWEST = [
    null_kind("null_for_value", "null where a value was", False, lambda kind: None),
    null_kind("zero_for_null", "zero where null was", True, edits.zero_of, set(INTS) | {"Float", "Double", "Bool"}),
    null_kind("empty_text_for_null", "an empty VarChar where null was", True, edits.zero_of, {"VarChar"}),
    Kind(
        "default_for_value",
        "the default where another value was",
        default_for_value,
        "a field with a default",
        ("2.3.5", "lite"),
    ),
    change("geometry_moved", "a point moved", "Geometry", lambda value, made: "POINT (12.5 -7.25)", servers=LITE),
    change(
        "time_moved", "a time moved", "Timestamptz", lambda value, made: "2031-01-01T00:00:00.000001Z", servers=LITE
    ),
]
KINDS = NUMBERS + TEXTS + DOCUMENTS + LISTS + NEWEST
