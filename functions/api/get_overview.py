"""`GET /scans/overview`: the service at a glance."""

from starlette.responses import Response

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.etags import json_with_etag
from skydriver.rest.overview import OverviewArguments, read_overview


@endpoint("GET /scans/overview", roles=(Role.USER,), arguments=OverviewArguments, answer="Overview")
async def get_overview(request: RequestContext[OverviewArguments]) -> Response:
    """Answer whether all is well, what runs and what holds it up, what waits and why, what ended in a day.

    The `ETag` is that of the answer: with `If-None-Match` a 304 says that nothing has changed.
    """
    return json_with_etag(request.headers, await read_overview(request.arguments))
