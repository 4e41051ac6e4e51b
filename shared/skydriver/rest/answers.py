"""Answers of REST routes: JSON, and errors as `{code, error}` with a sentence to read."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from skydriver.errors import (
    AlreadyUsed,
    Busy,
    Conflict,
    Forbidden,
    InvalidArguments,
    NotFound,
    SkyDriverError,
    TemporaryError,
    TooLarge,
    TooMany,
    TooSlow,
)

_STATUS: tuple[tuple[type[SkyDriverError], int], ...] = (
    (InvalidArguments, 400),
    (Conflict, 400),
    (Forbidden, 403),
    (NotFound, 404),
    (AlreadyUsed, 409),
    (TooSlow, 408),
    (TooLarge, 413),
    (TooMany, 429),
    (Busy, 503),
    (TemporaryError, 503),
    (SkyDriverError, 400),
)
RETRY_AFTER = "5"
PIECE = 2**16
"""Bytes that a streamed answer is sent in at a time."""


def json_answer(content: Any) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(content), media_type="application/json")


async def streamed_json(pieces: AsyncIterator[bytes]) -> Response:
    """Answer with JSON that is written as it is read, so that it never is in memory as a whole.

    What goes wrong before the first piece is an error like any other. What goes wrong later cuts the answer
    off, which no client takes for a whole one.
    """
    first = await anext(pieces)
    return StreamingResponse(_gathered(first, pieces), media_type="application/json")


async def _gathered(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Put small pieces together: each costs a passage through the whole server."""
    waiting, size = [first], len(first)
    if size >= PIECE:
        yield first
        waiting, size = [], 0
    async for piece in rest:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def error_answer(code: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with an error, as v1 did, but with a sentence that helps."""
    body = orjson.dumps({"code": code, "error": error})
    return Response(body, status_code=code, media_type="application/json", headers=dict(headers or {}))


def answer_of(error: SkyDriverError) -> Response:
    """Turn one of our errors into the answer that a client gets."""
    code = next(status for kind, status in _STATUS if isinstance(error, kind))
    return error_answer(code, str(error), {"Retry-After": RETRY_AFTER} if code in (429, 503) else None)
