"""`POST /ui/scan/SCAN_ID/ACTION`: asks whether to do something to a scan, does it, and leads to its page."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.users import add_workers, delete_scan, rescan
from skydriver.model.submission import AddWorkersArguments, RescanArguments
from skydriver.rest.arguments import NoArguments, validate
from skydriver.rest.auth import Caller, may_send_alerts
from skydriver.rest.views import read_scan
from skydriver.store import idempotency_keys
from skydriver.ui.actions import ACTIONS, CONFIRMED, Action
from skydriver.ui.forms import Form, find_action
from skydriver.ui.pages import Page, PageRequest, page, see_other
from skydriver.ui.scan_form import changes_of, clusters_of, fields_of_request, refused_form, shown_form


@page("POST /ui/scan/{scan_id}/{action}")
async def scan_action(request: PageRequest[NoArguments]) -> Page | Response:
    """Ask once, do it, and lead to the scan that it was done to."""
    action, form = find_action(ACTIONS, request.names["action"]), request.form or Form()
    scan = await read_scan(request.names["scan_id"], ("scan_id", "phase", "request", "event_metadata"))
    if not form.fields.get(CONFIRMED):
        fields = fields_of_request(scan["request"]) if action.name == "rescan" else {}
        return _asked(action, scan, shown_form(fields))
    try:
        scan_id = await _act(action, scan, form, request.caller)
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


async def _act(action: Action, scan: Mapping[str, Any], form: Form, caller: Caller) -> str:
    """Do something to a scan; a form that is sent twice does it once.

    Args:
        action: what to do.
        scan: with `scan_id` and `request`.
        form: what its user has filled in.
        caller: the user.

    Returns:
        The id of the scan whose page shows what was done.

    Raises:
        SkyDriverError: it cannot be done.
    """
    scan_id, by = str(scan["scan_id"]), caller.name
    match action.name:
        case "abort":
            await delete_scan.delete_scan(scan_id, delete_completed=False, by=by)
        case "hide":
            await delete_scan.delete_scan(scan_id, delete_completed=True, by=by)
        case "add-workers":
            arguments = validate(AddWorkersArguments, {"cluster": clusters_of(form.fields)})
            await _add_workers_once(form, scan_id, by, arguments)
        case "rescan":
            before = fields_of_request(scan["request"])
            changes = validate(RescanArguments, changes_of(form.fields, before))
            new_id = await idempotency_keys.take(
                by or "", f"rescan {form.key}", content=repr(changes), scan_id=uuid4().hex
            )
            again = await rescan.rescan(
                scan_id, changes, submitted_by=by, may_alert=may_send_alerts(caller), new_id=new_id
            )
            return str(again["_id"])
    return scan_id


async def _add_workers_once(form: Form, scan_id: str, by: str | None, arguments: AddWorkersArguments) -> None:
    user, key, mine = by or "", f"add-workers {form.key}", uuid4().hex
    content = repr([scan_id, arguments.cluster])
    if await idempotency_keys.take(user, key, content=content, scan_id=mine) != mine:
        return
    try:
        await add_workers.add_workers(scan_id, arguments.cluster)
    except SkyDriverError:
        await idempotency_keys.release(user, key)
        raise
