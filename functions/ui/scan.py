"""`GET /ui/scan/SCAN_ID`: shows a scan."""

from pydantic import BaseModel, ConfigDict

from skydriver.rest.views import read_scan
from skydriver.ui.actions import actions_for, notice_of
from skydriver.ui.pages import Page, PageRequest, page


class ScanPageArguments(BaseModel):
    """The argument of `GET /ui/scan/SCAN_ID`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    done: str = ""
    """What an action has just done (`ui.actions`)."""


@page("GET /ui/scan/{scan_id}", arguments=ScanPageArguments)
async def scan(request: PageRequest[ScanPageArguments]) -> Page:
    """Show a scan."""
    found = await read_scan(request.names["scan_id"], ("scan_id", "phase", "reason"))
    data = {
        "scan": found,
        "notice": notice_of(request.arguments.done),
        "actions": actions_for(found["phase"]),
    }
    return Page("scan.html", data)
