"""One scalar, list, document or null of one row changed."""
import json
import unicodedata

from ..schemas import DEFAULT_SLOTS, kind_of, params_of
from ..samples import INTS
from . import DoesNotApply, Kind, LITE, found
from .place import float_bits, from_bits

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

    return Kind(name, what, plant, f"a field of type {kind}" if kind != DYNAMIC else "dynamic fields", **({"servers": servers} if servers else {}))


def off_by_one(value, made):
    """The next integer, or the one before at the top."""
    top = (1 << (INTS[kind_of(made)] - 1)) - 1
    return value + 1 if value < top else value - 1


def last_bit(form):
    """A float with its last bit flipped."""
    return lambda value, made: from_bits(float_bits(value, form) ^ 1, form)


def zero_sign(form):
    """0.0 as -0.0 and the other way."""
    top = 63 if form == "<d" else 31
    return lambda value, made: from_bits(float_bits(value, form) ^ (1 << top), form) if value == 0 else None


def fitting(text, old, made):
    """A text if it is another one and fits into the field."""
    return text if text != old and len(text.encode()) <= int(params_of(made).get("max_length", 65535)) else None


def other_form(text):
    """The same text in another Unicode normal form."""
    return next((unicodedata.normalize(form, text) for form in ("NFD", "NFC") if unicodedata.normalize(form, text) != text), text)


def edit_object(edit):
    """An edit of a JSON object; `edit(object)` changes it in place and says whether it did."""

    def edited(value, made):
        try:
            document = json.loads(value)
        except ValueError:
            return None
        return json.dumps(document).encode() if isinstance(document, dict) and edit(document) else None

    return edited


def reorder(value, made):
    """The same object with its keys in reverse order, and other spaces."""
    document = json.loads(value)
    if not isinstance(document, dict) or len(document) < 2:
        return None
    return json.dumps(dict(reversed(document.items())), indent=1, ensure_ascii=False).encode()


def change_any(document):
    """A string or boolean of the object gets another value."""
    for key, value in document.items():
        if isinstance(value, str):
            document[key] = value + "!"
            return True
        if isinstance(value, bool):
            document[key] = not value
            return True
    return False


def change_nested(document):
    """Something one level down changes."""
    inner = next((value for value in document.values() if isinstance(value, dict) and value), None)
    if inner is not None:
        inner[next(iter(inner))] = "planted"
    return inner is not None


def number_as_text(document):
    """1 becomes "1"."""
    key = next((key for key, value in document.items() if type(value) in (int, float)), None)
    if key is not None:
        document[key] = str(document[key])
    return key is not None


def big_number(document):
    """An integer beyond 2**53 moves by one: equal for whoever reads it as a double."""
    key = next((key for key, value in document.items() if type(value) is int and abs(value) > 1 << 54), None)
    if key is not None:
        document[key] -= 1 if document[key] > 0 else -1
    return key is not None


def null_for_absent(document):
    """A key that was not there, with null."""
    document["planted"] = None
    return True


def list_edit(edit):
    """An edit of a list: `edit(values)` answers the new list or None."""

    def edited(value, made):
        slot = value.WhichOneof("data")
        new = edit(list(getattr(value, slot).data)) if slot else None
        if new is None:
            return None
        row = type(value)()
        getattr(row, slot).SetInParent()
        getattr(row, slot).data.extend(new)
        return row

    return edited


def other_element(values):
    """The last element becomes another one."""
    if not values:
        return None
    last = values[-1]
    new = (not last) if isinstance(last, bool) else last[:-1] + "~" if isinstance(last, str) else 1 if last == 0 else 0
    return values[:-1] + [new]


def null_kind(name, what, wanted, new, kinds=None):
    """A kind that turns null into a value or a value into null."""

    def plant(place):
        for made in place.fields():
            kind = kind_of(made)
            if not made.nullable or kind not in DEFAULT_SLOTS or (kinds and kind not in kinds) or made.HasField("default_value"):
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


