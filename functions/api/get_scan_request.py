"""`GET /scan-request/SCAN_ID`: what was asked for, as a scan keeps it."""

from typing import Any

from skydriver.rest.arguments import DeletedToo
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import Call, route
from skydriver.rest.views import read_scan


@route("GET /scan-request/{scan_id}", roles=(Role.USER, Role.SYSTEM), arguments=DeletedToo, answer="Request")
async def get_scan_request(call: Call[DeletedToo]) -> dict[str, Any]:
    """Answer the request with its defaults filled, of deleted scans, too."""
    scan = await read_scan(call.scan_id, ["request"], include_deleted=call.arguments.include_deleted)
    request: dict[str, Any] = scan["request"]
    return request
