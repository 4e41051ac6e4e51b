"""`GET /scan/SCAN_ID/manifest`: the manifest of a scan, with the event itself."""

from typing import Any

from skydriver.model.manifest import FIELDS
from skydriver.rest.arguments import ManifestArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import Call, route
from skydriver.rest.views import projected, read_manifest


@route(
    "GET /scan/{scan_id}/manifest",
    roles=(Role.USER, Role.SYSTEM, Role.SCANNER),
    arguments=ManifestArguments,
    answer="Manifest",
)
async def get_manifest(call: Call[ManifestArguments]) -> dict[str, Any]:
    """Answer the manifest: scanner servers read their event from it."""
    fields = projected(call.arguments, FIELDS)
    return await read_manifest(call.scan_id, fields, include_deleted=call.arguments.include_deleted)
