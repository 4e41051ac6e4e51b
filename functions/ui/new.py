"""`GET /ui/new`, `POST /ui/new`: asks for a scan of an event, or of an earlier scan's."""

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.users import create_scan as lifecycle
from skydriver.model.submission import ScanArguments
from skydriver.rest.arguments import validate
from skydriver.rest.auth import may_send_alerts
from skydriver.rest.views import read_event, read_scan
from skydriver.settings import settings
from skydriver.ui.pages import Page, PageRequest, page, see_other
from skydriver.ui.scan_form import arguments_of, event_summary, fields_of_request, refused_form, shown_form

LOOK = "look"
"""The field of the button that only shows what is in the event."""


class NewArguments(BaseModel):
    """The argument of `GET /ui/new`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    like: str = ""
    """An earlier scan, whose request fills the form."""


def _limit() -> int:
    return 2 * settings().max_event_bytes + settings().max_body_bytes


@page("GET|POST /ui/new", arguments=NewArguments, limit=_limit)
async def new(request: PageRequest[NewArguments]) -> Page | Response:
    """Show the form, or store the scan that it asks for and lead to its page."""
    form = request.form
    if form is None:
        return (
            await _like(request.arguments.like)
            if request.arguments.like
            else Page("new.html", shown_form({}))
        )
    if form.fields.get(LOOK):
        return Page("new.html", shown_form(form.fields, key=form.key))
    try:
        scan = await lifecycle.create_scan(
            validate(ScanArguments, arguments_of(form.fields)),
            submitted_by=request.caller.name,
            key=form.key,
            may_alert=may_send_alerts(request.caller),
        )
    except SkyDriverError as error:
        return Page("new.html", refused_form(form, error), error.http_status)
    return see_other(f"/ui/scan/{scan['_id']}?done=new")


async def _like(scan_id: str) -> Page:
    scan = await read_scan(scan_id, ("request",))
    shown = shown_form(fields_of_request(scan["request"]))
    event = await read_event(scan["request"]["i3_event_id"])
    return Page("new.html", {**shown, "event": event_summary(event.decode())})
