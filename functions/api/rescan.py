"""`POST /scan/SCAN_ID/actions/rescan`: scans an event again, as it was asked for before or with changes."""

from typing import Any

from skydriver.lifecycle.users import rescan as lifecycle
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.submission import RescanArguments
from skydriver.rest.auth import Role, may_send_alerts
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import manifest_with_event, requested_fields


@endpoint(
    "POST /scan/{scan_id}/actions/rescan", roles=(Role.USER,), arguments=RescanArguments, answer="Manifest"
)
async def rescan(request: RequestContext[RescanArguments]) -> dict[str, Any]:
    """Store a new scan with the request of the former, and answer its manifest."""
    fields = requested_fields(request.arguments, DEFAULT_FIELDS)
    scan = await lifecycle.rescan(
        request.scan_id,
        request.arguments,
        submitted_by=request.caller.name,
        may_alert=may_send_alerts(request.caller),
    )
    return await manifest_with_event(scan, fields)
