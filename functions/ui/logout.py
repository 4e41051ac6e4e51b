"""`POST /ui/logout`: ends a session."""

from starlette.responses import Response

from skydriver.rest.arguments import NoArguments
from skydriver.ui.pages import PageRequest, page, see_other


@page("POST /ui/logout")
async def logout(request: PageRequest[NoArguments]) -> Response:
    """End the session."""
    return see_other("/ui")
