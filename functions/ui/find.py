"""`GET /ui/find`: finds scans."""

from skydriver.rest.arguments import NoArguments
from skydriver.settings import settings
from skydriver.store.scans import search
from skydriver.ui.pages import Page, PageRequest, page

PAGE = 50


@page("GET /ui/find")
async def find(request: PageRequest[NoArguments]) -> Page:
    """Show the newest scans."""
    batches = search.find(
        {"is_deleted": False},
        ("scan_id", "phase"),
        max_time_ms=int(1000 * settings().find_deadline),
        limit=PAGE,
    )
    return Page("find.html", {"scans": [scan async for batch in batches for scan in batch]})
