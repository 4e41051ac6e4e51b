"""`PATCH /scan/SCAN_ID/manifest`: a scanner server reports its progress."""

from typing import Any

from skydriver.errors import Forbidden
from skydriver.lifecycle.scanner.reports import report_cluster, report_manifest
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.reports import ManifestReport
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint, unless_late
from skydriver.rest.views import manifest_with_event, requested_fields


@endpoint(
    "PATCH /scan/{scan_id}/manifest",
    roles=(Role.SYSTEM, Role.SCANNER),
    arguments=ManifestReport,
    answer="Manifest",
)
async def patch_manifest(request: RequestContext[ManifestReport]) -> dict[str, Any]:
    """Take the report, unless it is stale, and answer the manifest as it is then.

    A report that the scan does not take at all is a 409, and to a scanner server an empty object.
    """
    report = request.arguments
    fields = requested_fields(report, DEFAULT_FIELDS)
    if report.cluster is not None and Role.SYSTEM not in request.caller.roles:
        raise Forbidden("authorization failed: argument cluster: only the role system reports clusters")
    scan = await unless_late(
        request, report_manifest(request.scan_id, attempt=request.attempt, report=report)
    )
    if scan is None:
        return {}
    if report.cluster is not None:
        scan = await report_cluster(request.scan_id, report.cluster)
    return await manifest_with_event(scan, fields)
