"""Answers of REST routes: JSON, and errors as `{code, error}` with a sentence to read."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from skydriver.errors import (
    Busy,
    Conflict,
    Forbidden,
    InvalidArguments,
    NotFound,
    SkyDriverError,
    TemporaryError,
    TooLarge,
)

_STATUS: tuple[tuple[type[SkyDriverError], int], ...] = (
    (InvalidArguments, 400),
    (Conflict, 400),
    (Forbidden, 403),
    (NotFound, 404),
    (TooLarge, 413),
    (Busy, 503),
    (TemporaryError, 503),
    (SkyDriverError, 400),
)
RETRY_AFTER = "5"


def json_answer(content: Any) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(content), media_type="application/json")


def error_answer(code: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with an error, as v1 did, but with a sentence that helps."""
    body = orjson.dumps({"code": code, "error": error})
    return Response(body, status_code=code, media_type="application/json", headers=dict(headers or {}))


def answer_of(error: SkyDriverError) -> Response:
    """Turn one of our errors into the answer that a client gets."""
    code = next(status for kind, status in _STATUS if isinstance(error, kind))
    return error_answer(code, str(error), {"Retry-After": RETRY_AFTER} if code == 503 else None)
