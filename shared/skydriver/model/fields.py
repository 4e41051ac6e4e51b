"""Kinds of values that arguments share: exact integers, data sizes, booleans, labels."""

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from skydriver.model.json_text import INT64

INT32_MAX = 2**31 - 1


def _no_bool(value: Any) -> Any:
    """Refuse what Python, but no user, takes for a number."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def whole(value: Any) -> Any:
    """Take 1.0 for 1, as JSON does, which knows one kind of number only; anything else stays as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _word_to_bool(value: Any) -> Any:
    """Take the words for yes and no that v1 took: y, yes, t, true, on, 1 and their opposites."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("y", "yes", "t", "true", "on", "1"):
            return True
        if word in ("n", "no", "f", "false", "off", "0"):
            return False
    elif isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    raise ValueError("must be true or false")


def _size_to_bytes(value: Any) -> int:
    """Read a data size as humanfriendly does: `8G` is decimal, `8GiB` binary, a bare number bytes."""
    value = whole(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a data size such as '8G' or '512MiB'")
    # Few functions read sizes.
    import humanfriendly

    try:
        size = value if isinstance(value, int) else humanfriendly.parse_size(value)
    except (humanfriendly.InvalidSize, ValueError, OverflowError):
        raise ValueError("invalid data size: must be like '8G' or '512MiB'") from None
    if not 0 < size < 2**53:
        raise ValueError("must be a data size greater than zero and below 2^53 bytes")
    return size


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be null")
    return value


def _scalar(value: Any) -> Any:
    if value is not None and not isinstance(value, str | bool | int | float):
        raise ValueError("values must be strings, numbers, booleans or null")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    if isinstance(value, int) and value not in INT64:
        raise ValueError("whole numbers must fit into 64 bits")
    return value


NotNull = BeforeValidator(_not_null)
NoBool = BeforeValidator(_no_bool)
# Bounds stand before NoBool: only there do JSON Schemas of these types tell of them.
Integer = Annotated[int, Field(ge=-INT32_MAX, le=INT32_MAX), NoBool]
PositiveInteger = Annotated[int, Field(ge=1, le=INT32_MAX), NoBool]
Integer64 = Annotated[int, Field(ge=INT64[0], le=INT64[-1]), NoBool]
Number = Annotated[float, Field(allow_inf_nan=False), NoBool]
Boolean = Annotated[bool, BeforeValidator(_word_to_bool, json_schema_input_type=bool | str | Literal[0, 1])]
Bytes = Annotated[int, BeforeValidator(_size_to_bytes, json_schema_input_type=int | str)]
Scalar = Annotated[str | bool | int | float | None, BeforeValidator(_scalar)]
