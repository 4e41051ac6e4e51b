"""Reading JSON, also as a scanner writes it: Python writes NaN and infinities, which JSON has not."""

import json
from typing import Any

import orjson


def read_json(text: bytes | str, *, nan_as_null: bool = False) -> Any:
    """Read JSON.

    Args:
        text: the JSON.
        nan_as_null: whether NaN and infinities are read as null; otherwise they are refused.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if not nan_as_null:
            raise
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError(f"nested too deep: {error}") from None
