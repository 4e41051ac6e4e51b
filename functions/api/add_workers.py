"""`POST /scan/SCAN_ID/actions/add-workers`: gives a scan more workers."""

from typing import Any

from skydriver.lifecycle.users import add_workers as lifecycle
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.submission import AddWorkersArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import manifest_with_event, requested_fields


@endpoint(
    "POST /scan/{scan_id}/actions/add-workers",
    roles=(Role.USER,),
    arguments=AddWorkersArguments,
    answer="Manifest",
)
async def add_workers(request: RequestContext[AddWorkersArguments]) -> dict[str, Any]:
    """Ask for more workers, at once where the scan has workers already, and answer its manifest."""
    fields = requested_fields(request.arguments, DEFAULT_FIELDS)
    scan = await lifecycle.add_workers(request.scan_id, request.arguments.cluster)
    return await manifest_with_event(scan, fields)
