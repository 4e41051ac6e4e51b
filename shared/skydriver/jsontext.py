"""Reading JSON, also as a scanner writes it: Python writes NaN and infinities, which JSON has not."""

import json
from typing import Any

import orjson


class NoNumberError(ValueError):
    """There is a NaN or an infinity; `field` says where, as a dotted path."""

    def __init__(self, field: str, constant: str) -> None:
        self.field = field
        super().__init__(f"must be a finite number, not {constant}")


def read_json(text: bytes | str, *, nan_as_null: bool = False) -> Any:
    """Read JSON.

    Args:
        text: the JSON.
        nan_as_null: whether NaN and infinities are read as null.

    Raises:
        NoNumberError: it holds NaN or an infinity.
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Slower, and taken by few only.
        constant = (lambda _: None) if nan_as_null else _Constant
        try:
            value = json.loads(text, parse_constant=constant, parse_int=_integer)
        except (ValueError, RecursionError):
            raise error from None
        if nan_as_null:
            return value
        _refuse_constants(value)
        raise


class _Constant(str):
    """The word for a NaN or an infinity."""


def _integer(digits: str) -> int | float:
    """Read a whole number as orjson does: one that does not fit into 64 bits is a float."""
    value = int(digits) if len(digits) <= 20 else float(digits)
    return value if -(2**63) <= value < 2**64 else float(value)


def _refuse_constants(value: Any) -> None:
    waiting = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, _Constant):
            raise NoNumberError(path, item)
        inner = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        # Backwards, so that the first one is found first.
        waiting += [(f"{path}.{name}".lstrip("."), one) for name, one in inner][::-1]
