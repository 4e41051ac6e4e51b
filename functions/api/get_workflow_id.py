"""`GET /scan/SCAN_ID/ewms/workflow-id`: the id of a scan's workforce, in EWMS' words."""

from typing import Any

from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import read_scan


@endpoint("GET /scan/{scan_id}/ewms/workflow-id", roles=(Role.USER, Role.SYSTEM), answer="WorkflowId")
async def get_workflow_id(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer the scan's own id: no EWMS stands behind this service, and a scan has one workforce."""
    scan = await read_scan(request.scan_id, ["scan_id"])
    return {"workflow_id": scan["scan_id"]}
