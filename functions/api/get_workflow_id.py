"""`GET /scan/SCAN_ID/ewms/workflow-id`: the id of a scan's workforce, in the words of SkyDriver v2."""

from typing import Any

from skydriver.model.workforce import workflow
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import read_scan


@endpoint("GET /scan/{scan_id}/ewms/workflow-id", roles=(Role.USER, Role.SYSTEM), answer="WorkflowId")
async def get_workflow_id(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer the scan's own id, or that of the workflow that an imported scan had in EWMS."""
    return workflow(await read_scan(request.scan_id, ["scan_id", "ewms_workflow_id", "ewms_address"]))
