"""`POST /scan`: launches a new scan of an event."""

from typing import Any

from skydriver.lifecycle.users import create_scan as lifecycle
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.submission import ScanArguments
from skydriver.rest.arguments import idempotency_key
from skydriver.rest.auth import Role, may_send_alerts
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.views import manifest_with_event, requested_fields
from skydriver.settings import settings


def _limit() -> int:
    # An event may come as a text, with its quotes escaped. That it is small enough itself is seen later.
    return 2 * settings().max_event_bytes + settings().max_body_bytes


@endpoint("POST /scan", roles=(Role.USER,), arguments=ScanArguments, limit=_limit, answer="Manifest")
async def create_scan(request: RequestContext[ScanArguments]) -> dict[str, Any]:
    """Store the scan, say that it was requested, and answer its manifest."""
    fields = requested_fields(request.arguments, DEFAULT_FIELDS)
    scan = await lifecycle.create_scan(
        request.arguments,
        submitted_by=request.caller.name,
        key=idempotency_key(request.headers),
        may_alert=may_send_alerts(request.caller),
    )
    return await manifest_with_event(scan, fields)
