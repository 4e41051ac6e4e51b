"""Answering a scan's result: at once where it is small, piece by piece where it is large."""

from collections.abc import AsyncIterator

from bson import ObjectId
from starlette.responses import Response

from skydriver.rest.responses import chain_chunks, json_response, streaming_json_response
from skydriver.rest.views import SHOWN_BY, around_result, check_kept, replaced, visible_scan
from skydriver.store import results
from skydriver.store.scans import joined


async def result_answer(scan_id: str, *, include_deleted: bool, lead: bool = False) -> Response:
    """Answer a scan's result; an empty object before there is one.

    One of a single piece takes one round trip. Of a larger one no more than a piece is in memory.

    Raises:
        NotFound: there is no such scan, it was deleted and deleted ones are not asked for, or its result is
            kept no longer.
        Replaced: another scan has taken its place, and the caller is led there.
        TemporaryError: a newer result has just taken this one's place.
    """
    scan, piece = await joined.scan_and_result(scan_id, SHOWN_BY) or (None, None)
    pointer = visible_scan(scan_id, scan, include_deleted=include_deleted, lead=lead)["result"]
    if pointer is None:
        return json_response({})
    check_kept(scan_id, pointer)
    if piece is None:
        raise replaced()
    missing = pointer["bytes"] - len(piece)
    before, after = around_result(scan_id, is_final=pointer["is_final"])
    if missing <= 0:
        return Response(b"".join((before, piece, after)), media_type="application/json")
    rest = _rest(scan_id, pointer["version"], missing)
    return await streaming_json_response(chain_chunks(before + piece, rest, after))


async def _rest(scan_id: str, version: ObjectId, missing: int) -> AsyncIterator[bytes]:
    """Read all pieces but the first, which must have so many bytes: else the answer is cut off."""
    async for piece in results.chunks(scan_id, version, first=1):
        missing -= len(piece)
        yield piece
    if missing:
        raise replaced()
