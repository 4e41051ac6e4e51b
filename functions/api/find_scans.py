"""`POST /scans/find`: finds scans by a MongoDB filter of their manifests."""

from typing import Any

from skydriver.model.manifest import FIND_FIELDS, manifest_of
from skydriver.rest.auth import Role
from skydriver.rest.find import MAX_TIME_MS, FindArguments
from skydriver.rest.route import Call, route
from skydriver.rest.scans import projected
from skydriver.store import scans


@route("POST /scans/find", roles=(Role.USER,), arguments=FindArguments)
async def find_scans(call: Call[FindArguments]) -> dict[str, Any]:
    """Answer the manifests that match, deleted ones only if they are asked for."""
    fields = projected(call.arguments, FIND_FIELDS, FIND_FIELDS)
    found = scans.find(call.arguments.condition, fields, max_time_ms=MAX_TIME_MS)
    return {"manifests": [manifest_of(scan, fields) async for scan in found]}
