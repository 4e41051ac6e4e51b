"""`GET /scan/SCAN_ID/ewms/taskforces`: what was sent to worker clusters, in EWMS' words."""

from typing import Any

from skydriver.model.workforce import taskforces
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import read_scan


@endpoint("GET /scan/{scan_id}/ewms/taskforces", roles=(Role.USER, Role.SYSTEM), answer="Taskforces")
async def get_taskforces(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer the scan's worker clusters, those that are planned and those that are gone included."""
    scan = await read_scan(request.scan_id, ["ewms_task.clusters"])
    return {"taskforces": taskforces(scan)}
