"""Answering a scan's result: at once where it is small, piece by piece where it is large."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from bson import ObjectId
from starlette.responses import Response

from skydriver.rest.etags import headers_with, is_known, known_etags, not_modified
from skydriver.rest.responses import chain_chunks, json_response, streaming_json_response
from skydriver.rest.views import SHOWN_BY, around_result, check_kept, replaced, visible_scan
from skydriver.store import results
from skydriver.store.scans import joined


async def result_answer(
    scan_id: str, headers: Mapping[str, str], *, include_deleted: bool, lead: bool = False
) -> Response:
    """Answer a scan's result; an empty object before there is one.

    One of a single piece takes one round trip. Of a larger one no more than a piece is in memory. What the
    client has is not read: the ETag names the result's version, and whether it is final.

    Args:
        scan_id: the scan.
        headers: of the request.
        include_deleted: whether deleted scans are answered for.
        lead: whether the caller is led to the scan that has taken this one's place.

    Raises:
        NotFound: there is no such scan, it was deleted and deleted ones are not asked for, or its result is
            kept no longer.
        Replaced: another scan has taken its place, and the caller is led there.
        TemporaryError: a newer result has just taken this one's place.
    """
    known = filter(None, map(_read_etag, known_etags(headers)))
    scan, piece = await joined.scan_and_result(scan_id, SHOWN_BY, known=known) or (None, None)
    pointer = visible_scan(scan_id, scan, include_deleted=include_deleted, lead=lead)["result"]
    if pointer is None:
        return json_response({})
    check_kept(scan_id, pointer)
    etag = _write_etag(pointer["version"], is_final=pointer["is_final"])
    if is_known(headers, etag):
        return not_modified(etag)
    if piece is None:
        raise replaced()
    missing = pointer["bytes"] - len(piece)
    before, after = around_result(scan_id, is_final=pointer["is_final"])
    if missing <= 0:
        body = b"".join((before, piece, after))
        return Response(body, media_type="application/json", headers=headers_with(etag))
    rest = _rest(scan_id, pointer["version"], missing)
    answer = await streaming_json_response(chain_chunks(before + piece, rest, after))
    answer.headers.update(headers_with(etag))
    return answer


_ETAG = re.compile(r'"([0-9a-f]{24})-(final|partial)"')


def _write_etag(version: Any, *, is_final: bool) -> str:
    return f'"{version}-{"final" if is_final else "partial"}"'


def _read_etag(etag: str) -> tuple[ObjectId, bool] | None:
    found = _ETAG.fullmatch(etag)
    return (ObjectId(found[1]), found[2] == "final") if found else None


async def _rest(scan_id: str, version: ObjectId, missing: int) -> AsyncIterator[bytes]:
    """Read all pieces but the first, which must have so many bytes: else the answer is cut off."""
    async for piece in results.chunks(scan_id, version, first=1):
        missing -= len(piece)
        yield piece
    if missing:
        raise replaced()
