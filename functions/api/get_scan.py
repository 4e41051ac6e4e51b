"""`GET /scan/SCAN_ID`: the manifest and the result of a scan."""

from typing import Any

from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.rest.arguments import ManifestArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import Call, route
from skydriver.rest.views import manifest, projected, read_result, read_scan


@route("GET /scan/{scan_id}", roles=(Role.USER, Role.SYSTEM), arguments=ManifestArguments, answer="Scan")
async def get_scan(call: Call[ManifestArguments]) -> dict[str, Any]:
    """Answer both, the result empty before there is one."""
    fields = projected(call.arguments, DEFAULT_FIELDS)
    scan = await read_scan(call.scan_id, [*fields, "result"], include_deleted=call.arguments.include_deleted)
    return {"manifest": await manifest(scan, fields), "result": await read_result(scan)}
