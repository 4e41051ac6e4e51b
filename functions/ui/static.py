"""`GET /ui/static/FILE`: gives the files that pages use."""

from starlette.responses import Response

from skydriver.errors import NotFound
from skydriver.rest.arguments import NoArguments
from skydriver.ui.pages import PageRequest, page
from skydriver.ui.render import read_static

YEAR = 365 * 24 * 3600


@page("GET /ui/static/{file}", roles=())
async def static(request: PageRequest[NoArguments]) -> Response:
    """Answer a file; under the path of its version it never changes."""
    found = read_static(request.names["file"])
    if found is None:
        raise NotFound(f"there is no file '{request.names['file']}'")
    kept = f"public, max-age={YEAR}, immutable" if found.is_current else "no-cache"
    headers = {"Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    return Response(found.content, media_type=found.media_type, headers=headers)
