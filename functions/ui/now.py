"""`GET /ui`: shows what is going on now."""

from skydriver.rest.arguments import NoArguments
from skydriver.store.scans import overview as scan_overview
from skydriver.ui.pages import Page, PageRequest, page


@page("GET /ui")
async def now(request: PageRequest[NoArguments]) -> Page:
    """Show the backlog."""
    backlog = [
        {"scan_id": scan["_id"], "priority": scan["priority"], "reason": scan["reason"]}
        for scan in await scan_overview.backlog()
    ]
    return Page("now.html", {"backlog": backlog})
