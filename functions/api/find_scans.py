"""`POST /scans/find`: finds scans by a MongoDB filter of their manifests."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.responses import Response

from skydriver.model.manifest import FIND_FIELDS, manifest_of
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.responses import streaming_json_response
from skydriver.rest.search import FindArguments, write_cursor
from skydriver.rest.views import requested_fields
from skydriver.settings import settings
from skydriver.store.scans import search as scan_search


@endpoint("POST /scans/find", roles=(Role.USER,), arguments=FindArguments, answer="Found")
async def find_scans(request: RequestContext[FindArguments]) -> Response:
    """Answer the manifests that match as they are found, deleted ones only if they are asked for."""
    asked = request.arguments
    fields = requested_fields(asked, FIND_FIELDS, FIND_FIELDS)
    found = scan_search.find(
        asked.condition,
        {*fields, "timestamp", "scan_id"},
        max_time_ms=int(settings().find_deadline * 1000),
        # One more says whether there is another page.
        limit=None if asked.limit is None else asked.limit + 1,
        after=asked.cursor,
    )
    return await streaming_json_response(_answer(found, fields, asked.limit))


async def _answer(
    found: AsyncIterator[list[dict[str, Any]]], fields: tuple[str, ...], limit: int | None
) -> AsyncIterator[bytes]:
    """Write the answer batch by batch."""
    count = 0
    cursor: str | None = None
    last: dict[str, Any] = {}
    async for batch in found:
        page = batch if limit is None else batch[: limit - count]
        if page:
            yield b"," if count else b'{"manifests":['
            yield orjson.dumps([manifest_of(scan, fields) for scan in page])[1:-1]
            count, last = count + len(page), page[-1]
        if len(page) < len(batch):
            cursor = write_cursor((last["timestamp"], last["scan_id"]))
    yield b"]" if count else b'{"manifests":[]'
    yield b"}" if limit is None else b',"cursor":%b}' % orjson.dumps(cursor)
