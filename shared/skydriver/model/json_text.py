"""The one reader of JSON that others send: bodies, texts within bodies, events, files of events.

It takes what v1 took, which read with Python's `json.loads`:

- UTF-8, UTF-16 and UTF-32, with or without a byte order mark (RFC 8259, 8.1, lets a reader ignore the mark);
- NaN, Infinity and -Infinity, which Python writes and JSON has not. They are read as floats, which
  `write_json` writes as null, and fields that hold numbers refuse;
- a name that stands twice in an object: the last one wins.

Whole numbers are exact, however large: each field says how large its own may be. Lone surrogates are no
Unicode, and objects nested deeper than 200 levels cannot be stored: both are refused as no JSON.
"""

import json
import math
import re
from typing import Any

import orjson
from pydantic_core import from_json

INT64 = range(-(2**63), 2**63)
"""The whole numbers that the database can keep (BSON's type `long`)."""
_MARK = "\ufeff"


class NotUnicodeError(ValueError):
    """Bytes are no text of Unicode: they are in another encoding, or compressed."""

    def __init__(self) -> None:
        super().__init__("must be text in UTF-8, UTF-16 or UTF-32, in no other encoding and not compressed")


def read_json(text: bytes | str) -> Any:
    """Read JSON.

    Raises:
        NotUnicodeError: it is no text of Unicode.
        ValueError: it is no JSON.
    """
    if isinstance(text, bytes) and (encoding := json.detect_encoding(text)) != "utf-8":
        try:
            text = text.decode(encoding)
        except UnicodeDecodeError:
            raise NotUnicodeError from None
    try:
        return from_json(text.removeprefix(_MARK).encode() if isinstance(text, str) else text)
    except ValueError as error:
        if isinstance(text, bytes) and not _is_utf8(text):
            raise NotUnicodeError from None
        raise ValueError(str(error)) from None


def read_json_around(text: bytes, name: str) -> Any:
    """Read a JSON object, but leave the object that it holds under a name as the text that it is.

    What is large is then neither read nor written anew. It is read where its text cannot be kept: it has NaN
    in it, numbers that other readers may not take, deep nesting or characters beyond ASCII.

    Args:
        text: JSON.
        name: of the object that is left.

    Returns:
        What `read_json` returns, with a view into the text in the place of that object.

    Raises:
        NotUnicodeError: it is no text of Unicode.
        ValueError: it is no JSON.
    """
    import msgspec  # few read anything so large

    try:
        parts = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError):
        return read_json(text)
    left = memoryview(parts.get(name, b""))
    if not _OBJECT.match(left) or not _may_be_kept(text):
        return read_json(text)
    return {one: left if one == name else read_json(bytes(part)) for one, part in parts.items()}


def _may_be_kept(text: bytes) -> bool:
    """Say whether JSON is certain to be taken by every reader as `write_json` would write it."""
    if not text.isascii():
        return False
    brackets = bytearray()
    for start in range(0, len(text), _SLICE):
        end = start + _SLICE
        digits = text[start : end + len(_LONG_INTEGER)].translate(_DIGITS_AND_STARTS)
        if any(part in digits for part in (_LONG_INTEGER, *_LARGE_EXPONENTS)):
            return False
        brackets += text[start:end].translate(None, _ALL_BUT_BRACKETS)
    for _ in range(_SHALLOW):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return not brackets


def write_json(value: Any, *, sort_keys: bool = False) -> bytes:
    """Write JSON as it is kept: NaN and infinities are null.

    Raises:
        ValueError: it cannot be written: a whole number has more than 64 bits (the error names its place),
            objects are nested too deep, or a text is no Unicode.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else 0)
    except orjson.JSONEncodeError as error:
        check_integers(value)
        raise ValueError(f"cannot be stored as JSON: {error}") from None


def may_hold_long_integers(text: bytes) -> bool:
    """Say whether a whole number in JSON may not fit into 64 bits.

    One that does not has 19 digits or more. To look for these in the text takes a tenth of the time that
    `check_integers` needs, which an event of 500 kB would spend half of its request in.
    """
    return _LONG_INTEGER in text.translate(_DIGITS_AND_STARTS)


# Digits become zeros, and what may stand before a number a comma: not a point, whose digits are a fraction's.
_DIGITS_AND_STARTS = bytes.maketrans(b"123456789E:[- \t\n\r", b"000000000e,,,,,,,")
_LONG_INTEGER = b"," + 19 * b"0"
_LARGE_EXPONENTS = (b"e000", b"e+000")
"""A number with one of these may be infinite to who reads it (IEEE 754: above 1.8e308)."""
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SLICE = 2**20
"""Bytes that are looked at together."""
_SHALLOW = 20
"""Levels; a result has four."""
_OBJECT = re.compile(rb'\{\s*"')
"""How an object begins that holds something."""


def check_integers(value: Any) -> None:
    """Check that whole numbers fit into 64 bits, since the database would make floats of others.

    Raises:
        ValueError: one does not fit; the error names its place by a dotted path.
    """
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, int) and item not in INT64:
            place = _place_of(item, value)
            raise ValueError(f"{place}{' ' if place else ''}must be a whole number that fits into 64 bits")


def null_for_nan(document: dict[str, Any]) -> dict[str, Any]:
    """Put null in the place of NaN and infinities, in the document itself, and return it."""
    waiting: list[Any] = [document]
    while waiting:
        item = waiting.pop()
        for key, inner in item.items() if isinstance(item, dict) else enumerate(item):
            if isinstance(inner, dict | list):
                waiting.append(inner)
            elif isinstance(inner, float) and not math.isfinite(inner):
                item[key] = None
    return document


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _place_of(wanted: Any, value: Any) -> str:
    """Say where something stands, as a dotted path: slower than to find out that it is there."""
    waiting = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if item is wanted:
            break
        inner = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        waiting += [(f"{path}.{name}".lstrip("."), one) for name, one in inner]
    return path
