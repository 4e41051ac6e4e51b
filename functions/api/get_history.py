"""`GET /scan/SCAN_ID/history`: what happened to a scan, and when, and why."""

from typing import Any

from skydriver.rest.arguments import DeletedToo
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import read_scan


@endpoint(
    "GET /scan/{scan_id}/history", roles=(Role.USER, Role.SYSTEM), arguments=DeletedToo, answer="History"
)
async def get_history(request: RequestContext[DeletedToo]) -> dict[str, Any]:
    """Answer the history, the oldest first, of deleted scans, too."""
    scan = await read_scan(
        request.scan_id, ["history", "failed_tries"], include_deleted=request.arguments.include_deleted
    )
    failed_tries = [
        {name: value for name, value in line.items() if name != "recent"} for line in scan["failed_tries"]
    ]
    return {"scan_id": request.scan_id, "history": scan["history"], "failed_tries": failed_tries}
