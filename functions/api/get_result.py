"""`GET /scan/SCAN_ID/result`: the result of a scan, partial or final."""

from starlette.responses import Response

from skydriver.rest.arguments import ResultArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.results import result_answer


@endpoint("GET /scan/{scan_id}/result", roles=(Role.USER,), arguments=ResultArguments, answer="Result")
async def get_result(request: RequestContext[ResultArguments]) -> Response:
    """Answer the result, or an empty object before there is one."""
    asked = request.arguments
    lead = request.is_led(no_redirect=asked.no_redirect)
    return await result_answer(
        request.scan_id, request.headers, include_deleted=asked.include_deleted, lead=lead
    )
