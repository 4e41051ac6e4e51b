"""A user aborts a scan, or marks a completed one as deleted: `DELETE /scan/SCAN_ID`."""

from typing import Any

from skydriver.errors import Conflict, NotFound
from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish
from skydriver.model.transitions import Fact
from skydriver.store import scans
from skydriver.store.scans import Change


async def delete(scan_id: str, *, delete_completed: bool, by: str | None) -> dict[str, Any]:
    """Abort a scan and mark it as deleted; a complete one only if that is asked for.

    Returns:
        The scan afterwards.

    Raises:
        NotFound: there is no such scan; nothing is created.
        Conflict: it is complete, and `delete_completed` was not asked for.
    """
    change = await abort(scan_id, by=by, function="delete_scan")
    if change.applied:
        return change.scan
    if not delete_completed:
        raise Conflict(
            "the scan is complete: to mark it as deleted all the same, pass 'delete_completed_scan': true"
        )
    scan = await scans.mark_deleted(scan_id)
    if scan is None:
        raise NotFound(f"there is no scan '{scan_id}'")
    return scan


async def abort(scan_id: str, *, by: str | None, function: str) -> Change:
    """Abort a scan and mark it as deleted, unless it is complete.

    Raises:
        NotFound: there is no such scan.
    """
    who = f"aborted by {by}" if by else "aborted by a user"
    outbox = entry(Fact.ABORTED, subject=scan_id, function=function, cause="0")
    change = await scans.advance(
        scan_id,
        Fact.ABORTED,
        function=function,
        cause=who,
        reason=who,
        fields={"is_deleted": True},
        outbox=outbox,
        unwanted_clusters=True,
    )
    if change is None:
        raise NotFound(f"there is no scan '{scan_id}'")
    if change.applied:
        await publish(scan_id, outbox)
    return change
