"""`POST /ui/scan/SCAN_ID/ACTION`: does what a user wants done to a scan."""

from starlette.responses import Response

from skydriver.errors import NotFound
from skydriver.rest.arguments import NoArguments
from skydriver.ui.pages import PageRequest, page


@page("POST /ui/scan/{scan_id}/{action}")
async def scan_action(request: PageRequest[NoArguments]) -> Response:
    """Ask once, do it, and lead back to the scan."""
    raise NotFound(f"there is no action '{request.names['action']}'")
