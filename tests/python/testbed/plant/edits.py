"""What is done to a value: each edit answers another value, or None where the value does not suit."""

import json
import unicodedata

from ..samples import INTS
from ..schemas import kind_of, params_of
from .place import float_bits, from_bits


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
    return next(
        (unicodedata.normalize(form, text) for form in ("NFD", "NFC") if unicodedata.normalize(form, text) != text),
        text,
    )


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


def zero_of(kind):
    """What a careless reader takes null for."""
    return {
        "Bool": False,
        "VarChar": "",
        "JSON": b"{}",
        "Float": 0.0,
        "Double": 0.0,
        "Geometry": "POINT (0 0)",
        "Timestamptz": "1970-01-01T00:00:00Z",
    }.get(kind, 0)
