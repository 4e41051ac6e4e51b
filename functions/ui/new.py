"""`GET /ui/new`, `POST /ui/new`: asks for a scan."""

from skydriver.rest.arguments import NoArguments
from skydriver.ui.pages import Page, PageRequest, page


@page("GET|POST /ui/new")
async def new(request: PageRequest[NoArguments]) -> Page:
    """Show the form of a new scan."""
    return Page("new.html", {})
