"""`PUT /scan/SCAN_ID/result`: a scanner server reports its result so far, or the final one."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from skydriver.lifecycle.scanner.reports import report_result
from skydriver.model.reports import ResultReport
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint, unless_late
from skydriver.rest.responses import CHUNK_BYTES, chain_chunks, streaming_json_response
from skydriver.rest.views import around_result
from skydriver.settings import settings


@endpoint(
    "PUT /scan/{scan_id}/result",
    roles=(Role.SYSTEM, Role.SCANNER),
    arguments=ResultReport,
    limit=lambda: settings().max_result_bytes,
    answer="Result",
    unparsed="skyscan_result",
)
async def put_result(request: RequestContext[ResultReport]) -> Response | dict[str, Any]:
    """Store the result and answer it; an empty one is answered with an empty object and not stored.

    A result that the scan does not take is a 409, and to a scanner server an empty object.
    """
    content, is_final = request.arguments.skyscan_result, request.arguments.is_final
    taken = await unless_late(
        request,
        report_result(request.scan_id, attempt=request.attempt, content=content, is_final=is_final),
    )
    if not taken:
        return {}
    before, after = around_result(request.scan_id, is_final=is_final)
    return await streaming_json_response(chain_chunks(before, _pieces(content), after))


async def _pieces(content: memoryview) -> AsyncIterator[bytes]:
    """Go through what is large without a copy of it as a whole."""
    for start in range(0, len(content), CHUNK_BYTES):
        yield bytes(content[start : start + CHUNK_BYTES])
