"""Answers of REST routes: JSON, and errors as `{code, error}` with a sentence to read."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from skydriver.runtime.error_response import error_answer

CHUNK_BYTES = 2**18
"""Bytes that a streamed answer is sent in at a time."""


def json_response(content: Any) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(content), media_type="application/json")


async def streaming_json_response(pieces: AsyncIterator[bytes]) -> Response:
    """Answer with JSON that is written as it is read, so that no more than a part of it is in memory.

    What goes wrong in the first part is an error like any other. What goes wrong later cuts the answer off,
    which no client takes for a whole one.
    """
    parts = _merge_chunks(pieces)
    first = await anext(parts)
    if len(first) < CHUNK_BYTES:
        return Response(first, media_type="application/json")
    return StreamingResponse(chain_chunks(first, parts), media_type="application/json")


async def chain_chunks(first: bytes, rest: AsyncIterator[bytes], *last: bytes) -> AsyncIterator[bytes]:
    """Go through a first piece, those that are read, and the last ones."""
    yield first
    async for piece in rest:
        yield piece
    for piece in last:
        yield piece


async def _merge_chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Put small pieces together: each costs a passage through the whole server. The last one is smaller."""
    waiting: list[bytes] = []
    size = 0
    async for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def not_found_or_method_not_allowed(method: str, path: str, allowed: tuple[str, ...] = ()) -> Response:
    """Answer to what no route serves: a path that there is not, or a path but by other methods only."""
    if allowed:
        said = f"{method} is not served at {path}, but {' and '.join(allowed)}"
        served = [*allowed, "HEAD"] if "GET" in allowed else allowed
        return error_answer(405, said, {"Allow": ", ".join(served)})
    return error_answer(404, f"there is no {path}; /docs shows what there is")


def takes_html(headers: Mapping[str, str]) -> bool:
    """Say whether a client asks for HTML by name, as browsers do (RFC 9110, 12.5.1)."""
    for one in headers.get("accept", "").lower().split(","):
        kind, *parameters = (part.strip() for part in one.split(";"))
        if kind == "text/html":
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False


async def without_body(answer: Response) -> Response:
    """Make the answer to HEAD of that to GET: the same headers, and nothing of what they describe."""
    if isinstance(answer, StreamingResponse) and isinstance(answer.body_iterator, AsyncGenerator):
        await answer.body_iterator.aclose()
    head = Response(status_code=answer.status_code)
    head.raw_headers = answer.raw_headers
    return head


class Replaced(Exception):
    """A user asks for a scan whose place another one has taken: `scan_id`."""

    def __init__(self, scan_id: str) -> None:
        self.scan_id = scan_id
        super().__init__(scan_id)


def led_to(scan_id: str, path: str, query: bytes) -> Response:
    """Lead a client to the same route of another scan, with the same query (302, as SkyDriver v2).

    Args:
        scan_id: the other scan.
        path: the route's, with `{scan_id}`.
        query: of the request, as it came.
    """
    location = path.replace("{scan_id}", scan_id) + (f"?{query.decode('latin-1')}" if query else "")
    return Response(status_code=302, headers={"Location": location})
