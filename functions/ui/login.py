"""`GET /ui/login`: leads to Keycloak, and takes who comes back from there."""

from starlette.responses import Response

from skydriver.rest.arguments import NoArguments
from skydriver.settings import settings
from skydriver.ui.pages import PageRequest, page, see_other


@page("GET /ui/login", roles=())
async def login(request: PageRequest[NoArguments]) -> Response:
    """Lead to Keycloak."""
    return see_other(settings().auth_openid_url or "/ui")
