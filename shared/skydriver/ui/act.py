"""Doing to a scan what its user has confirmed."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.users import add_workers, delete_scan, rescan
from skydriver.model.submission import AddWorkersArguments, RescanArguments
from skydriver.rest.arguments import validate
from skydriver.rest.auth import Caller, may_send_alerts
from skydriver.store import idempotency_keys
from skydriver.ui.actions import Action
from skydriver.ui.forms import Form
from skydriver.ui.scan_form import changes_of, clusters_of, fields_of_request


async def act(action: Action, scan: Mapping[str, Any], form: Form, caller: Caller) -> str:
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
