"""`DELETE /scan/SCAN_ID`: aborts a scan, or marks a completed one as deleted."""

from typing import Any

from skydriver.lifecycle.users import delete_scan as lifecycle
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.rest.arguments import DeleteArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import manifest_with_event, read_result, requested_fields


@endpoint("DELETE /scan/{scan_id}", roles=(Role.USER,), arguments=DeleteArguments, answer="Scan")
async def delete_scan(request: RequestContext[DeleteArguments]) -> dict[str, Any]:
    """Abort or mark, and answer the manifest and the result as they are then."""
    fields = requested_fields(request.arguments, DEFAULT_FIELDS)
    scan = await lifecycle.delete_scan(
        request.scan_id, delete_completed=request.arguments.delete_completed_scan, by=request.caller.name
    )
    return {"manifest": await manifest_with_event(scan, fields), "result": await read_result(scan)}