def zero_of(kind):
    """What a careless reader takes null for."""
    return {"Bool": False, "VarChar": "", "JSON": b"{}", "Float": 0.0, "Double": 0.0, "Geometry": "POINT (0 0)",
            "Timestamptz": "1970-01-01T00:00:00Z"}.get(kind, 0)


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
    change("text_truncated", "a VarChar lost its last character", "VarChar", lambda value, made: value[:-1] if len(value) > 1 else None),
    change("text_trailing_space", "a space at a VarChar's end", "VarChar", lambda value, made: fitting(value + " ", value, made)),
    change("text_unicode_form", "a VarChar in another Unicode normal form", "VarChar", lambda value, made: fitting(other_form(value), value, made)),
    change("text_case", "a VarChar in another case", "VarChar", lambda value, made: fitting(value.swapcase(), value, made)),
    change("text_emptied", "a VarChar became empty", "VarChar", lambda value, made: "" if value else None)]
NUMBERS = [change("bool_flipped", "a Bool is the other one", "Bool", lambda value, made: not value)] + [
    change(f"{kind.lower()}_off_by_one", f"an {kind} differs by one", kind, off_by_one) for kind in INTS] + [
    change("float_last_bit", "a Float's last bit", "Float", last_bit("<f")), change("double_last_bit", "a Double's last bit", "Double", last_bit("<d")),
    change("float_zero_sign", "0.0 against -0.0 in a Float", "Float", zero_sign("<f")),
    change("double_zero_sign", "0.0 against -0.0 in a Double", "Double", zero_sign("<d"))]
DOCUMENTS = [
    change("json_value", "a value in a JSON document", "JSON", edit_object(change_any)),
    change("json_nested_value", "a value deep in a JSON document", "JSON", edit_object(change_nested)),
    change("json_key_order", "a JSON document's key order and spaces: harmless", "JSON", reorder, harmless=True),
    change("json_number_as_text", "a number in JSON became text", "JSON", edit_object(number_as_text)),
    change("json_big_number", "an integer beyond 2**53 in JSON differs by one", "JSON", edit_object(big_number)),
    change("json_null_for_absent", "a JSON key with null that was absent", "JSON", edit_object(null_for_absent)),
    change("dynamic_value", "a dynamic field's value", DYNAMIC, edit_object(change_any)),
    change("dynamic_key_removed", "a dynamic field is gone", DYNAMIC, edit_object(lambda document: bool(document) and document.popitem())),
    change("dynamic_key_added", "a dynamic field too many", DYNAMIC, edit_object(lambda document: document.update(planted=1) or True)),
    change("dynamic_key_order", "the order of dynamic fields: harmless", DYNAMIC, reorder, harmless=True)]
LISTS = [
    change("list_element", "an element of a list", "Array", list_edit(other_element)),
    change("list_shortened", "a list lost its last element", "Array", list_edit(lambda values: values[:-1] if values else None)),
    change("list_emptied", "a list became empty", "Array", list_edit(lambda values: [] if values else None)),
    change("list_order", "a list in another order", "Array", list_edit(lambda values: values[::-1] if values != values[::-1] else None))]
NEWEST = [
    null_kind("null_for_value", "null where a value was", False, lambda kind: None),
    null_kind("zero_for_null", "zero where null was", True, zero_of, set(INTS) | {"Float", "Double", "Bool"}),
    null_kind("empty_text_for_null", "an empty VarChar where null was", True, zero_of, {"VarChar"}),
    Kind("default_for_value", "the default where another value was", default_for_value, "a field with a default", ("2.3.5", "lite")),
    change("geometry_moved", "a point moved", "Geometry", lambda value, made: "POINT (12.5 -7.25)", servers=LITE),
    change("time_moved", "a time moved", "Timestamptz", lambda value, made: "2031-01-01T00:00:00.000001Z", servers=LITE)]
KINDS = NUMBERS + TEXTS + DOCUMENTS + LISTS + NEWEST
