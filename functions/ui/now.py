"""`GET /ui`: shows what is going on now."""

from skydriver.model.phases import Phase
from skydriver.rest.overview import OverviewArguments, read_overview
from skydriver.ui.pages import Page, PageRequest, page


@page("GET /ui", arguments=OverviewArguments)
async def now(request: PageRequest[OverviewArguments]) -> Page:
    """Show whether all is well, what runs, what waits, and what has ended within a day."""
    overview = await read_overview(request.arguments)
    counts = overview["counts"]
    return Page(
        "now.html",
        {
            "overview": overview,
            "asked": request.arguments.model_dump(),
            "total_running": sum(n for phase, n in counts.items() if phase != Phase.QUEUED),
            "total_ended": sum(overview["ended"]["counts"].values()),
        },
    )
