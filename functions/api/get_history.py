"""`GET /scan/SCAN_ID/history`: what happened to a scan, and when, and why."""

from typing import Any

from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.route import Call, route
from skydriver.rest.scans import read_scan


@route("GET /scan/{scan_id}/history", roles=(Role.USER, Role.SYSTEM), answer="History")
async def get_history(call: Call[NoArguments]) -> dict[str, Any]:
    """Answer the history, the oldest first, of deleted scans, too."""
    scan = await read_scan(call.scan_id, ["history"])
    return {"scan_id": call.scan_id, "history": scan["history"]}
