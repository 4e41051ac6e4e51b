"""`POST /scan`: launches a new scan of an event."""

from typing import Any

from skydriver.lifecycle.users.create_scan import submit
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.submission import ScanArguments
from skydriver.rest.arguments import idempotency_key
from skydriver.rest.auth import Role, may_alert
from skydriver.rest.endpoint import Call, route
from skydriver.rest.views import manifest, projected
from skydriver.settings import settings


def _limit() -> int:
    # An event may come as a text, with its quotes escaped. That it is small enough itself is seen later.
    return 2 * settings().max_event_bytes + settings().max_body_bytes


@route("POST /scan", roles=(Role.USER,), arguments=ScanArguments, limit=_limit, answer="Manifest")
async def create_scan(call: Call[ScanArguments]) -> dict[str, Any]:
    """Store the scan, say that it was requested, and answer its manifest."""
    fields = projected(call.arguments, DEFAULT_FIELDS)
    scan = await submit(
        call.arguments,
        submitted_by=call.caller.name,
        key=idempotency_key(call.headers),
        may_alert=may_alert(call.caller),
    )
    return await manifest(scan, fields)
