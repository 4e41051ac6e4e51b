"""`GET /ui`: shows what is going on now."""

from pydantic import Field

from skydriver.model.phases import Phase
from skydriver.rest.overview import MAX_PAGE, PAGE, OverviewArguments, read_overview
from skydriver.ui.pages import Page, PageRequest, page


class NowArguments(OverviewArguments):
    """The arguments of the page: of no list it shows more than a page at first."""

    running_limit: int = Field(PAGE, ge=1, le=MAX_PAGE)


@page("GET /ui", arguments=NowArguments)
async def now(request: PageRequest[NowArguments]) -> Page:
    """Show whether all is well, what runs, what waits, and what has ended within a day."""
    overview = await read_overview(request.arguments)
    counts = overview["counts"]
    return Page(
        "now.html",
        {
            "overview": overview,
            "asked": request.arguments.model_dump(),
            "query": request.arguments.model_dump(exclude_defaults=True),
            "total_running": sum(n for phase, n in counts.items() if phase != Phase.QUEUED),
            "total_ended": sum(overview["ended"]["counts"].values()),
        },
    )
