"""`GET /ui/scan/SCAN_ID`: shows a scan."""

import time

from pydantic import BaseModel, ConfigDict

from skydriver.rest.views import read_scan
from skydriver.store.scans import document as scan_document
from skydriver.ui.actions import actions_for, notice_of
from skydriver.ui.pages import Page, PageRequest, page
from skydriver.ui.protocols import offered_protocols
from skydriver.ui.scan_view import BESIDE, FIELDS, scan_view


class ScanPageArguments(BaseModel):
    """The argument of `GET /ui/scan/SCAN_ID`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    done: str = ""
    """What an action has just done (`ui.actions`)."""


@page("GET /ui/scan/{scan_id}", arguments=ScanPageArguments)
async def scan(request: PageRequest[ScanPageArguments]) -> Page:
    """Show a scan, deleted or replaced ones too; a rescan beside the scan that it repeats."""
    found = await read_scan(request.names["scan_id"], FIELDS)
    first, original = found.get("first_scan_id"), None
    if first is not None:
        original = await scan_document.get_fields(first, BESIDE)
    data = {
        "scan": scan_view(found, original, now=time.time()),
        "notice": notice_of(request.arguments.done),
        "actions": actions_for(found["phase"]),
        "protocols": offered_protocols(),
    }
    return Page("scan.html", data)
