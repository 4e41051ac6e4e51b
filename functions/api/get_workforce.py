"""`GET /scan/SCAN_ID/ewms/workforce`: how many workers of a scan run."""

from typing import Any

from skydriver.lifecycle.workers.ask_for_observation import ask_for_observation
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.workforce import read_workforce, steady_workforce


@endpoint(
    "GET /scan/{scan_id}/ewms/workforce",
    roles=(Role.USER, Role.SYSTEM, Role.SCANNER),
    answer="Workforce",
)
async def get_workforce(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer the workforce; scanner servers since v4 ask until one worker runs, and die of any error.

    While none runs, their asking has the workers looked at.
    """
    if request.caller.scanner is None:
        return await read_workforce(request.scan_id)
    return await steady_workforce(request.scan_id, while_none=ask_for_observation)
