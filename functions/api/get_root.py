"""`GET /`: says that the service is there, and leads people to its pages."""

from starlette.responses import Response

from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint


@endpoint("GET /", roles=(Role.USER, Role.SYSTEM), answer="Nothing", page="/ui")
async def get_root(request: RequestContext[NoArguments]) -> Response:
    """Answer an empty object; a client that asks for HTML by name is led to the dashboard."""
    return Response(b"{}", media_type="application/json", headers={"Vary": "Accept"})
