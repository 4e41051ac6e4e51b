"""`GET /scan/SCAN_ID/i3-event`: the event of a scan."""

from typing import Any

import orjson

from skydriver.rest.arguments import DeletedToo
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import read_event, read_scan


@endpoint(
    "GET /scan/{scan_id}/i3-event", roles=(Role.USER, Role.SYSTEM), arguments=DeletedToo, answer="Event"
)
async def get_i3_event(request: RequestContext[DeletedToo]) -> dict[str, Any]:
    """Answer the event as it was submitted, of deleted scans, too."""
    scan = await read_scan(
        request.scan_id, ["i3_event_id"], include_deleted=request.arguments.include_deleted
    )
    return {"i3_event": orjson.Fragment(await read_event(scan["i3_event_id"]))}
