"""ETags: a client that has an answer already is told so, by a 304 without a body (RFC 9110, 13.1.2)."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

_HEADERS = {"Cache-Control": "private, no-cache"}
"""A client that keeps an answer asks each time whether it still is the same."""

_HASHED_AT_ONCE = 2047
"""Bytes that are hashed without giving up the interpreter's lock (`hashlib`): under load, a function waits
longer to get it back from the threads of MongoDB's driver than it hashes a manifest."""
_SMALL = 2**16
"""Bytes of an answer that takes so little time to hash that other threads can wait for it."""


def known_etags(headers: Mapping[str, str]) -> list[str]:
    """List what a client has, by its ETags; `*` stands for anything.

    Args:
        headers: of the request.
    """
    return [part.strip().removeprefix("W/") for part in headers.get("if-none-match", "").split(",")]


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Say whether a client has what an ETag names.

    Args:
        headers: of the request.
        etag: with its quotes.
    """
    given = known_etags(headers)
    return etag in given or given == ["*"]


def etag_of(content: bytes) -> str:
    """Name bytes: the same bytes, the same ETag."""
    digest = hashlib.sha256()
    step = _HASHED_AT_ONCE if len(content) <= _SMALL else len(content)
    for start in range(0, len(content), step):
        digest.update(content[start : start + step])
    return f'"{digest.hexdigest()[:32]}"'


def json_with_etag(headers: Mapping[str, str], content: Any) -> Response:
    """Answer with JSON and the ETag of its bytes, or with a 304.

    Args:
        headers: of the request.
        content: the answer.
    """
    body = orjson.dumps(content)
    etag = etag_of(body)
    if is_known(headers, etag):
        return not_modified(etag)
    return Response(body, media_type="application/json", headers=headers_with(etag))


def headers_with(etag: str) -> dict[str, str]:
    """Make the headers of an answer that an ETag names."""
    return {**_HEADERS, "ETag": etag}


def not_modified(etag: str) -> Response:
    """Say that the client has it already."""
    return Response(status_code=304, headers=headers_with(etag))
