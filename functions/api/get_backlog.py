"""`GET /scans/backlog`: the scans that wait to be started."""

import time
from typing import Any

from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.overview import limits
from skydriver.store import rate_limit
from skydriver.store.scans import overview as scan_overview


@endpoint("GET /scans/backlog", roles=(Role.USER,), answer="Backlog")
async def get_backlog(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer the backlog, the next to start first, and the limits within which scans are started."""
    started, running = await rate_limit.usage(now=time.time())
    return {
        "entries": [
            {
                "scan_id": scan["_id"],
                "timestamp": scan["timestamp"],
                # v1: when an entry was last tried; 0 if it was not yet.
                "pending_timestamp": scan["phase_since"] if scan["refusals"] else 0.0,
                "priority": scan["priority"],
                "next_attempt": scan["refusals"],
                "reason": scan["reason"],
                "reason_code": scan["reason_code"],
                "not_before": scan["not_before"],
            }
            for scan in await scan_overview.backlog()
        ],
        "limits": limits(started=started, running=running)._asdict(),
    }
