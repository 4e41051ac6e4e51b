"""Values of a BSON document as plain JSON values: total, since any type may stand anywhere.

NaN and infinities become null, as everywhere here. Bytes are never read, since a pickle may stand there: they
become null, too.
"""

import datetime as dt
import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, TypeGuard

import bson
import orjson
from bson import CodecOptions, DatetimeMS, ObjectId
from bson.codec_options import DatetimeConversion
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.regex import Regex
from bson.timestamp import Timestamp

LENIENT: "CodecOptions[dict[str, Any]]" = CodecOptions(
    tz_aware=True,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""Reads what a strict reader refuses: texts that are no UTF-8, times beyond the year 9999."""
_DRIVERS_REFERENCE = b'"$ref":'
"""A name that comes back from the database as a reference of its driver's own."""


class Unreadable(Exception):
    """A document cannot be taken; the message says why, without its content."""


def decode(raw: bytes) -> dict[str, Any]:
    """Decode a BSON document.

    Raises:
        Unreadable: it is no valid BSON.
    """
    try:
        return bson.decode(raw, LENIENT)
    except (BSONError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(f"its BSON cannot be decoded ({type(error).__name__})") from None


def to_json(value: Any, *, sort_keys: bool = False) -> bytes:
    """Write a decoded value as JSON.

    Raises:
        Unreadable: it cannot be written as JSON.
    """
    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        return orjson.dumps(value, default=_other, option=option)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise Unreadable(f"it cannot be written as JSON: {error}") from None


def plain(value: Any) -> Any:
    """Make a copy of a decoded value of JSON's types only, which our documents can hold.

    Raises:
        Unreadable: it cannot be written as JSON.
    """
    return orjson.loads(to_json(value).replace(_DRIVERS_REFERENCE, b'"%24ref":'))


def _other(value: Any) -> Any:
    match value:
        case bytes():
            return None
        case Decimal128():
            return _finite(float(value.to_decimal()))
        case DatetimeMS():
            return int(value)
        case DBRef():
            return dict(value.as_doc())
        case Timestamp():
            return value.time
        case Regex():
            return str(value.pattern)
        case bson.MinKey() | bson.MaxKey():
            return None
        case Mapping():
            return dict(value)
    return str(value)


def _finite(value: float) -> int | float | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def number(value: Any) -> float | None:
    """Read a number, of whatever BSON type, or a time in seconds since the epoch; None if it is neither."""
    match value:
        case bool() | None:
            return None
        case int() | float():
            found: float | int = value
        case Decimal128():
            found = float(value.to_decimal())
        case dt.datetime():
            found = value.timestamp()
        case DatetimeMS():
            found = int(value) / 1000
        case str():
            try:
                found = float(value)
            except ValueError:
                return None
        case _:
            return None
    try:
        read = float(found)
    except OverflowError:
        return None
    return read if math.isfinite(read) else None


def integer(value: Any, default: int) -> int:
    """Read a whole number of 64 bits, of whatever BSON type; the default if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    read = number(value)
    return default if read is None or not -(2.0**63) <= read < 2.0**63 else int(read)


def is_text(value: Any) -> TypeGuard[str]:
    """Say whether a value is a text; BSON's JavaScript code, which the driver makes a kind of it, is none."""
    return type(value) is str


def text(value: Any, default: str = "") -> str:
    """Read a text; the default if it is none."""
    return value if is_text(value) else default


def table(value: Any) -> dict[str, Any]:
    """Read an object; an empty one if it is none."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """Read a list; an empty one if it is none."""
    return value if isinstance(value, list) else []


def name_of(document: Mapping[str, Any]) -> str:
    """Name a document by its `_id`; one that is no usual id by a digest of it."""
    own = document.get("_id")
    if isinstance(own, ObjectId | int) or is_text(own):
        return str(own)
    return f"{type(own).__name__}-{sha256(repr(own).encode()).hexdigest()[:16]}"
