"""`GET /scan/SCAN_ID/result`: the result of a scan, partial or final."""

from starlette.responses import Response

from skydriver.rest.arguments import ReadArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.results import result_answer


@endpoint("GET /scan/{scan_id}/result", roles=(Role.USER,), arguments=ReadArguments, answer="Result")
async def get_result(request: RequestContext[ReadArguments]) -> Response:
    """Answer the result, or an empty object before there is one."""
    return await result_answer(request.scan_id, include_deleted=request.arguments.include_deleted)
