"""`GET /scan/SCAN_ID`: the manifest and the result of a scan."""

from typing import Any

from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.rest.arguments import ManifestArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import manifest_with_event, read_result, read_scan, requested_fields


@endpoint("GET /scan/{scan_id}", roles=(Role.USER, Role.SYSTEM), arguments=ManifestArguments, answer="Scan")
async def get_scan(request: RequestContext[ManifestArguments]) -> dict[str, Any]:
    """Answer both, the result empty before there is one."""
    fields = requested_fields(request.arguments, DEFAULT_FIELDS)
    scan = await read_scan(
        request.scan_id,
        [*fields, "result"],
        include_deleted=request.arguments.include_deleted,
        lead=request.is_led(no_redirect=request.arguments.no_redirect),
    )
    return {"manifest": await manifest_with_event(scan, fields), "result": await read_result(scan)}
