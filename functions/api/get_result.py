"""`GET /scan/SCAN_ID/result`: the result of a scan, partial or final."""

from typing import Any

from skydriver.rest.arguments import ReadArguments
from skydriver.rest.auth import Role
from skydriver.rest.route import Call, route
from skydriver.rest.scans import read_result, read_scan


@route("GET /scan/{scan_id}/result", roles=(Role.USER,), arguments=ReadArguments, answer="Result")
async def get_result(call: Call[ReadArguments]) -> dict[str, Any]:
    """Answer the result, or an empty object before there is one."""
    scan = await read_scan(call.scan_id, ["result"], include_deleted=call.arguments.include_deleted)
    return await read_result(scan)
