"""`GET /ui/find`: finds scans, as a page or as CSV."""

from starlette.responses import Response

from skydriver.settings import settings
from skydriver.store.scans import search
from skydriver.ui.csv_file import csv_response
from skydriver.ui.find_view import FIELDS, FindPageArguments, find_view, read_search
from skydriver.ui.pages import Page, PageRequest, page


@page("GET /ui/find", arguments=FindPageArguments)
async def find(request: PageRequest[FindPageArguments]) -> Page | Response:
    """Show a page of the scans that match, or all of them as a table."""
    asked = request.arguments
    found = read_search(asked)
    if found.problems:
        return Page("find.html", find_view(asked, found, []), status=400)
    batches = search.find(
        found.condition,
        FIELDS,
        max_time_ms=int(1000 * settings().find_deadline),
        # One more says whether there is another page.
        limit=found.limit + 1,
        after=found.after,
        ascending=asked.order == "oldest",
    )
    if asked.format == "csv":
        return await csv_response(batches)
    return Page("find.html", find_view(asked, found, [scan async for batch in batches for scan in batch]))
