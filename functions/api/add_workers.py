"""`POST /scan/SCAN_ID/actions/add-workers`: gives a scan more workers."""

from typing import Any

from skydriver.lifecycle.users import add_workers as lifecycle
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.submission import AddWorkersArguments
from skydriver.model.worker_pools import cluster_uuid
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import manifest_with_event, requested_fields


@endpoint(
    "POST /scan/{scan_id}/actions/add-workers",
    roles=(Role.USER,),
    arguments=AddWorkersArguments,
    answer="ManifestWithTaskforce",
)
async def add_workers(request: RequestContext[AddWorkersArguments]) -> dict[str, Any]:
    """Ask for more workers, at once where the scan has workers already, and answer its manifest."""
    fields = requested_fields(request.arguments, DEFAULT_FIELDS)
    scan = await lifecycle.add_workers(request.scan_id, request.arguments.cluster)
    shown = await manifest_with_event(scan, fields)
    if request.arguments.cluster_location is None:
        return shown
    # v2's answer, beside ours: the last of the clusters that were asked for is this one.
    place = len(scan["request"]["request_clusters"]) - 1
    uuid = cluster_uuid(request.scan_id, max(scan["attempt"], 1), place)
    return {**shown, "taskforce_uuid": uuid, "n_workers": request.arguments.n_workers}
