"""`GET /scan/SCAN_ID/manifest`: the manifest of a scan, with the event itself."""

from starlette.responses import Response

from skydriver.model.manifest import FIELDS
from skydriver.rest.arguments import ManifestArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.etags import json_with_etag
from skydriver.rest.views import read_manifest, requested_fields


@endpoint(
    "GET /scan/{scan_id}/manifest",
    roles=(Role.USER, Role.SYSTEM, Role.SCANNER),
    arguments=ManifestArguments,
    answer="Manifest",
)
async def get_manifest(request: RequestContext[ManifestArguments]) -> Response:
    """Answer the manifest: scanner servers read their event from it."""
    fields = requested_fields(request.arguments, FIELDS)
    manifest = await read_manifest(
        request.scan_id,
        fields,
        include_deleted=request.arguments.include_deleted,
        lead=request.is_led(no_redirect=request.arguments.no_redirect),
    )
    return json_with_etag(request.headers, manifest)
