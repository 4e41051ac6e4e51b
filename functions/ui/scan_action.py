"""`POST /ui/scan/SCAN_ID/ACTION`: asks whether to do something to a scan, does it, and leads to its page."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from skydriver.errors import SkyDriverError
from skydriver.rest.arguments import NoArguments
from skydriver.rest.views import read_scan
from skydriver.ui.act import act
from skydriver.ui.actions import CONFIRMED, Action, find_action
from skydriver.ui.forms import Form
from skydriver.ui.pages import Page, PageRequest, page, see_other
from skydriver.ui.scan_form import fields_of_request, refused_form, shown_form


@page("POST /ui/scan/{scan_id}/{action}")
async def scan_action(request: PageRequest[NoArguments]) -> Page | Response:
    """Ask once, do it, and lead to the scan that it was done to."""
    action, form = find_action(request.names["action"]), request.form or Form()
    scan = await read_scan(request.names["scan_id"], ("scan_id", "phase", "request", "event_metadata"))
    if not form.fields.get(CONFIRMED):
        fields = fields_of_request(scan["request"]) if action.name == "rescan" else {}
        return _asked(action, scan, shown_form(fields))
    try:
        scan_id = await act(action, scan, form, request.caller)
    except SkyDriverError as error:
        return _asked(action, scan, refused_form(form, error), error.http_status)
    return see_other(f"/ui/scan/{scan_id}?done={action.name}")


def _asked(action: Action, scan: Mapping[str, Any], form: Mapping[str, Any], status: int = 200) -> Page:
    data = {
        **form,
        "scan": {name: scan[name] for name in ("scan_id", "phase", "event_metadata")},
        "action": asdict(action),
        "is_possible": action.is_for(scan["phase"]),
    }
    return Page("confirm.html", data, status)
