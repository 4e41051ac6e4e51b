"""`POST /scan/SCAN_ID/actions/add-workers`: gives a scan more workers."""

from typing import Any

from skydriver.lifecycle.users import add_workers as lifecycle
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.submission import AddWorkersArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import Call, route
from skydriver.rest.views import manifest, projected


@route(
    "POST /scan/{scan_id}/actions/add-workers",
    roles=(Role.USER,),
    arguments=AddWorkersArguments,
    answer="Manifest",
)
async def add_workers(call: Call[AddWorkersArguments]) -> dict[str, Any]:
    """Ask for more workers, at once where the scan has workers already, and answer its manifest."""
    fields = projected(call.arguments, DEFAULT_FIELDS)
    scan = await lifecycle.add_workers(call.scan_id, call.arguments.cluster)
    return await manifest(scan, fields)
