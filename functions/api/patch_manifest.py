"""`PATCH /scan/SCAN_ID/manifest`: a scanner server reports its progress."""

from typing import Any

from skydriver.lifecycle.report import report_manifest
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.reports import ManifestReport
from skydriver.rest.auth import Role
from skydriver.rest.route import Call, route
from skydriver.rest.scans import manifest, projected


@route("PATCH /scan/{scan_id}/manifest", roles=(Role.SYSTEM, Role.SCANNER), arguments=ManifestReport)
async def patch_manifest(call: Call[ManifestReport]) -> dict[str, Any]:
    """Take the report, unless it is stale, and answer the manifest as it is then."""
    fields = projected(call.arguments, DEFAULT_FIELDS)
    scan = await report_manifest(
        call.scan_id, attempt=call.attempt, report=call.arguments, function="patch_manifest"
    )
    return await manifest(scan, fields)
