"""`POST /scan/SCAN_ID/actions/rescan`: scans an event again, as it was asked for before or with changes."""

from typing import Any

from skydriver.lifecycle.users import create_scan
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.submission import RescanArguments
from skydriver.rest.auth import Role, may_alert
from skydriver.rest.endpoint import Call, route
from skydriver.rest.views import manifest, projected


@route(
    "POST /scan/{scan_id}/actions/rescan", roles=(Role.USER,), arguments=RescanArguments, answer="Manifest"
)
async def rescan(call: Call[RescanArguments]) -> dict[str, Any]:
    """Store a new scan with the request of the former, and answer its manifest."""
    fields = projected(call.arguments, DEFAULT_FIELDS)
    scan = await create_scan.rescan(
        call.scan_id,
        call.arguments,
        submitted_by=call.caller.name,
        may_alert=may_alert(call.caller),
    )
    return await manifest(scan, fields)
