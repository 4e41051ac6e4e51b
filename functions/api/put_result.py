"""`PUT /scan/SCAN_ID/result`: a scanner server reports its result so far, or the final one."""

from typing import Any

import orjson

from skydriver.lifecycle.report import report_result
from skydriver.model.reports import ResultReport
from skydriver.rest.auth import Role
from skydriver.rest.route import Call, route
from skydriver.settings import settings


def _limit() -> int:
    return settings().max_result_bytes


@route(
    "PUT /scan/{scan_id}/result",
    roles=(Role.SYSTEM, Role.SCANNER),
    arguments=ResultReport,
    limit=_limit,
    answer="Result",
)
async def put_result(call: Call[ResultReport]) -> dict[str, Any]:
    """Store the result and answer it; an empty one is answered with an empty object and not stored."""
    if not call.arguments.skyscan_result:
        return {}
    content = orjson.dumps(call.arguments.skyscan_result)
    await report_result(
        call.scan_id,
        attempt=call.attempt,
        content=content,
        is_final=call.arguments.is_final,
        function="put_result",
    )
    return {
        "scan_id": call.scan_id,
        "skyscan_result": orjson.Fragment(content),
        "is_final": call.arguments.is_final,
    }
