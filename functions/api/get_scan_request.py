"""`GET /scan-request/SCAN_ID`: what was asked for, as a scan keeps it."""

from typing import Any

from skydriver.rest.arguments import DeletedToo
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import read_scan


@endpoint(
    "GET /scan-request/{scan_id}", roles=(Role.USER, Role.SYSTEM), arguments=DeletedToo, answer="Request"
)
async def get_scan_request(request: RequestContext[DeletedToo]) -> dict[str, Any]:
    """Answer the request with its defaults filled, of deleted scans, too."""
    scan = await read_scan(request.scan_id, ["request"], include_deleted=request.arguments.include_deleted)
    stored: dict[str, Any] = scan["request"]
    return stored
