"""`GET /openapi.json`: tells programs what the REST interface takes and answers."""

from starlette.responses import Response

from skydriver.rest.arguments import NoArguments
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.openapi.installed import installed_document
from skydriver.settings import settings


@endpoint("GET /openapi.json", roles=())
async def get_openapi(request: RequestContext[NoArguments]) -> Response:
    """Answer the OpenAPI document of this interface."""
    written = installed_document(url=settings().skydriver_url, issuer=settings().auth_openid_url)
    return Response(written, media_type="application/json")
