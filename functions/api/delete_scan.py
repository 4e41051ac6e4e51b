"""`DELETE /scan/SCAN_ID`: aborts a scan, or marks a completed one as deleted."""

from typing import Any

from skydriver.lifecycle.users.delete_scan import delete
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.rest.arguments import DeleteArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import Call, route
from skydriver.rest.views import manifest, projected, read_result


@route("DELETE /scan/{scan_id}", roles=(Role.USER,), arguments=DeleteArguments, answer="Scan")
async def delete_scan(call: Call[DeleteArguments]) -> dict[str, Any]:
    """Abort or mark, and answer the manifest and the result as they are then."""
    fields = projected(call.arguments, DEFAULT_FIELDS)
    scan = await delete(
        call.scan_id, delete_completed=call.arguments.delete_completed_scan, by=call.caller.name
    )
    return {"manifest": await manifest(scan, fields), "result": await read_result(scan)}
